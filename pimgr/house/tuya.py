"""A Tuya plug or strip as its local clients see it, in one of the protocol versions 3.1, 3.3, 3.4 and 3.5.

It tells data points ("dps"): "1", "2"... are its switches, "18", "19" and "20" current in mA, power in 0.1 W and
voltage in 0.1 V (tinytuya 1.20.0, README, "Version 3.1 - Plug or Switch Type"). One client at a time is heard, as by
the real ones. With a wrong key, until 3.3 it keeps silent, and from 3.4 on it hangs up in the agreement on a key (so
the debug logs in tinytuya#636, tinytuya#258, make-all/tuya-local#4885); in 3.1 it can still be asked, which needs no
key (tinytuya pull request 177).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pimgr.house.faults import Line
from pimgr.house.house import House
from pimgr.house.kinds import DeviceSpec, LoadSpec, Power, ServerKind
from pimgr.house.spec import part_name
from pimgr.house.tuya_frames import FRAME_LIMIT, Command, NotTuyaError, next_frame
from pimgr.house.tuya_session import Session

VOLTAGE = 120.0
_LEAVING_S = 0.25
"""How long a second client waits for the first one to be gone."""


class TuyaSpec(DeviceSpec, kw_only=True):
    """A plug, or with `switches` a strip whose parts are "1", "2"... `watts`: one figure, or one for each switch.

    `key`: 16 characters, by default made from the id. `metered`: whether it tells W. `toggles_on_query`: each look at
    it switches it, as some old 3.1 devices do (tinytuya#13). `device22`: it answers a plain query with "json obj data
    unvalid" and wants its data points named.
    """

    version: Literal["3.1", "3.3", "3.4", "3.5"] = "3.3"
    switches: Annotated[int, Meta(ge=0, le=8)] = 0
    watts: Power | tuple[Power, ...] = 100.0
    on: bool | tuple[bool, ...] = True
    metered: bool = True
    device_id: str = ""
    key: str = ""
    toggles_on_query: bool = False
    device22: bool = False

    def __post_init__(self) -> None:
        for name in ("watts", "on"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != max(1, self.switches):
                raise ValueError(f"{name}: {len(value)} values for {max(1, self.switches)} switches")
        if self.key and len(self.key.encode("latin-1", "replace")) != 16:
            raise ValueError("key: must be 16 characters")


def loads(spec: TuyaSpec) -> Mapping[str, LoadSpec]:
    """What it switches."""
    parts = [str(number) for number in range(1, spec.switches + 1)] or [""]
    watts = spec.watts if isinstance(spec.watts, tuple) else (spec.watts,) * len(parts)
    on = spec.on if isinstance(spec.on, tuple) else (spec.on,) * len(parts)
    return {part: LoadSpec(each_watts, each_on) for part, each_watts, each_on in zip(parts, watts, on, strict=True)}


class Plug:
    """One plug's or strip's server. `device_id` and `key` may be changed while it runs."""

    def __init__(self, spec: TuyaSpec, house: House) -> None:
        self.spec = spec
        self._house = house
        known = sha256(f"tuya/{spec.id}".encode()).hexdigest()
        self.device_id = spec.device_id or f"bf{known[:20]}"
        self.key = spec.key or known[20:36]
        self.parts = {str(number): part for number, part in enumerate(loads(spec), 1)}
        self.says: bytes | None = None
        """What it answers to a question for its state, in place of that."""
        self._client: Line | None = None

    def new_identity(self) -> None:
        """From now on another device of the same sort is here, with another id and key."""
        known = sha256(os.urandom(16)).hexdigest()
        self.device_id, self.key = f"bf{known[:20]}", known[20:36]

    def pair_again(self) -> None:
        """The owner paired it again: the same device, with a new key."""
        self.key = sha256(os.urandom(16)).hexdigest()[:16]

    # ------------------------------------------------------------------------------------------------------ connections

    async def serve(self, line: Line) -> None:
        """One connection; while another one is heard, it is hung up on at once."""
        if not await self._free():
            self._house.wire.note(self.spec.id, "", "refused", "a second client")
            return
        self._client = line
        try:
            await self._serve(line)
        except NotTuyaError as error:
            self._house.wire.note(self.spec.id, "", "refused", str(error))
        finally:
            self._client = None

    async def _free(self) -> bool:
        if self._client is None:
            return True
        try:
            async with asyncio.timeout(_LEAVING_S):
                await self._client.closed.wait()
        except TimeoutError:
            return False
        await asyncio.sleep(0)
        return True

    async def _serve(self, line: Line) -> None:
        session = Session(self.spec.version, self.key.encode("latin-1"))
        while True:
            whole = await next_frame(line.reader)
            try:
                command, asked = session.heard(whole)
            except NotTuyaError as error:
                if session.hangs_up:
                    raise
                self._house.wire.note(self.spec.id, "", "refused", str(error))
                continue
            for answer in self._answers(session, command, asked):
                head = 18 if answer.startswith(b"\x00\x00\x66\x99") else 16
                flood = answer[: head - 4] + (FRAME_LIMIT * 1024).to_bytes(4, "big")
                await line.send(answer[head:], head=answer[:head], flood_head=flood)

    # ---------------------------------------------------------------------------------------------------------- content

    def _answers(self, session: Session, command: int, asked: bytes) -> list[bytes]:
        """What it says to one message, after doing what that asks."""
        match command:
            case Command.NEGOTIATE | Command.NEGOTIATE_END:
                return session.agree(command, asked)
            case Command.HEART_BEAT:
                return [session.said(command, b"")]
            case Command.UPDATE_DPS:
                return [session.said(command, b""), session.push(self._told(session, list(self._dps())))]
            case Command.DP_QUERY | Command.DP_QUERY_NEW:
                return [self._queried(session, command, _object(asked))]
            case Command.CONTROL | Command.CONTROL_NEW:
                return self._controlled(session, command, _object(asked))
        return []

    def _queried(self, session: Session, command: int, asked: dict[str, Any]) -> bytes:
        self._house.wire.note(self.spec.id, "", "query", "status", raw=msgspec.json.encode(asked).decode())
        if self.spec.version == "3.1" and asked.get("gwId") != self.device_id:
            return session.said(command, b"gw id invalid", bad=True)
        if self.says is not None:
            return session.said(command, self.says)
        if self.spec.device22:
            return session.said(command, b"json obj data unvalid", bad=True)
        if self.spec.toggles_on_query:
            for part in self.parts.values():
                name = part_name(self.spec.id, part)
                self._house.world.switch(name, not self._house.is_on(name))
        told: dict[str, Any] = {"dps": self._dps()}
        if session.version in ("3.1", "3.3"):
            told = {"devId": self.device_id, **told}
        return session.said(command, msgspec.json.encode(told))

    def _controlled(self, session: Session, command: int, asked: dict[str, Any]) -> list[bytes]:
        wanted = asked.get("data", asked).get("dps", {})
        if wanted and all(value is None for value in wanted.values()):  # device22's way of asking
            self._house.wire.note(self.spec.id, "", "query", "status", raw=msgspec.json.encode(asked).decode())
            dps = {key: value for key, value in self._dps().items() if key in wanted}
            return [session.said(command, msgspec.json.encode({"devId": self.device_id, "dps": dps}))]
        changed = [key for key, value in wanted.items() if self._switched(key, value, asked)]
        answers = [session.said(command, b"")]
        return [*answers, session.push(self._told(session, changed))] if changed else answers

    def _switched(self, key: str, value: object, asked: dict[str, Any]) -> bool:
        """Whether a data point was switched to another state by this."""
        part = self.parts.get(key)
        if part is None or not isinstance(value, bool):
            return False
        raw = msgspec.json.encode(asked).decode()
        self._house.wire.note(self.spec.id, part, "switch", "on" if value else "off", raw=raw)
        name = part_name(self.spec.id, part)
        before = self._house.is_on(name)
        self._house.world.switch(name, value)
        return before is not value

    def _told(self, session: Session, keys: list[str]) -> bytes:
        """A push of some data points."""
        dps = {key: value for key, value in self._dps().items() if key in keys}
        now = int(time.time())
        if session.version in ("3.1", "3.3"):
            return msgspec.json.encode({"devId": self.device_id, "dps": dps, "t": now})
        return msgspec.json.encode({"protocol": 4, "t": now, "data": {"dps": dps}})

    def _dps(self) -> dict[str, bool | int]:
        states = {key: self._house.world.load(part_name(self.spec.id, part)) for key, part in self.parts.items()}
        told: dict[str, bool | int] = {key: state.on for key, state in states.items()}
        if self.spec.metered:
            watts = sum(state.watts for state in states.values())
            told |= {"18": round(watts / VOLTAGE * 1000), "19": round(watts * 10), "20": round(VOLTAGE * 10)}
        return told


def _object(asked: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(asked, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise NotTuyaError(f"not JSON: {error}") from error
    return found


@asynccontextmanager
async def _serve(spec: TuyaSpec, house: House) -> AsyncIterator[None]:
    plug = Plug(spec, house)
    house.offer(spec.id, plug)
    async with house.listening(spec.id, spec.port, plug.serve):
        yield


KIND = ServerKind(kind="tuya", config=TuyaSpec, serve=_serve, loads=loads, mains=True)
