"""TP-Link Kasa plugs and power strips, spoken to on the home network, without the internet."""

# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

from pimgr.api import Capability, Config, Connection, Context, DeviceType, Found, Secret, hookimpl

MOST_OUTLETS = 16


class PlugConfig(Config):
    """`kasa.plug` in the config file.

    `outlets`: 0 for a plug or wall switch, 6 for a strip of six, whose parts are then "1" to "6".
    `protocol`: "legacy" (`port`), "klap" (`klap_port`), or "auto": what worked last, then the other.
    `username`, `password`: of the TP-Link account, as the device was set up; the legacy protocol needs none.
    `device_id`: the one device that is believed and switched; left out, it is the first one seen at the address.
    `follow`: whether it is looked for on the network where it doesn't answer at its address.
    """

    address: str
    port: int = 9999
    klap_port: int = 80
    outlets: int = 0
    protocol: Literal["auto", "legacy", "klap"] = "auto"
    username: Secret | None = None
    password: Secret | None = None
    device_id: str | None = None
    follow: bool = True

    def __post_init__(self) -> None:
        if not self.address or any(character in self.address for character in "/:@ "):
            raise ValueError(f'address {self.address!r}: write "192.0.2.14"; a port has its own key')
        for name, port in (("port", self.port), ("klap_port", self.klap_port)):
            if not 1 <= port <= 65535:
                raise ValueError(f"{name} {port}: 1 to 65535")
        if not 0 <= self.outlets <= MOST_OUTLETS:
            raise ValueError(f"outlets {self.outlets}: 0 for a plug, else 1 to {MOST_OUTLETS}")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password: give both or neither")
        if self.device_id is not None and not self.device_id.strip():
            raise ValueError("device_id: write the id that `pimgr check --connect` tells, or leave it out")

    @property
    def keys(self) -> tuple[str, ...]:
        """The parts' keys: "" for a plug, "1", "2"... for a strip."""
        return tuple(str(number) for number in range(1, self.outlets + 1)) or ("",)


def _provides(config: PlugConfig) -> Mapping[str, frozenset[Capability]]:
    return dict.fromkeys(config.keys, frozenset({Capability.LOAD}))


def _open(config: PlugConfig, context: Context) -> AbstractAsyncContextManager[Connection]:
    from pimgr_kasa.plug import open_plug  # brings python-kasa in: 0.4 s on a PC, so only once it is opened

    return open_plug(config, context)


def _discover(context: Context) -> AsyncIterator[Found]:
    from pimgr_kasa.discovery import found_devices

    return found_devices(context)


PLUG = DeviceType(
    name="kasa.plug",
    summary="TP-Link Kasa plug, wall switch or power strip on the home network",
    config=PlugConfig,
    provides=_provides,
    open=_open,
    vendor_modules=("kasa",),
    discover=_discover,
)


@hookimpl
def pimgr_device_types() -> Sequence[DeviceType[Any]]:
    """The device types of this plugin."""
    return (PLUG,)
