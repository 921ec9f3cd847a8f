"""`python -m pimgr.cli`, where the script `pimgr` isn't installed."""

from __future__ import annotations

from pimgr.cli import main

if __name__ == "__main__":
    main()
