"""The newer dialect of Kasa and Tapo devices, "SMART": one method at a time, or several, behind a KLAP login.

Source: python-kasa 0.12 (`protocols/smartprotocol.py`, `smart/`) and its recorded replies `tests/fixtures/smart/
KP125M(US)_1.0_1.2.3.json` and `P300(EU)_1.0_1.0.13.json` (python-kasa/python-kasa, a29d0610). What such a device says
to the older dialect isn't known: here it answers by the code of an unknown method.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

_UNKNOWN = {"error_code": -1002}
_NOT_JSON = {"error_code": -1003}
_PARAMETERS = {"error_code": -1008}


class Relays(Protocol):
    """What a device switches, by part, and who it is."""

    device_id: str
    mac: str

    @property
    def parts(self) -> Sequence[str]: ...

    @property
    def metered(self) -> bool: ...

    @property
    def alias(self) -> str: ...

    def is_on(self, part: str) -> bool: ...

    def watts(self, part: str) -> float: ...

    def switch(self, part: str, on: bool, raw: str) -> None: ...

    def queried(self, what: str) -> None: ...


class SmartTalk:
    """One device's answers. `model`: what it calls itself."""

    def __init__(self, relays: Relays, model: str) -> None:
        self._relays, self._model = relays, model
        self._strip = list(relays.parts) != [""]

    def answer(self, request: bytes) -> bytes:
        """Do what a request asks, and say so."""
        try:
            asked = msgspec.json.decode(request, type=dict[str, Any])
        except msgspec.DecodeError:
            return msgspec.json.encode(_NOT_JSON)
        return msgspec.json.encode(self._said(asked, None))

    def _said(self, asked: Mapping[str, Any], part: str | None) -> dict[str, Any]:
        """The answer to one method; `part`: of a strip's outlet, None of the device itself."""
        method, given = str(asked.get("method")), asked.get("params")
        params: dict[str, Any] = given if isinstance(given, dict) else {}
        self._relays.queried(method)
        match method:
            case "multipleRequest":
                said = [{"method": each.get("method"), **self._said(each, part)} for each in params.get("requests", [])]
                return _fine({"responses": said})
            case "control_child" if self._strip and part is None:
                return self._child(params)
            case "set_device_info":
                return self._switched(params, part)
            case _:
                result = self._told(part).get(method)
                return _UNKNOWN if result is None else _fine(result)

    def _child(self, params: Mapping[str, Any]) -> dict[str, Any]:
        part = self._children().get(str(params.get("device_id")))
        wrapped = params.get("requestData")
        if part is None or not isinstance(wrapped, dict):
            return _PARAMETERS
        return _fine({"responseData": self._said(wrapped, part)})

    def _switched(self, params: Mapping[str, Any], part: str | None) -> dict[str, Any]:
        on = params.get("device_on")
        if not isinstance(on, bool) or (self._strip and part is None):
            return _PARAMETERS
        self._relays.switch(part or "", on, msgspec.json.encode(params).decode())
        return {"error_code": 0}

    def _told(self, part: str | None) -> dict[str, Any]:
        """What can be asked for, by method."""
        told: dict[str, Any] = {"get_device_info": self._info(part), "component_nego": self._components()}
        if self._strip and part is None:
            listed = [self._info(each) for each in reversed(self._relays.parts)]  # in no order that a person sees
            told["get_child_device_list"] = {"child_device_list": listed, "start_index": 0, "sum": len(listed)}
        elif self._relays.metered and not self._strip:
            milliwatts = round(self._relays.watts(part or "") * 1000)
            told["get_emeter_data"] = {"current_ma": 0, "energy_wh": 0, "power_mw": milliwatts, "voltage_mv": 120000}
            told["get_energy_usage"] = {"current_power": milliwatts, "today_energy": 0, "month_energy": 0}
        return told

    def _components(self) -> dict[str, Any]:
        known = {"device": 2, "firmware": 2, "time": 1}
        if self._strip:
            known |= {"control_child": 2, "child_device": 2}
        elif self._relays.metered:
            known |= {"energy_monitoring": 2}
        return {"component_list": [{"id": name, "ver_code": version} for name, version in known.items()]}

    def _info(self, part: str | None) -> dict[str, Any]:
        relays = self._relays
        info: dict[str, Any] = {
            "device_id": relays.device_id if part is None else self._child_id(part),
            "fw_ver": "1.2.3 Build 240624 Rel.154806",
            "hw_ver": "1.0",
            "mac": relays.mac.replace(":", "-"),
            "model": self._model,
            "nickname": b64encode(relays.alias.encode()).decode(),
            "rssi": -50,
            "type": "SMART.KASAPLUG",
        }
        if part is not None:
            info |= {"device_on": relays.is_on(part), "position": int(part), "slot_number": len(relays.parts)}
        elif not self._strip:
            info |= {"device_on": relays.is_on("")}
        return info

    def _children(self) -> dict[str, str]:
        return {self._child_id(part): part for part in self._relays.parts}

    def _child_id(self, part: str) -> str:
        return f"{self._relays.device_id}{int(part) - 1:02d}"


def _fine(result: Any) -> dict[str, Any]:
    return {"error_code": 0, "result": result}
