"""One pimgr a house: a lock on the journal's folder that the kernel drops with the process, however that ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from pimgr.journal.words import AlreadyRunning

LOCKS = Path("/proc/locks")


def take(folder: Path) -> int:
    """A descriptor that holds the lock until it is closed. Raises `AlreadyRunning`, or OSError without such a folder.

    The folder itself is locked, not a file in it, so that it works on a full disk and on one that is read-only.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder(fd)
        os.close(fd)
        raise AlreadyRunning(
            f"another pimgr{holder} is running on {folder}; stop it first (`systemctl stop pimgr`)"
        ) from None
    except BaseException:
        os.close(fd)
        raise
    return fd


def _holder(fd: int) -> str:
    """The holder's process id in words, "" where the kernel doesn't say. Source: proc_locks(5)."""
    inode = str(os.fstat(fd).st_ino)
    try:
        lines = LOCKS.read_text(encoding="ascii").splitlines()
    except OSError:
        return ""
    for line in lines:
        words = line.split()
        if len(words) > 5 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode:
            return f" (process {words[4]})"
    return ""
