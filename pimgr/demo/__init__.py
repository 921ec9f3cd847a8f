"""`pimgr demo`: a house loses the grid, on this machine, with real protocols, and a supervisor that is killed half-way."""

from pimgr.demo.rehearsal import Options, main

__all__ = ["Options", "main"]
