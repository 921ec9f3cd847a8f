"""go-e chargers on the home network: a load that is graded, in amperes, rather than switched."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from pimgr.api import Capability, Config, Connection, Context, DeviceType, hookimpl


class ChargerConfig(Config):
    """`ev-charger.go-e` in the config file. Its local HTTP API (v2) must be switched on in the maker's app.

    `serial`: given, another charger at this address is neither believed nor told anything.
    """

    address: str
    port: int = 80
    serial: str | None = None

    def __post_init__(self) -> None:
        try:
            ipaddress.ip_address(self.address)
        except ValueError:
            raise ValueError(f'address {self.address!r}: an IP address such as "192.0.2.14"') from None
        if not 1 <= self.port <= 65535:
            raise ValueError(f"port {self.port}: 1 to 65535")


def _provides(config: ChargerConfig) -> Mapping[str, frozenset[Capability]]:
    return {"": frozenset({Capability.GRADED_LOAD})}


def _open(config: ChargerConfig, context: Context) -> AbstractAsyncContextManager[Connection]:
    from pimgr_ev_charger.charger import open_charger

    return open_charger(config, context)


CHARGER = DeviceType(
    name="ev-charger.go-e",
    summary="go-e charger (Gemini, HOME+ V3 and newer): the current that a car may draw",
    config=ChargerConfig,
    provides=_provides,
    open=_open,
    floor_s=5.0,  # the maker recommends 5 s between two questions (API v1, "Rate Limiting")
)


@hookimpl
def pimgr_device_types() -> Sequence[DeviceType[Any]]:
    """The device types of this plugin."""
    return (CHARGER,)
