"""The Tesla Powerwall: its gateway on the home network (Powerwall 2, Powerwall+), and Tesla's cloud (all of them)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import urlsplit

from pimgr.api import (
    Capability,
    Config,
    Connection,
    Context,
    DeviceType,
    Secret,
    hookimpl,
)
from pimgr.units import WattHours, finite_and_in_range
from pimgr_powerwall.cloud import CLOUD

_FINGERPRINT = re.compile(r"sha256:([0-9a-f]{2}:?){31}[0-9a-f]{2}", re.IGNORECASE)


class GatewayConfig(Config):
    """`powerwall.gateway` in the config file.

    `address`: "192.0.2.10" or "192.0.2.10:443". `password`: the gateway's own customer password, not Tesla's.
    `fingerprint`: "sha256:HEX" of its certificate; absent, the first one seen is remembered.
    `capacity_wh`: usable energy of a full battery; absent, the gateway's own figure.
    """

    address: str
    password: Secret
    email: str = ""
    fingerprint: str | None = None
    capacity_wh: float | None = None

    def __post_init__(self) -> None:
        if _host_of(self.address) is None:
            raise ValueError(f'address {self.address!r}: write "192.0.2.10" or "192.0.2.10:443"')
        if self.fingerprint is not None and not _FINGERPRINT.fullmatch(self.fingerprint):
            raise ValueError("fingerprint: write sha256: and 64 hexadecimal digits (openssl x509 -fingerprint -sha256)")
        if self.capacity_wh is not None and not finite_and_in_range(self.capacity_wh, 100.0, 1e6):
            raise ValueError(f"capacity_wh {self.capacity_wh}: write Wh, such as 13500 for one Powerwall 2")

    @property
    def host(self) -> str:
        """The name or IP address alone."""
        return _host_of(self.address) or ""

    @property
    def port(self) -> int:
        return urlsplit(f"//{self.address}").port or 443

    @property
    def capacity(self) -> WattHours | None:
        return None if self.capacity_wh is None else WattHours(self.capacity_wh)


def _host_of(address: str) -> str | None:
    try:
        parts = urlsplit(f"//{address}")
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname if address and not re.search(r"[\s/@?#\\]", address) else None


def _provides(_: GatewayConfig) -> Mapping[str, frozenset[Capability]]:
    return {"": frozenset({Capability.GRID_SOURCE, Capability.SITE_METER})}


def _open(config: GatewayConfig, context: Context) -> AbstractAsyncContextManager[Connection]:
    from pimgr_powerwall.gateway import open_gateway  # brings aiohttp in: 0.3 s on a PC, so only once it is opened

    return open_gateway(config, context)


GATEWAY = DeviceType(
    name="powerwall.gateway",
    summary="Powerwall 2 or Powerwall+ through its gateway on the home network",
    config=GatewayConfig,
    provides=_provides,
    open=_open,
    vendor_modules=("aiohttp", "tesla_powerwall"),
    budgets=("rest",),
)


@hookimpl
def pimgr_device_types() -> Sequence[DeviceType[Any]]:
    """The device types of this plugin."""
    return (GATEWAY, CLOUD)
