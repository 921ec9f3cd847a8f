"""What a device switches, in either of the two dialects: "IOT" of the Kasa plugs, "SMART" of newer hardware and Tapo.

Both come from python-kasa: the IOT device with its modules; of SMART the protocol only, since the library's device asks
twenty things that a plug needn't tell, and hides where one of them failed.
"""

# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from base64 import b64decode
from typing import Any, Protocol

from kasa import Module
from kasa.exceptions import _RetryableError
from kasa.iot import IotDevice, IotPlug, IotStrip
from kasa.protocols import SmartProtocol
from kasa.protocols.smartprotocol import _ChildProtocolWrapper

from pimgr_kasa.wire import KlapProtocol, OnceProtocol

MILLI = 0.001


class Loads(Protocol):
    """A device with one relay, whose key is "", or several, from "1" on in the order of the app."""

    @property
    def info(self) -> dict[str, Any]:
        """What it told of itself."""

    @property
    def outlets(self) -> int:
        """0 for a plug, else how many a strip has."""

    @property
    def alias(self) -> str: ...

    async def update(self) -> None:
        """Ask for its state."""

    async def meter(self, key: str) -> None:
        """Ask for the watts of one outlet, where that isn't part of an update."""

    def relay(self, key: str) -> object:
        """The relay as it was told: 0, 1, False or True from a device that is well."""

    def watts(self, key: str) -> object:
        """W as they were told; None where they aren't metered."""

    async def switch(self, key: str, on: bool) -> None: ...

    async def rest(self) -> None:
        """Between two calls."""

    async def close(self) -> None: ...


class IotLoads:
    """A device of the older dialect. `info`: its sysinfo."""

    def __init__(self, protocol: OnceProtocol, host: str, info: dict[str, Any]) -> None:
        kind = IotStrip if info.get("children") else IotPlug
        self._protocol = protocol
        self._device: IotDevice = kind(host, protocol=protocol)
        self._device.update_from_discover_info({"system": {"get_sysinfo": info}})
        self._known = False

    @property
    def info(self) -> dict[str, Any]:
        return dict(self._device.sys_info)

    @property
    def outlets(self) -> int:
        children = self.info.get("children")
        return len(children) if isinstance(children, list) else 0

    @property
    def alias(self) -> str:
        return str(self.info.get("alias"))

    async def update(self) -> None:
        device = self._device
        await device.update(update_children=not self._known)
        self._known = True

    async def meter(self, key: str) -> None:
        outlet = self._outlet(key)
        if key and outlet.has_emeter:
            await outlet.update()

    def relay(self, key: str) -> object:
        if not key:
            return self.info.get("relay_state")
        child = getattr(self._outlet(key), "child_id", None)
        return next((each.get("state") for each in self.info["children"] if each.get("id") == child), None)

    def watts(self, key: str) -> object:
        outlet = self._outlet(key)
        if not outlet.has_emeter or (energy := outlet.modules.get(Module.Energy)) is None:
            return None
        return energy.current_consumption

    async def switch(self, key: str, on: bool) -> None:
        outlet = self._outlet(key)
        await (outlet.turn_on() if on else outlet.turn_off())

    async def rest(self) -> None:
        await self._protocol.rest()

    async def close(self) -> None:
        await self._device.disconnect()

    def _outlet(self, key: str) -> IotDevice:
        return self._device.children[int(key) - 1] if key else self._device


class SmartOnce(SmartProtocol):
    """The library's protocol for SMART on a login that is there already, trying once."""

    async def query(self, request: str | dict[str, Any], retry_count: int = 0) -> dict[str, Any]:
        try:
            return await self._once(request)
        except _RetryableError:  # the session is over, and forgotten
            return await self._once(request)

    async def _once(self, request: str | dict[str, Any]) -> dict[str, Any]:
        return await super().query(request, 0)


class SmartLoads:
    """A device of the newer dialect. `info`: its get_device_info.

    Source of the methods: python-kasa 0.12, `smart/smartdevice.py`, `smart/modules/energy.py`. Outlets are numbered by
    the "position" that they tell. The watts of a strip's outlets aren't asked for.
    """

    def __init__(self, below: KlapProtocol, info: dict[str, Any]) -> None:
        self._below = below
        self._protocol = SmartOnce(transport=below._transport)
        self.info = info
        self._components: dict[str, int] | None = None
        self._children: list[dict[str, Any]] = []
        self._milliwatts: object = None

    @property
    def outlets(self) -> int:
        return len(self._children)

    @property
    def alias(self) -> str:
        return b64decode(str(self.info.get("nickname", ""))).decode(errors="replace")

    async def update(self) -> None:
        if self._components is None:
            listed = (await self._protocol.query("component_nego"))["component_nego"]["component_list"]
            self._components = {str(each["id"]): int(each["ver_code"]) for each in listed}
        self.info = (await self._protocol.query("get_device_info"))["get_device_info"]
        if "child_device" in self._components:
            told = (await self._protocol.query("get_child_device_list"))["get_child_device_list"]
            self._children = sorted(told["child_device_list"], key=lambda each: int(each["position"]))

    async def meter(self, key: str) -> None:
        version = (self._components or {}).get("energy_monitoring", 0)
        if key or not version:
            return
        method, field = ("get_emeter_data", "power_mw") if version > 1 else ("get_energy_usage", "current_power")
        self._milliwatts = (await self._protocol.query(method))[method].get(field)

    def relay(self, key: str) -> object:
        return self._children[int(key) - 1].get("device_on") if key else self.info.get("device_on")

    def watts(self, key: str) -> object:
        told = self._milliwatts
        return told * MILLI if not key and isinstance(told, int | float) else None

    async def switch(self, key: str, on: bool) -> None:
        protocol: SmartProtocol = self._protocol
        if key:
            protocol = _ChildProtocolWrapper(str(self._children[int(key) - 1]["device_id"]), self._protocol)
        await protocol.query({"set_device_info": {"device_on": on}})

    async def rest(self) -> None:
        await self._below.rest()

    async def close(self) -> None:
        await self._below.close()


async def smart_info(below: KlapProtocol) -> dict[str, Any]:
    """What a device of the newer dialect tells of itself. Raises what the library raises where it is none."""
    info = (await SmartOnce(transport=below._transport).query("get_device_info"))["get_device_info"]
    if not isinstance(info, dict) or "device_id" not in info:
        raise ValueError("no device information")
    return info
