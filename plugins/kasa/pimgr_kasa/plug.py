"""A plug or strip as switched loads."""

# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from kasa import Module
from kasa.iot import IotDevice, IotPlug, IotStrip

from pimgr.api import Context, DeviceError, Finding, Garbled, Instant, LoadReading, Parts, Severity, Unsupported
from pimgr.units import Watts, finite_and_in_range
from pimgr_kasa import PlugConfig
from pimgr_kasa.dial import Dialler
from pimgr_kasa.errors import Wanted, as_device_error, gone, plain
from pimgr_kasa.whereabouts import identity_of
from pimgr_kasa.wire import OnceProtocol

_PATIENCE = 0.9
"""Share of the host's deadline after which we say ourselves what hung."""
_MOST_W = 25_000.0
_WEAK_DBM = -75


@asynccontextmanager
async def open_plug(config: PlugConfig, context: Context) -> AsyncIterator[Plug]:
    """A plug or strip that connects with its first call."""
    plug = Plug(config, context)
    try:
        yield plug
    finally:
        await plug.close()


class Plug:
    """One device. Each call has a connection of its own: plugs and access points restart in an outage, and a connection
    that is only half there would hang."""

    def __init__(self, config: PlugConfig, context: Context) -> None:
        self._config, self._context = config, context
        self._dialler = Dialler(config, context)
        self._device: IotDevice | None = None
        self._turn = asyncio.Lock()
        self.parts: Parts = {key: Outlet(self, key) for key in config.keys}

    async def close(self) -> None:
        """Close the connection. Safe to repeat."""
        device, self._device = self._device, None
        if device is not None:
            await device.disconnect()

    async def read(self, key: str) -> LoadReading:
        """Relay and watts of one outlet, from an update of this moment."""
        wanted = self._wanted(key, "its state", self._context.deadlines.read_s)
        async with self._call(wanted):
            device, at = await self._updated(wanted)
            outlet = self._outlet(device, key, wanted)
            if key and outlet.has_emeter:
                await outlet.update()
            return LoadReading(at=at, source="plug", on=_relay(device, outlet, wanted), power_w=_watts(outlet))

    async def switch(self, key: str, on: bool) -> None:
        """Ask for the relay of one outlet to be on or off, of a device that has just shown its id."""
        wanted = self._wanted(key, "on" if on else "off", self._context.deadlines.switch_s)
        async with self._call(wanted):
            device, _ = await self._updated(wanted)
            outlet = self._outlet(device, key, wanted)
            await (outlet.turn_on() if on else outlet.turn_off())

    async def check(self) -> list[Finding]:
        """Reachable, the right device, the right number of outlets, the Wi-Fi's strength."""
        wanted = self._wanted("", "a look at it", self._context.deadlines.read_s)
        try:
            async with self._call(wanted):
                device, _ = await self._updated(wanted)
                for key in self._config.keys:
                    _relay(device, self._outlet(device, key, wanted), wanted)
                info = dict(device.sys_info)
        except DeviceError as error:
            return [Finding(severity=Severity.CRITICAL, text=str(error), cure=error.cure)]
        told = f"{str(info.get('model'))[:40]!r} called {str(info.get('alias'))[:60]!r} answers"
        pin = f'to be sure of it for ever, add device_id = "{identity_of(info).device_id}"'
        findings = [Finding(severity=Severity.INFO, text=told, cure="" if self._config.device_id else pin)]
        rssi = info.get("rssi")
        if isinstance(rssi, int) and rssi < _WEAK_DBM:
            weak, nearer = f"its Wi-Fi is weak ({rssi} dBm)", "bring an access point nearer"
            findings.append(Finding(severity=Severity.WARNING, text=weak, cure=nearer))
        return findings

    # ------------------------------------------------------------------------------------------------------ inside

    def _wanted(self, key: str, wish: str, deadline_s: float) -> Wanted:
        name, config = self._context.connection, self._config
        where = self._dialler.whereabouts.addresses[0]
        if config.protocol != "auto":
            where = f"{where}:{config.port if config.protocol == 'legacy' else config.klap_port}"
        patience_s = deadline_s * _PATIENCE
        return Wanted(
            part=f"{name}/{key}" if key else name,
            wish=wish,
            where=where,
            deadline_s=patience_s,
            ends_s=asyncio.get_running_loop().time() + patience_s,
            login=config.username is not None,
        )

    @asynccontextmanager
    async def _call(self, wanted: Wanted) -> AsyncIterator[None]:
        """A deadline around one call, the four errors from whatever happens, and a closed connection after it."""
        try:
            async with asyncio.timeout(wanted.deadline_s), self._turn:
                yield
                await self._rest()
        except asyncio.CancelledError:
            await self.close()
            raise
        except Exception as error:  # the library lets KeyError, TypeError and others escape on a strange answer
            with suppress(Exception):
                await self.close()
            raise plain(as_device_error(wanted, error)) from None

    async def _rest(self) -> None:
        """Close what is open; what the device told stays, and the library connects again by itself."""
        if self._device is not None and isinstance(self._device.protocol, OnceProtocol):
            await self._device.protocol.rest()

    async def _updated(self, wanted: Wanted) -> tuple[IotDevice, Instant]:
        """The device after an update, proven to be the one that is meant, and the moment this was asked for."""
        at = self._context.now()
        device = self._device
        if device is not None:
            try:
                await device.update(update_children=False)
            except Exception as error:
                if not gone(as_device_error(wanted, error)):
                    raise
                await self.close()  # it may speak another protocol by now, or have another address
            else:
                self._dialler.whereabouts.check(identity_of(device.sys_info), wanted, wanted.where)
                return device, at
        return await self._connected(wanted), at

    async def _connected(self, wanted: Wanted) -> IotDevice:
        """The library's device, updated once."""
        greeting = await self._dialler.reach(wanted)
        try:
            self._check_kind(greeting.info, wanted)
            device: IotDevice = (IotStrip if self._config.outlets else IotPlug)(
                greeting.host, protocol=greeting.protocol
            )
            device.update_from_discover_info({"system": {"get_sysinfo": greeting.info}})
            await device.update()
        except BaseException:
            await greeting.protocol.close()
            raise
        self._device = device
        return device

    def _check_kind(self, info: dict[str, Any], wanted: Wanted) -> None:
        """Raise Unsupported where the device isn't what the config says: a strip, or a plug."""
        children, outlets = info.get("children"), self._config.outlets
        found = len(children) if isinstance(children, list) else 0
        if found < outlets or (found and not outlets):
            fact = f"it is a strip with {found} outlets" if found else "it is no strip"
            raise Unsupported(wanted.part, wanted.wish, fact, f"set outlets = {found} in the config")
        if not found and "relay_state" not in info:
            raise Unsupported(wanted.part, wanted.wish, "it is no plug and no switch", "use a Kasa plug or switch")

    def _outlet(self, device: IotDevice, key: str, wanted: Wanted) -> IotDevice:
        if not key:
            return device
        children = device.children
        if int(key) > len(children):
            cure = f"set outlets = {len(children)} in the config"
            raise Unsupported(wanted.part, wanted.wish, f"it has {len(children)} outlets", cure)
        return children[int(key) - 1]


class Outlet:
    """One relay: the plug itself, or an outlet of a strip."""

    def __init__(self, plug: Plug, key: str) -> None:
        self._plug, self._key = plug, key

    async def read_load(self) -> LoadReading:
        return await self._plug.read(self._key)

    async def switch(self, on: bool) -> None:
        await self._plug.switch(self._key, on)


def _relay(device: IotDevice, outlet: IotDevice, wanted: Wanted) -> bool:
    """The relay as the device told it; the library would take the text "0" for on."""
    if outlet is device:
        raw = device.sys_info.get("relay_state")
    else:
        child = getattr(outlet, "child_id", None)
        raw = next((each.get("state") for each in device.sys_info["children"] if each.get("id") == child), None)
    if raw not in (0, 1):
        raise Garbled(wanted.part, wanted.wish, f"it told {str(raw)[:40]!r} as its state", "restart the plug")
    return bool(raw)


def _watts(outlet: IotDevice) -> Watts | None:
    """W drawn; None where it isn't metered, or the figure is nonsense."""
    if not outlet.has_emeter or (energy := outlet.modules.get(Module.Energy)) is None:
        return None
    value = energy.current_consumption
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not finite_and_in_range(value, 0.0, _MOST_W):
        return None
    return Watts(float(value))
