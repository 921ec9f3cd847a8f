"""Small files that are either whole or not there: promises and the snapshots of claims."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from pimgr.sqlite import sync_folder

MAGIC = b"pimgr1\n"


def write(path: Path, payload: bytes) -> None:
    """Replace `path` atomically and durably, readable by its owner only. Raises OSError; the old file then stays."""
    part = path.with_name(f".{path.name}.part")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        file.write(MAGIC + zlib.crc32(payload).to_bytes(4, "big") + payload)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def read(path: Path) -> bytes | None:
    """Its payload; None if the file is missing, unreadable, or not as it was written."""
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    head, payload = raw[: len(MAGIC) + 4], raw[len(MAGIC) + 4 :]
    return payload if head == MAGIC + zlib.crc32(payload).to_bytes(4, "big") else None
