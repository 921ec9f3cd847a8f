"""The config: TOML to frozen structs, every error at once; secrets by reference. See docs/config.md."""

from __future__ import annotations

from pimgr.config.connections import (
    ConnectionConfig,
    Unavailable,
    Unopenable,
    connection_from_origin,
    typed,
)
from pimgr.config.errors import ConfigError, ConfigErrors
from pimgr.config.files import LAST_VALID, check, keep_valid, load, load_or_last_valid, plugins_named, read
from pimgr.config.house import HouseConfig, examine, parse
from pimgr.config.secrets import Secrets

__all__ = [
    "LAST_VALID",
    "ConfigError",
    "ConfigErrors",
    "ConnectionConfig",
    "HouseConfig",
    "Secrets",
    "Unavailable",
    "Unopenable",
    "check",
    "connection_from_origin",
    "examine",
    "keep_valid",
    "load",
    "load_or_last_valid",
    "parse",
    "plugins_named",
    "read",
    "typed",
]
