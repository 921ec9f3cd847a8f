"""A plug or strip as switched loads."""

# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from pimgr.api import (
    Context,
    DeviceError,
    Finding,
    Garbled,
    Instant,
    LoadReading,
    Parts,
    Severity,
    Unreachable,
    Unsupported,
)
from pimgr.units import Watts, finite_and_in_range
from pimgr_kasa import PlugConfig
from pimgr_kasa.dial import Dialler
from pimgr_kasa.errors import Wanted, as_device_error, gone, plain
from pimgr_kasa.loads import Loads
from pimgr_kasa.whereabouts import identity_of

_PATIENCE = 0.9
"""Share of the host's deadline after which we say ourselves what hung."""
_MOST_W = 25_000.0
_WEAK_DBM = -75
_KIND = re.compile("PLUG|SWITCH|^$")
"""IOT.SMARTPLUGSWITCH, SMART.KASASWITCH...; some old devices don't tell. A bulb has a relay too."""


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
        self._device: Loads | None = None
        self._turn = asyncio.Lock()
        self._closed = False
        self.parts: Parts = {key: Outlet(self, key) for key in config.keys}

    async def close(self) -> None:
        """Close the connection, and let a call that is under way leave none behind. Safe to repeat."""
        self._closed = True
        await self._hang_up()

    async def _hang_up(self) -> None:
        device, self._device = self._device, None
        if device is not None:
            await device.close()

    async def read(self, key: str) -> LoadReading:
        """Relay and watts of one outlet, from an update of this moment."""
        wanted = self._wanted(key, "its state", self._context.deadlines.read_s)
        async with self._call(wanted):
            device, at = await self._updated(wanted)
            await device.meter(key)
            on, power_w = _relay(device.relay(key), wanted), _watts(device.watts(key))
            return LoadReading(at=at, source="plug", on=on, power_w=power_w)

    async def switch(self, key: str, on: bool) -> None:
        """Ask for the relay of one outlet to be on or off, of a device that has just shown its id."""
        wanted = self._wanted(key, "on" if on else "off", self._context.deadlines.switch_s)
        async with self._call(wanted):
            device, _ = await self._updated(wanted)
            await device.switch(key, on)

    async def check(self) -> list[Finding]:
        """Reachable, the right device, the right number of outlets, the Wi-Fi's strength."""
        wanted = self._wanted("", "a look at it", self._context.deadlines.read_s)
        try:
            async with self._call(wanted):
                device, _ = await self._updated(wanted)
                for key in self._config.keys:
                    _relay(device.relay(key), wanted)
                info, alias = device.info, device.alias
        except DeviceError as error:
            return [Finding(severity=Severity.CRITICAL, text=str(error), cure=error.cure)]
        told = f"{str(info.get('model'))[:40]!r} called {alias[:60]!r} answers"
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
            async with asyncio.timeout(wanted.deadline_s), self._turn, self._hung_up_on_failure():
                yield
                await self._rest()
        except Exception as error:  # the library lets KeyError, TypeError and others escape on a strange answer
            if self._closed:
                fact = "its connection was closed meanwhile"
                raise Unreachable(wanted.part, wanted.wish, fact, "pimgr asks again") from None
            raise plain(as_device_error(wanted, error)) from None

    @asynccontextmanager
    async def _hung_up_on_failure(self) -> AsyncIterator[None]:
        """Only of the call whose turn it is: another one that gives up waiting cuts nobody off."""
        try:
            yield
        except BaseException:
            with suppress(Exception):
                await self._hang_up()
            raise

    async def _rest(self) -> None:
        """Close what is open; what the device told stays, and the library connects again by itself."""
        if self._device is not None:
            await self._device.rest()

    async def _updated(self, wanted: Wanted) -> tuple[Loads, Instant]:
        """The device after an update, proven to be the one that is meant, and the moment this was asked for."""
        at = self._context.now()
        device = self._device
        if device is not None:
            try:
                await device.update()
            except Exception as error:
                if not gone(as_device_error(wanted, error)):
                    raise
                await self._hang_up()  # it may speak another protocol by now, or have another address
            else:
                self._dialler.whereabouts.check(identity_of(device.info), wanted, wanted.where)
                return device, at
        return await self._connected(wanted), at

    async def _connected(self, wanted: Wanted) -> Loads:
        """The device, updated once."""
        device = await self._dialler.reach(wanted)
        try:
            self._check_kind(device, wanted)
            await device.update()
            self._check_outlets(device, wanted)
            if self._closed:
                raise ConnectionAbortedError
        except BaseException:
            await device.close()
            raise
        self._device = device
        return device

    def _check_kind(self, device: Loads, wanted: Wanted) -> None:
        """Raise Unsupported where it is nothing that is switched in a home: a bulb has a relay too."""
        kind = str(device.info.get("mic_type") or device.info.get("type") or "").upper()
        if not _KIND.search(kind):
            fact = f"it is no plug and no switch ({kind[:40]!r})"
            raise Unsupported(wanted.part, wanted.wish, fact, "use a Kasa plug, wall switch or strip")

    def _check_outlets(self, device: Loads, wanted: Wanted) -> None:
        """Raise Unsupported where the config says another number of outlets."""
        found, outlets = device.outlets, self._config.outlets
        if found < outlets or (found and not outlets):
            fact = f"it is a strip with {found} outlets" if found else "it is no strip"
            raise Unsupported(wanted.part, wanted.wish, fact, f"set outlets = {found} in the config")


class Outlet:
    """One relay: the plug itself, or an outlet of a strip."""

    def __init__(self, plug: Plug, key: str) -> None:
        self._plug, self._key = plug, key

    async def read_load(self) -> LoadReading:
        return await self._plug.read(self._key)

    async def switch(self, on: bool) -> None:
        await self._plug.switch(self._key, on)


def _relay(raw: object, wanted: Wanted) -> bool:
    """The relay as the device told it; the library would take the text "0" for on."""
    if raw not in (0, 1):
        raise Garbled(wanted.part, wanted.wish, f"it told {str(raw)[:40]!r} as its state", "restart the plug")
    return bool(raw)


def _watts(value: object) -> Watts | None:
    """W drawn; None where it isn't metered, or the figure is nonsense."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not finite_and_in_range(value, 0.0, _MOST_W):
        return None
    return Watts(float(value))
