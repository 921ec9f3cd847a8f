"""Watches what a program makes durable, and when. Everything happens as always; it is only noted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

Step = tuple[str, str, bytes]
"""("synced", name, what it held then), or ("named", name, b"")."""


def watched(monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """What is synced and renamed from now on, in order."""
    steps: list[Step] = []
    fsync, replace, rename = os.fsync, os.replace, os.rename

    def synced(fd: int) -> None:
        path = Path(f"/proc/self/fd/{fd}").readlink()
        fsync(fd)
        steps.append(("synced", path.name, path.read_bytes() if path.is_file() else b""))

    def replaced(source: str, target: str) -> None:
        replace(source, target)
        steps.append(("named", Path(target).name, b""))

    def renamed(source: str, target: str) -> None:
        rename(source, target)
        steps.append(("named", Path(target).name, b""))

    for name, function in (("fsync", synced), ("replace", replaced), ("rename", renamed)):
        monkeypatch.setattr(os, name, function)
    return steps
