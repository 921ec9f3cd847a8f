"""`python -m pimgr_windows_host.prepare`: writes the PowerShell script that prepares a Windows machine."""

from __future__ import annotations

import sys
from importlib.resources import files


def script() -> str:
    """The script, with the line ends of Windows."""
    text = (files("pimgr_windows_host") / "prepare-windows.ps1").read_text(encoding="ascii")
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


if __name__ == "__main__":
    sys.stdout.buffer.write(script().encode("ascii"))
