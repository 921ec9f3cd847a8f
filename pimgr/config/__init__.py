"""The config: TOML to frozen structs, every error at once; secrets by reference. See docs/config.md."""

from __future__ import annotations

from pimgr.config.connections import (
    ConnectionConfig,
    Unavailable,
    connection_from_origin,
    typed,
)
from pimgr.config.errors import ConfigError, ConfigErrors
from pimgr.config.files import LAST_VALID, check, keep_valid, load, load_or_last_valid, read, types_named
from pimgr.config.house import HouseConfig, examine, parse
from pimgr.config.secrets import Secrets, secrets_folder

__all__ = [
    "LAST_VALID",
    "ConfigError",
    "ConfigErrors",
    "ConnectionConfig",
    "HouseConfig",
    "Secrets",
    "Unavailable",
    "check",
    "connection_from_origin",
    "examine",
    "keep_valid",
    "load",
    "load_or_last_valid",
    "parse",
    "read",
    "secrets_folder",
    "typed",
    "types_named",
]
