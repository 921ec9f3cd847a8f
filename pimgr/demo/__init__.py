"""`pimgr demo`: a house loses the grid, by real protocols, and the supervisor is killed half-way."""

from pimgr.demo.rehearsal import SCENARIOS, Options, main

__all__ = ["SCENARIOS", "Options", "main"]
