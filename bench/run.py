"""Starts the benchmarks: `python bench/run.py [--quick] [NAME ...]`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    # What is imported is found from the repository on, not from this folder.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    # What is measured keeps its compiled modules, as an installed pimgr does.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    from bench.main import main

    sys.exit(main())
