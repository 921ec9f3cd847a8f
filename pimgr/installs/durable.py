"""Files of a generation on the disk, so that a power cut at any moment leaves the old one or the new one."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
from pathlib import Path

OWNER = "pimgr"


def make_base(base: Path) -> None:
    """The folder of all generations. pimgr's state folder, if it isn't there yet, is the service's."""
    if not base.parent.exists():
        base.parent.mkdir(parents=True, mode=0o700)
        if os.geteuid() == 0:
            try:
                owner = pwd.getpwnam(OWNER)
            except KeyError:
                pass  # systemd will hand over the whole folder; `pimgr plugin list` says what to do then
            else:
                os.chown(base.parent, owner.pw_uid, owner.pw_gid)
    base.mkdir(exist_ok=True)


def write(path: Path, content: bytes) -> None:
    """A new file, on the disk when this returns."""
    path.write_bytes(content)
    sync_file(path)


def sync_file(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sync_tree(top: Path) -> None:
    """Every file and folder below, and `top` itself."""
    for folder, _, files in os.walk(top):
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                sync_file(path)
        sync_folder(Path(folder))


def point(link: Path, target: str) -> None:
    """Let a link point elsewhere, in one step."""
    new = link.with_name(f".{link.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)
    sync_folder(link.parent)


def remove_unless_used(folder: Path) -> bool:
    """Remove a generation, unless a running process loads from it; whether it is gone."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True
