"""A charger as a graded load: 0 A is "don't charge", 6 A and more is what the car may draw on each phase.

Keys: `amp` requested current in A, `frc` force state (0 neutral, 1 off, 2 on), `ama` the most that this installation
may draw, `nrg` U, I, P and power factor (the twelfth is the power of all phases, in W), `sse` the serial number.
Source: goecharger/go-eCharger-API-v2, http-en.md and apikeys-en.md, at 2800b62 and 14d7eb2.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pimgr.api import Context, DeviceError, Finding, LevelReading, Parts, Refused, Severity, Unsupported
from pimgr.units import Watts, finite_and_in_range
from pimgr_ev_charger import ChargerConfig
from pimgr_ev_charger.wire import Wanted, get

LEAST_A = 6
"""A car charges with at least 6 A. Source: IEC 61851-1, control pilot duty cycle."""
MOST_A = 32
OFF, NEUTRAL, ON = 1, 0, 2
_STATUS = "/api/status?filter=sse,amp,frc,ama,nrg"
_TOTAL_POWER = 11
_MOST_W = 25_000.0
_PATIENCE = 0.9
"""Share of the host's deadline after which we say ourselves what hung."""
_FORCED = "forced on"
"""In the store: whether the owner had forced charging on when we last forbade it."""


@asynccontextmanager
async def open_charger(config: ChargerConfig, context: Context) -> AsyncIterator[Charger]:
    """A charger that is connected to anew by each call."""
    yield Charger(config, context)


class Charger:
    """One charger, which is its own only part."""

    def __init__(self, config: ChargerConfig, context: Context) -> None:
        self._config, self._context = config, context
        self.parts: Parts = {"": self}

    async def read_level(self) -> LevelReading:
        """A that a car may draw on each phase now, 0 where charging is forbidden; W that it draws."""
        wanted = self._wanted("its current", self._context.deadlines.read_s)
        at = self._context.now()
        status = await self._status(wanted)
        allowed = 0 if status["frc"] == OFF else status["amp"]
        return LevelReading(at=at, source="charger", level=float(allowed), power_w=_watts(status.get("nrg")))

    async def set_level(self, level: float) -> None:
        """Ask for a current in A on each phase: 0, or whole amperes from 6 to what the installation may draw.

        From 0, an owner's "charge in any case" is remembered, and comes back with the next current above it.
        """
        wanted = self._wanted(f"{level:g} A", self._context.deadlines.switch_s)
        if level != 0 and (level != int(level) or not LEAST_A <= level <= MOST_A):
            fact = f"a car charges with 0, or with whole amperes from {LEAST_A} to {MOST_A}"
            raise Unsupported(wanted.part, wanted.wish, fact, "choose another level")
        status = await self._status(wanted)
        if level > status["ama"]:
            fact = f"its installation may draw {status['ama']} A at most"
            raise Refused(wanted.part, wanted.wish, fact, "choose less, or change the limit in the maker's app")
        store = self._context.store
        if level == 0:
            if status["frc"] != OFF:
                await store.put(_FORCED, status["frc"] == ON)
                await self._set(wanted, "frc", OFF)
            return
        if status["amp"] != level:  # its flash takes so many writes and no more
            await self._set(wanted, "amp", int(level))
        if status["frc"] == OFF:
            await self._set(wanted, "frc", ON if store.get(_FORCED) else NEUTRAL)

    async def check(self) -> list[Finding]:
        """Reachable, the right charger, what it may draw."""
        wanted = self._wanted("a look at it", self._context.deadlines.read_s)
        try:
            status = await self._status(wanted)
        except DeviceError as error:
            return [Finding(severity=Severity.CRITICAL, text=str(error), cure=error.cure)]
        serial = str(status.get("sse", ""))[:20]
        cure = "" if self._config.serial else f'to be sure of it for ever, add serial = "{serial}"'
        text = f"charger {serial!r} answers; its installation may draw {status['ama']} A"
        return [Finding(severity=Severity.INFO, text=text, cure=cure)]

    # ------------------------------------------------------------------------------------------------------ inside

    def _wanted(self, wish: str, deadline_s: float) -> Wanted:
        config = self._config
        return Wanted(self._context.connection, wish, config.address, config.port, _PATIENCE * deadline_s)

    async def _status(self, wanted: Wanted) -> dict[str, Any]:
        """What it says of itself, judged. Raises Garbled where another charger answers."""
        status = await get(wanted, _STATUS)
        for key, most in (("amp", MOST_A), ("frc", ON), ("ama", MOST_A)):
            value = status.get(key)
            if type(value) is not int or not 0 <= value <= most:
                raise wanted.garbled(f"it told {str(value)[:40]!r} as its {key}")
        serial = str(status.get("sse", ""))[:20]
        if self._config.serial not in (None, serial):
            raise wanted.garbled(f"another charger ({serial!r}) answers at {wanted.where}")
        return status

    async def _set(self, wanted: Wanted, key: str, value: int) -> None:
        """Set one key. Source of {"amp": true} and of the refusal: goecharger/go-eCharger-API-v2#97, evcc#15952."""
        told = await get(wanted, f"/api/set?{key}={value}")
        if told.get(key) is not True:
            raise Refused(wanted.part, wanted.wish, f"it says {str(told.get(key))[:100]!r}", "see the maker's app")


def _watts(energies: object) -> Watts | None:
    """W of all phases; None where it isn't told, or is nonsense."""
    if not isinstance(energies, list) or len(energies) <= _TOTAL_POWER:
        return None
    total = energies[_TOTAL_POWER]
    if type(total) not in (int, float) or not finite_and_in_range(total, 0.0, _MOST_W):
        return None
    return Watts(float(total))
