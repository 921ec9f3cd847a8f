"""Honeywell Total Connect Comfort thermostats, by way of Honeywell's portal: there is no local way to them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pimgr.api import Capability, Config, Connection, Context, DeviceType, Secret, hookimpl

PORTAL = "https://mytotalconnectcomfort.com"
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


class AccountConfig(Config):
    """`honeywell.account` in the config file.

    `username`, `password`: those of the portal. `thermostats`: a name of yours for each, with its id in the portal.
    `timezone`: of the thermostats, such as "America/Los_Angeles"; "" is that of this box. `base_url`: the portal.
    """

    username: str
    password: Secret
    thermostats: dict[str, int]
    timezone: str = ""
    base_url: str = PORTAL

    def __post_init__(self) -> None:
        if not self.username:
            raise ValueError("username: write the e-mail address of the portal's account")
        if not self.thermostats:
            raise ValueError("thermostats: write { hall = 1234567 }; the id stands in the portal's address line")
        for name, number in self.thermostats.items():
            if not _PART.fullmatch(name):
                raise ValueError(f"thermostats: {name!r} is no name (letters, digits, - and _, at most 32)")
            if not 0 < number < 1 << 53:
                raise ValueError(f"thermostats: {name} = {number} is no id")
        if len(set(self.thermostats.values())) < len(self.thermostats):
            raise ValueError("thermostats: two names have the same id")
        _zone(self.timezone)
        if not _safe(self.base_url):
            raise ValueError(f"base_url {self.base_url!r}: write https://HOST (http:// is for 127.0.0.1 only)")

    @property
    def zone(self) -> ZoneInfo | None:
        """The thermostats' time zone; None is that of this box."""
        return _zone(self.timezone)


def _zone(name: str) -> ZoneInfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(f'timezone {name!r}: write a name such as "America/Los_Angeles"') from None


def _safe(url: str) -> bool:
    """Whether it is https to a host, or stays within this box."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    if not parts.hostname or parts.path or parts.query or parts.fragment or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


def is_loopback(host: str) -> bool:
    """Whether it is an address of this box itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _provides(config: AccountConfig) -> Mapping[str, frozenset[Capability]]:
    return {name: frozenset({Capability.THERMOSTAT}) for name in config.thermostats}


def _open(config: AccountConfig, context: Context) -> AbstractAsyncContextManager[Connection]:
    from pimgr_honeywell.account import open_account  # brings aiohttp in: 0.3 s on a PC, so only once it is opened

    return open_account(config, context)


ACCOUNT = DeviceType(
    name="honeywell.account",
    summary="Thermostats of a Honeywell Total Connect Comfort account",
    config=AccountConfig,
    provides=_provides,
    open=_open,
    vendor_modules=("aiohttp", "aiosomecomfort"),
    cloud=True,
    poll_s={Capability.THERMOSTAT: 300.0},
    floor_s=60.0,
    budgets=("login", "password", "rest"),
)


@hookimpl
def pimgr_device_types() -> Sequence[DeviceType[Any]]:
    """The device types of this plugin."""
    return (ACCOUNT,)
