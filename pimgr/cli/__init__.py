"""The command line of pimgr."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command that the arguments name, and end with one of `exits.Exit`."""
    # A name in a device or a config may hold letters that this terminal can't show.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        from pimgr.cli.quick import quickly

        quickly(sys.argv[1:])
        from pimgr.cli.app import app

        app()
    except BrokenPipeError:  # `pimgr status | head -1`: who reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
