"""Secrets of the house: found by name among systemd's credentials, or in a folder that only pimgr may read."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pimgr.api import Refused, Secret
from pimgr.text import safe

FOLDER = Path("/etc/pimgr/secrets")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
"""Names of secrets: nothing that leaves the folder, nothing hidden."""
_LIMIT = 65536


def secrets_folder(config: Path) -> Path:
    """The folder of secrets beside a config file: /etc/pimgr/secrets for /etc/pimgr/pimgr.toml."""
    return config.parent / "secrets"


@contextmanager
def _closing(file: int) -> Iterator[None]:
    """Close a file descriptor at the end: `os.fdopen` takes no folder, and would leave it open."""
    try:
        yield
    finally:
        os.close(file)


class Secrets:
    """Texts by reference. They are read anew each time, so a changed password needs no restart, and never printed."""

    def __init__(self, folder: Path = FOLDER, credentials: Path | None = None) -> None:
        """`credentials`: systemd's folder for this service; absent, the one in $CREDENTIALS_DIRECTORY."""
        given = os.environ.get("CREDENTIALS_DIRECTORY", "")
        self._folder = folder
        self._credentials = credentials or (Path(given) if given else None)

    def text(self, reference: Secret) -> str:
        """Its text without one line end at its end. Raises Refused: where it was looked for, and the cure."""
        name = reference.secret
        if not NAME.fullmatch(name):
            raise Refused("secrets", f"the secret {safe(name, 60)}", "no secret can be called so", "see docs/config.md")
        if self._credentials is not None:
            try:
                return self._read(self._credentials / name, name, ours=False)
            except FileNotFoundError:
                pass
        try:
            return self._read(self._folder / name, name, ours=True)
        except FileNotFoundError:
            places = f"{self._folder}" + (f" nor {self._credentials}" if self._credentials else "")
            raise Refused(
                "secrets",
                f"the secret {name}",
                f"it is not in {places}",
                f"`sudo install -m 600 -o pimgr /dev/stdin {self._folder / name}`, type it, Enter, Ctrl-D",
            ) from None

    def _read(self, path: Path, name: str, *, ours: bool) -> str:
        """The file's text; FileNotFoundError passes. `ours`: systemd guards its own folder, we guard this one."""

        def refused(fact: str, cure: str) -> Refused:
            return Refused("secrets", f"the secret {name}", f"{path} {fact}", cure)

        try:
            # O_NONBLOCK: a named pipe would wait for a writer for ever.
            file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise
        except PermissionError:
            raise refused("may not be read by this user", f"`sudo chown pimgr {path}`") from None
        except OSError as error:
            raise refused(f"can't be read ({error.strerror})", f"look at `ls -l {path}`") from None
        with _closing(file):
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise refused("is not a plain file", "write the secret into a file of that name")
            if ours and status.st_mode & 0o077:
                raise refused(f"is open to others (mode {status.st_mode & 0o777:04o})", f"`sudo chmod 600 {path}`")
            with os.fdopen(file, "rb", closefd=False) as opened:
                data = opened.read(_LIMIT + 1)
        if len(data) > _LIMIT:
            raise refused("is too large for a secret", "write only the secret into it")
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise refused("is not text (UTF-8)", "write it anew") from None
        text = text.removesuffix("\n").removesuffix("\r")
        if not text:
            raise refused("is empty", "write the secret into it")
        return text
