"""A Python with pytest and the libraries in it, that forks for each run: to load them took most of a mutant's time.

Run as a script in a copied tree; nothing of pimgr and no test is loaded before the fork. A line in, JSON: where the
output goes, then pytest's arguments. Two lines out: the run's process id, which is its session too; its exit status.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from contextlib import suppress
from pathlib import Path

LIBRARIES = ("pytest", "hypothesis.stateful", "msgspec", "pluggy", "tomli", "typer", "paramiko", "requests", "aiohttp")


def main() -> None:
    """Until the standard input ends."""
    for name in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)
    sys.path[0] = str(Path.cwd())  # as `python -m pytest` has it
    for line in sys.stdin:
        output, *arguments = json.loads(line)
        run = os.fork()
        if run == 0:
            _become(output)
            import pytest

            sys.exit(pytest.main(arguments))
        print(run, flush=True)
        _, status = os.waitpid(run, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(output: str) -> None:
    """A process of its own session, that reads nothing and prints into a file."""
    os.setsid()
    nothing, file = os.open(os.devnull, os.O_RDONLY), os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(nothing, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - the starter's own has a line of it read ahead


if __name__ == "__main__":
    main()
