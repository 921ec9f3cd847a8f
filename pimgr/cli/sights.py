"""What is seen and not switched, on the screen: where each fact about the site comes from, thermostats, forecasts."""

from __future__ import annotations

from collections.abc import Sequence

from pimgr.api import Instant
from pimgr.cli.lines import NAME, wrapped
from pimgr.cli.word import ago
from pimgr.local_time import shown
from pimgr.snapshot import ForecastLine, SiteFact, ThermostatLine
from pimgr.text import safe
from pimgr.units import degrees


def site(facts: Sequence[SiteFact], now: Instant) -> list[str]:
    """The facts about the site, those of one reading together."""
    readings: dict[tuple[str, Instant], list[SiteFact]] = {}
    for fact in facts:
        readings.setdefault((fact.source, fact.at), []).append(fact)
    lines: list[str] = []
    for (source, at), told in readings.items():
        what = ", ".join(f"{fact.name} {fact.value}" for fact in told)
        lines += wrapped(f"{what} ({safe(source, NAME)}, {ago(at, now)})", 9)
    return [f"site     {lines[0].strip()}", *lines[1:]] if lines else []


def thermostat(line: ThermostatLine, now: Instant, zone: str) -> list[str]:
    """Indoor temperature, set points, how long they hold by the clock of `zone`, and why pimgr moved them."""
    name = safe(line.part, NAME)
    if line.indoor is None or line.read_at is None:
        return [*wrapped(f"{name}  not read yet", 2), *_moved(line), *_why(line.fault)]
    points = (("heat to", line.heat), ("cool to", line.cool))
    told = [f"{word} {degrees(value, line.fahrenheit)}" for word, value in points if value is not None]
    held = "by its own schedule"
    if line.permanent:
        held = "held for good"
    elif line.until is not None:
        held = f"held until {shown(line.until, zone, '%a %H:%M')}"
    facts = ", ".join([degrees(line.indoor, line.fahrenheit), line.mode, *told, held])
    return [*wrapped(f"{name}  {facts}; read {ago(line.read_at, now)}", 2, 6), *_moved(line), *_old(line.fault)]


def _moved(line: ThermostatLine) -> list[str]:
    """What pimgr does with it."""
    if not line.status:
        return []
    return wrapped(f"{line.status}: {line.why}" + (f"; {line.returns}" if line.returns else ""), 6)


def forecast(line: ForecastLine, now: Instant) -> list[str]:
    """How far it reaches, and how fresh it is."""
    name = safe(line.part, NAME)
    if line.read_at is None:
        return [*wrapped(f"{name}  not read yet", 2), *_why(line.fault)]
    told = f"{name}  {line.hours} hours and {line.days} days to come, read {ago(line.read_at, now)}"
    return [*wrapped(told, 2, 6), *_old(line.fault)]


def _old(fault: str) -> list[str]:
    return _why(fault and f"old: {fault}")


def _why(fault: str) -> list[str]:
    return wrapped(f"! {fault}", 6, 8) if fault else []
