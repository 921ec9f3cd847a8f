"""A Kasa plug or strip as its local clients see it: JSON under an autokey XOR, or behind a KLAP login, and on UDP.

Source: python-kasa 0.12 (`transports/xortransport.py`, `iot/`), whose update() asks for system, emeter, schedule, time,
cnCloud, anti_theft and countdown in one go. Power is metered in mW and mA, as by an HS110 v4 and an HS300. That the
JSON behind KLAP is the same, with either version of the login: python-kasa#1648 and #1740, read.
"""

from __future__ import annotations

import operator
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from hashlib import sha256
from itertools import accumulate
from typing import Annotated, Any, Literal

import h11
import msgspec
from msgspec import Meta

from pimgr.house.faults import OVERSIZE_BYTES, Line
from pimgr.house.house import House
from pimgr.house.http import Answer, serve_http
from pimgr.house.kinds import DeviceSpec, LoadSpec, Power, Seconds, ServerKind
from pimgr.house.klap import DEFAULT_ACCOUNT, Klap, KlapDoor
from pimgr.house.klap_found import answering_who_is_there, probe_answer
from pimgr.house.klap_smart import SmartTalk
from pimgr.house.spec import part_name

KEY = 171
VOLTAGE = 120.0
REQUEST_LIMIT = 64 * 1024
_NO_MODULE = {"err_code": -1, "err_msg": "module not support"}
_NO_MEMBER = {"err_code": -2, "err_msg": "member not support"}
_NO_CHILD = {"err_code": -14, "err_msg": "entry not exist"}


def scrambled(plain: bytes) -> bytes:
    """As it goes over the wire: each byte under the one before it, the first under 171."""
    return bytes(accumulate(plain, operator.xor, initial=KEY))[1:]


def unscrambled(wire: bytes) -> bytes:
    """The text again."""
    return bytes(byte ^ key for byte, key in zip(wire, bytes([KEY]) + wire, strict=False))


class KasaSpec(DeviceSpec, kw_only=True):
    """A plug, or with `outlets` a strip whose parts are "1", "2"... `watts`: one figure, or one for each outlet.

    `metered`: whether it tells W. `discovery`: whether it also answers UDP on the same port number, asked directly or
    by the loopback's broadcast address. `protocol`: what it speaks on TCP; with KLAP, `username` and `password` are
    those of the account that it belongs to (left out: of none yet), and `session_s` is how long a login lasts.
    `dialect`: what it speaks behind the login, "smart" for newer hardware.
    """

    protocol: Literal["legacy", "klap1", "klap2"] = "legacy"
    dialect: Literal["iot", "smart"] = "iot"
    username: str = DEFAULT_ACCOUNT[0]
    password: str = DEFAULT_ACCOUNT[1]
    session_s: Seconds = 86400.0

    alias: str = ""
    outlets: Annotated[int, Meta(ge=0, le=16)] = 0
    watts: Power | tuple[Power, ...] = 100.0
    on: bool | tuple[bool, ...] = True
    metered: bool = True
    device_id: str = ""
    mac: str = ""
    discovery: bool = False

    def __post_init__(self) -> None:
        for name in ("watts", "on"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != max(1, self.outlets):
                raise ValueError(f"{name}: {len(value)} values for {max(1, self.outlets)} outlets")
        if self.dialect == "smart" and self.protocol != "klap2":
            raise ValueError("dialect: smart is spoken behind klap2 only")


def loads(spec: KasaSpec) -> Mapping[str, LoadSpec]:
    """What it switches."""
    parts = [str(number) for number in range(1, spec.outlets + 1)] or [""]
    watts = spec.watts if isinstance(spec.watts, tuple) else (spec.watts,) * len(parts)
    on = spec.on if isinstance(spec.on, tuple) else (spec.on,) * len(parts)
    return {part: LoadSpec(each_watts, each_on) for part, each_watts, each_on in zip(parts, watts, on, strict=True)}


class Plug:
    """One plug's or strip's server."""

    def __init__(self, spec: KasaSpec, house: House) -> None:
        self.spec = spec
        self._house = house
        known = sha256(spec.id.encode()).hexdigest().upper()
        self.device_id = spec.device_id or known[:40]
        self.mac = spec.mac or ":".join(known[i : i + 2] for i in range(0, 12, 2))
        parts = loads(spec)
        self._parts = {f"{self.device_id}{number:02d}": part for number, part in enumerate(parts)}
        self.alias = spec.alias or spec.id
        self.refuses = 0  # an HTTP status for everything: 403 is its switch for third parties off
        self.door: KlapDoor | None = None
        if spec.protocol != "legacy":
            talk = (
                SmartTalk(self, "P300" if self._strip else "KP125M").answer if spec.dialect == "smart" else self.answer
            )
            self.door = KlapDoor(Klap(spec.protocol), talk, house.real_s)
            self.door.session_s = spec.session_s
            self.door.note = lambda what, value: house.wire.note(spec.id, "", what, value)
            self.door.belong_to(spec.username, spec.password)

    def new_identity(self) -> None:
        """From now on it is another device, at the same address."""
        known = sha256(self.device_id.encode()).hexdigest().upper()
        self.device_id, self.mac = known[:40], ":".join(known[i : i + 2] for i in range(0, 12, 2))

    async def serve(self, line: Line) -> None:
        """One connection, in the protocol that it speaks."""
        if self.door is None:
            await self._serve_legacy(line)
        else:
            await serve_http(line, self._respond, self._refused)

    def _refused(self, why: str) -> None:
        self._house.wire.note(self.spec.id, "", "refused", why)

    def _respond(self, request: h11.Request, body: bytes) -> Answer:
        if self.refuses or self.door is None:
            return Answer(status=self.refuses or 404, body=b"")
        return self.door.respond(request, body)

    def found(self, probe: bytes) -> bytes | None:
        """What it says to a datagram: legacy devices answer a scrambled request, others the newer probe."""
        if self.door is None:
            return scrambled(self.answer(unscrambled(probe)))
        return probe_answer(probe, self.device_id, self.mac, self.door.version, self.spec.dialect)

    async def _serve_legacy(self, line: Line) -> None:
        """One connection: requests and answers in turn until the client goes."""
        while True:
            (length,) = struct.unpack(">I", await line.reader.readexactly(4))
            if length > REQUEST_LIMIT:
                self._house.wire.note(self.spec.id, "", "refused", f"request of {length} bytes")
                return
            answer = self.answer(unscrambled(await line.reader.readexactly(length)))
            flood = struct.pack(">I", OVERSIZE_BYTES)
            await line.send(scrambled(answer), head=struct.pack(">I", len(answer)), flood_head=flood)

    def answer(self, request: bytes) -> bytes:
        """Do what a request asks, and say so. What isn't JSON is answered by an error, as the firmware does."""
        try:
            asked = msgspec.json.decode(request, type=dict[str, dict[str, Any]])
        except msgspec.DecodeError as error:
            self._house.wire.note(self.spec.id, "", "refused", f"not JSON: {error}")
            return msgspec.json.encode({"err_code": -10, "err_msg": "json format error"})
        children = asked.pop("context", {}).get("child_ids")
        parts = list(self._parts.values())
        if isinstance(children, list) and children:
            parts = [self._parts[child] for child in children if child in self._parts]
        said: dict[str, Any] = {}
        for module, commands in asked.items():
            said[module] = {
                command: self._one(module, command, given if isinstance(given, dict) else {}, parts)
                for command, given in commands.items()
            }
            if not any(known == module for known, _ in COMMANDS) and module != "system":
                said[module] = _NO_MODULE
        return msgspec.json.encode(said)

    def _one(self, module: str, command: str, arguments: dict[str, Any], parts: list[str]) -> dict[str, Any]:
        if not parts:
            return _NO_CHILD
        if (module, command) == ("system", "set_relay_state"):
            return self._switch(arguments, parts)
        if (module, command) == ("system", "get_sysinfo"):
            self.queried(command)
            return self._sysinfo()
        if (module, command) == ("emeter", "get_realtime"):
            return self._realtime(parts) if self.spec.metered else _NO_MODULE
        fixed = COMMANDS.get((module, command))
        return {**fixed, "err_code": 0} if fixed is not None else _NO_MEMBER

    def _switch(self, arguments: dict[str, Any], parts: list[str]) -> dict[str, Any]:
        state = arguments.get("state")
        if state not in (0, 1):
            return {"err_code": -3, "err_msg": "invalid argument"}
        for part in parts:
            self.switch(part, bool(state), msgspec.json.encode(arguments).decode())
        return {"err_code": 0}

    def _sysinfo(self) -> dict[str, Any]:
        info: dict[str, Any] = {
            "sw_ver": "1.0.21 Build 210524 Rel.161309",
            "hw_ver": "2.0" if self._strip else "4.0",
            "model": "HS300(US)" if self._strip else "HS110(US)",
            "deviceId": self.device_id,
            "oemId": "0" * 32,
            "hwId": "0" * 32,
            "rssi": -50,
            "latitude_i": 0,
            "longitude_i": 0,
            "alias": self.alias,
            "status": "new",
            "mic_type": "IOT.SMARTPLUGSWITCH",
            "type": "IOT.SMARTPLUGSWITCH",
            "dev_name": "Smart Wi-Fi Plug",
            "feature": "TIM:ENE" if self.spec.metered else "TIM",
            "mac": self.mac,
            "updating": 0,
            "led_off": 0,
            "err_code": 0,
        }
        if self._strip:
            info |= {"child_num": len(self._parts), "children": [self._child(*item) for item in self._parts.items()]}
        else:
            info |= {"relay_state": int(self.is_on("")), "on_time": 0, "active_mode": "none"}
        return info

    def _child(self, child: str, part: str) -> dict[str, Any]:
        alias = f"{self.alias} {part}"
        on = int(self.is_on(part))
        return {"id": child, "state": on, "alias": alias, "on_time": 0, "next_action": {"type": -1}}

    def _realtime(self, parts: list[str]) -> dict[str, Any]:
        watts = sum(self.watts(part) for part in parts)
        return {
            "voltage_mv": round(VOLTAGE * 1000),
            "current_ma": round(watts / VOLTAGE * 1000),
            "power_mw": round(watts * 1000),
            "total_wh": 0,
            "err_code": 0,
        }

    @property
    def parts(self) -> Sequence[str]:
        """What it switches."""
        return list(self._parts.values())

    @property
    def metered(self) -> bool:
        """Whether it tells W."""
        return self.spec.metered

    def is_on(self, part: str) -> bool:
        """Whether a relay is on."""
        return self._house.world.load(part_name(self.spec.id, part)).on

    def watts(self, part: str) -> float:
        """W that a relay lets through."""
        return self._house.world.load(part_name(self.spec.id, part)).watts

    def switch(self, part: str, on: bool, raw: str) -> None:
        """Switch as `raw` asked."""
        self._house.wire.note(self.spec.id, part, "switch", "on" if on else "off", raw=raw)
        self._house.world.switch(part_name(self.spec.id, part), on)

    def queried(self, what: str) -> None:
        """Somebody asked."""
        self._house.wire.note(self.spec.id, "", "query", what)

    @property
    def _strip(self) -> bool:
        return self.spec.outlets > 0


COMMANDS: dict[tuple[str, str], dict[str, Any]] = {
    ("emeter", "get_realtime"): {},
    ("emeter", "get_daystat"): {"day_list": []},
    ("emeter", "get_monthstat"): {"month_list": []},
    ("schedule", "get_daystat"): {"day_list": []},
    ("schedule", "get_monthstat"): {"month_list": []},
    ("schedule", "get_rules"): {"rule_list": [], "version": 2, "enable": 0},
    ("schedule", "get_next_action"): {"type": -1},
    ("anti_theft", "get_rules"): {"rule_list": [], "version": 2, "enable": 0},
    ("count_down", "get_rules"): {"rule_list": []},
    ("countdown", "get_rules"): {"rule_list": []},
    ("time", "get_time"): {"year": 2026, "month": 1, "mday": 1, "hour": 0, "min": 0, "sec": 0},
    ("time", "get_timezone"): {"index": 39},
    ("cnCloud", "get_info"): {
        "username": "", "server": "", "binded": 0, "cld_connection": 0, "illegalType": -1, "stopConnect": -1,
        "tcspStatus": -1, "fwDlPage": "", "tcspInfo": "", "fwNotifyType": -1,
    },
}  # fmt: skip
"""Answers that never change: the plug has no schedule, no statistics and no cloud."""


@asynccontextmanager
async def _serve(spec: KasaSpec, house: House) -> AsyncIterator[None]:
    plug = Plug(spec, house)
    house.offer(spec.id, plug)
    async with AsyncExitStack() as stack:
        gate = await stack.enter_async_context(house.listening(spec.id, spec.port, plug.serve))
        if spec.discovery:
            await stack.enter_async_context(answering_who_is_there(gate, plug))
        yield


KIND = ServerKind(kind="kasa", config=KasaSpec, serve=_serve, loads=loads, mains=True)
