"""Getting through to a device: in the protocol that it speaks today, at the address that it has today.

The protocol that worked last is asked first, and after it the other: a firmware that changed it overnight costs some
time once, and not the plug. All within the call's deadline.
"""

# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import Any

from kasa import Credentials, DeviceConfig

from pimgr.api import Context, DeviceError, Unreachable
from pimgr_kasa import PlugConfig
from pimgr_kasa.errors import AnotherDevice, Wanted, as_device_error, most_telling
from pimgr_kasa.loads import IotLoads, Loads, SmartLoads, smart_info
from pimgr_kasa.whereabouts import Whereabouts, identity_of
from pimgr_kasa.wire import KlapProtocol, Spoken, numeric_address, protocol_for

_SYSINFO: dict[str, Any] = {"system": {"get_sysinfo": {}}}
_FIRST = 0.75
"""Share of the time that is left for the first of two ways, so that the second has a chance where it only hangs."""
_BEFORE_SEARCH = 0.7
_SEARCH = 0.4
_LONGEST_SEARCH_S = 1.0


class Dialler:
    """Gets through to one device."""

    def __init__(self, config: PlugConfig, context: Context) -> None:
        self._config, self._context = config, context
        self.whereabouts = Whereabouts(config, context)

    async def reach(self, wanted: Wanted) -> Loads:
        """The device, proven to be the one that is meant. Raises the most telling of what went wrong."""
        places, searching = self.whereabouts.addresses, self.whereabouts.may_search()
        failures: list[DeviceError] = []
        for number, address in enumerate(places, 1):
            left_s = wanted.left_s() * (_BEFORE_SEARCH if searching else 1.0)
            try:
                return await self._at(address, wanted, left_s if number == len(places) else left_s * _FIRST)
            except DeviceError as error:
                failures.append(error)
        here = failures[-1]
        if searching and isinstance(here, AnotherDevice | Unreachable):
            found = await self._elsewhere(wanted)
            if found is not None:
                return found
        raise here

    async def _elsewhere(self, wanted: Wanted) -> Loads | None:
        within_s = min(_LONGEST_SEARCH_S, wanted.left_s() * _SEARCH)
        async with aclosing(self.whereabouts.search(within_s)) as addresses:
            async for address in addresses:
                with suppress(DeviceError):
                    return await self._at(address, wanted, wanted.left_s())
        return None

    async def _at(self, address: str, wanted: Wanted, within_s: float) -> Loads:
        """The device at one address."""
        ends_s = asyncio.get_running_loop().time() + within_s
        try:
            async with asyncio.timeout(within_s):
                host = await numeric_address(self._context, address)
        except Exception as error:
            raise as_device_error(wanted, error) from None
        loads = await self._greeted(host, wanted, ends_s)
        found = identity_of(loads.info)
        try:
            self.whereabouts.check(found, wanted, address)
            await self.whereabouts.saw(found, address)
        except BaseException:
            await loads.close()
            raise
        return loads

    # ---------------------------------------------------------------------------------------------- in what protocol

    async def _greeted(self, host: str, wanted: Wanted, ends_s: float) -> Loads:
        ways, failures = self._ways(), list[DeviceError]()
        for number, way in enumerate(ways, 1):
            left_s = max(0.0, ends_s - asyncio.get_running_loop().time())
            try:
                async with asyncio.timeout(left_s if number == len(ways) else left_s * _FIRST):
                    return await self._by(way, host, wanted)
            except Exception as error:  # the library lets KeyError, TypeError and others escape on a strange answer
                failures.append(as_device_error(wanted, error))
        raise most_telling(failures)

    async def _by(self, spoken: Spoken, host: str, wanted: Wanted) -> Loads:
        protocol = protocol_for(spoken, self._settings(host, spoken, wanted))
        try:
            answer = await protocol.query(_SYSINFO)
            if isinstance(protocol, KlapProtocol) and "system" not in answer:
                loads: Loads = SmartLoads(protocol, await smart_info(protocol))
            else:
                loads = IotLoads(protocol, host, answer["system"]["get_sysinfo"])
            if self._last is not spoken:
                await self._context.store.put("spoken", spoken.value)
        except BaseException:
            await protocol.close()
            raise
        return loads

    def _ways(self) -> list[Spoken]:
        match self._config.protocol:
            case "legacy":
                return [Spoken.LEGACY]
            case "klap":
                return [Spoken.KLAP]
            case _:
                return sorted(Spoken, key=lambda each: each is not self._last)

    @property
    def _last(self) -> Spoken | None:
        """What it spoke when it was last reached."""
        kept = self._context.store.get("spoken")
        return Spoken(kept) if kept in list(Spoken) else None

    def _settings(self, host: str, spoken: Spoken, wanted: Wanted) -> DeviceConfig:
        config = self._config
        credentials = Credentials()
        if config.username is not None and config.password is not None:
            secret = self._context.secret
            credentials = Credentials(username=secret(config.username), password=secret(config.password))
        port = config.port if spoken is Spoken.LEGACY else config.klap_port
        return DeviceConfig(host, timeout=int(wanted.deadline_s) + 1, port_override=port, credentials=credentials)
