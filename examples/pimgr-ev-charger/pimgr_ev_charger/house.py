"""A go-e charger for the house in a box, with a car that draws what it may: kind = "ev-charger" in a scenario.

Source: goecharger/go-eCharger-API-v2, http-en.md and apikeys-en.md; of the answers to `set`, #97 there and
evcc-io/evcc#15952. In the house's physics each bit of the current is a load of its own: 10 A are 2 A and 8 A.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

import h11
from msgspec import Meta

from pimgr.house.faults import HTTP_FAULTS, Line
from pimgr.house.house import House
from pimgr.house.http import Answer, json_answer, serve_http
from pimgr.house.kinds import DeviceSpec, LoadSpec, ServerKind
from pimgr.house.spec import part_name

VOLTS = 230.0
LEAST_A = 6
_BITS = (1, 2, 4, 8, 16, 32)


class ChargerSpec(DeviceSpec, kw_only=True):
    """`amp`: the requested current in A; `ama`: the installation's limit; `frc`: 0 neutral, 1 off, 2 on.

    `lacks`: keys that this model hasn't got.
    """

    serial: str = "012345"
    amp: Annotated[int, Meta(ge=LEAST_A, le=32)] = 16
    ama: Annotated[int, Meta(ge=LEAST_A, le=32)] = 32
    frc: Annotated[int, Meta(ge=0, le=2)] = 0
    phases: Annotated[int, Meta(ge=1, le=3)] = 1
    lacks: tuple[str, ...] = ()


def loads(spec: ChargerSpec) -> Mapping[str, LoadSpec]:
    """What the car draws, bit by bit."""
    drawn = 0 if spec.frc == 1 else spec.amp
    return {f"{bit}A": LoadSpec(bit * VOLTS * spec.phases, bool(drawn & bit)) for bit in _BITS}


class Charger:
    """One charger's server. `keys`: what its API tells and takes."""

    def __init__(self, spec: ChargerSpec, house: House) -> None:
        self.spec, self._house = spec, house
        self.keys: dict[str, Any] = {"sse": spec.serial, "amp": spec.amp, "frc": spec.frc, "ama": spec.ama}

    def new_identity(self) -> None:
        """Another charger answers at this address."""
        self.keys["sse"] = "999999"

    @property
    def allowed_a(self) -> int:
        """A that a car may draw on each phase."""
        return 0 if self.keys["frc"] == 1 else int(self.keys["amp"])

    async def serve(self, line: Line) -> None:
        """One connection."""
        await serve_http(line, self._answer, lambda why: self._note("refused", why))

    def _answer(self, request: h11.Request, _body: bytes) -> Answer:
        status = self._house.gate(self.spec.id).fault.http_status
        if status:
            self._note("refused", str(status))
            return json_answer(status, {"error": "told to"})
        asked = urlsplit(request.target.decode("latin-1"))
        query = dict(parse_qsl(asked.query, keep_blank_values=True))
        if asked.path == "/api/status":
            self._note("query", asked.query)
            return self._status(query.get("filter"))
        if asked.path == "/api/set":
            told = {key: self._set(key, value) for key, value in query.items()}
            return json_answer(200 if all(each is True for each in told.values()) else 500, told)
        return json_answer(404, {"error": "not found"})

    def _status(self, wanted: str | None) -> Answer:
        known = {**self.keys, "nrg": self._energies()}
        known = {key: value for key, value in known.items() if key not in self.spec.lacks}
        if wanted is None:
            return json_answer(200, known)
        names = wanted.split(",")
        missing = [name for name in names if name not in known]
        return json_answer(400 if missing else 200, {name: known[name] for name in names if name in known})

    def _set(self, key: str, text: str) -> Any:
        """True, or why not."""
        most = {"amp": (LEAST_A, 32), "frc": (0, 2)}.get(key)
        if most is None:
            return f"{key}: tried to set api key without setter ({text})"
        if not text.isdigit() or not most[0] <= int(text) <= most[1]:
            return f"{key}: failed: Value {text} exceeds range {most[0]} to {most[1]} ({text})"
        self.keys[key] = int(text)
        self._note("switch", f"{self.allowed_a} A", raw=f"{key}={text}")
        for bit in _BITS:
            self._house.world.switch(part_name(self.spec.id, f"{bit}A"), bool(self.allowed_a & bit))
        return True

    def _energies(self) -> list[float]:
        """U of L1, L2, L3 and N, I of three, P of four and of all, and power factors."""
        watts = sum(self._house.world.load(part_name(self.spec.id, f"{bit}A")).watts for bit in _BITS)
        each = [phase < self.spec.phases for phase in range(3)]
        amps = watts / VOLTS / self.spec.phases
        powers = [watts / self.spec.phases * on for on in each]
        return [*[VOLTS * on for on in each], 0.0, *[amps * on for on in each], *powers, 0.0, watts, 0.0, 0.0, 0.0, 0.0]

    def _note(self, what: str, value: str, *, raw: str = "") -> None:
        self._house.wire.note(self.spec.id, "", what, value, raw=raw)


@asynccontextmanager
async def _serve(spec: ChargerSpec, house: House) -> AsyncIterator[None]:
    charger = Charger(spec, house)
    house.offer(spec.id, charger)
    async with house.listening(spec.id, spec.port, charger.serve):
        yield


KIND = ServerKind(kind="ev-charger", config=ChargerSpec, serve=_serve, loads=loads, faults=HTTP_FAULTS, mains=True)
