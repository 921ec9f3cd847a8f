"""Where pimgr's folders are, unless the command line says otherwise."""

from __future__ import annotations

import os
from pathlib import Path

CONFIG = Path("/etc/pimgr/pimgr.toml")


def _folder(variables: tuple[str, ...], otherwise: str) -> Path:
    for variable in variables:
        value = os.environ.get(variable, "").partition(":")[0]  # systemd gives several, with colons between
        if value:
            return Path(value)
    return Path(otherwise)


def state() -> Path:
    """The journal's folder: $PIMGR_STATE, else systemd's $STATE_DIRECTORY, else /var/lib/pimgr."""
    return _folder(("PIMGR_STATE", "STATE_DIRECTORY"), "/var/lib/pimgr")


def run() -> Path:
    """The folder of snapshot and socket: $PIMGR_RUN, else systemd's $RUNTIME_DIRECTORY, else /run/pimgr."""
    return _folder(("PIMGR_RUN", "RUNTIME_DIRECTORY"), "/run/pimgr")
