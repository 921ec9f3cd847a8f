"""What is seen and not switched, as the snapshot shows it: the site and its sources, thermostats, forecasts."""

from __future__ import annotations

from collections.abc import Mapping

from pimgr.api import Capability, ThermostatReading, replace
from pimgr.board import Board, ForecastView
from pimgr.config import HouseConfig
from pimgr.policy.model import PartView, Reason
from pimgr.snapshot import ForecastLine, SiteFact, ThermostatLine

FACTS = {
    "charge": ("charge", "{:.0f} %"),
    "grid_w": ("grid", "{:z.0f} W"),
    "battery_w": ("battery", "{:z.0f} W"),
    "solar_w": ("solar", "{:z.0f} W"),
    "load_w": ("load", "{:z.0f} W"),
    "reserve": ("reserve", "{:g} %"),
    "mode": ("mode", "{}"),
    "grid_charging": ("charging from the grid", ""),
    "storm_watch": ("storm watch", ""),
    "storm": ("storm", ""),
}
"""What is shown of a site: what it is called, and how its value is written; "" is on or off."""


def site_facts(board: Board) -> tuple[SiteFact, ...]:
    """What is known of the site, each fact with the meter that told it."""
    sources = board.told_by()
    facts = []
    for field, (name, form) in FACTS.items():
        if (reading := sources.get(field)) is not None:
            told = getattr(reading, field)
            value = form.format(told) if form else ("on" if told else "off")
            number = float(told) if form and isinstance(told, float | int) else None
            facts.append(SiteFact(name=name, value=value, number=number, source=reading.source, at=reading.at))
    return tuple(facts)


def thermostats(
    config: HouseConfig, views: Mapping[str, PartView], reasons: Mapping[str, Reason]
) -> tuple[ThermostatLine, ...]:
    """Every thermostat that was asked. One that does not answer keeps what it said last, and the fault says so.

    `views`: as the decision saw them; `reasons`: by part, why pimgr moved it.
    """
    can = {part: what for connection in config.connections for part, what in connection.parts.items()}
    named = [part for part, what in can.items() if Capability.THERMOSTAT in what]
    fahrenheit = config.policy.climate is not None and config.policy.climate.fahrenheit
    lines = []
    for part in named:
        if part not in views and part not in reasons:
            continue
        line = _thermostat(part, config.titles.get(part, part), views.get(part, PartView()))
        reason = reasons.get(part) or Reason(part=part, status="", why="")
        told = {"status": reason.status, "why": reason.why, "returns": reason.returns}
        lines.append(replace(line, fahrenheit=fahrenheit, **told))
    return tuple(lines)


def _thermostat(part: str, title: str, seen: PartView) -> ThermostatLine:
    if not isinstance(seen.reading, ThermostatReading):
        return ThermostatLine(part=part, title=title, fault=seen.fault)
    reading, hold = seen.reading, seen.reading.hold
    return ThermostatLine(
        part=part,
        title=title,
        indoor=reading.indoor,
        mode=reading.mode,
        heat=hold.heat,
        cool=hold.cool,
        until=hold.until.wall if hold.until else None,
        permanent=hold.permanent,
        read_at=reading.at,
        fault=seen.fault,
    )


def forecasts(board: Board) -> tuple[ForecastLine, ...]:
    """How fresh each forecast is."""
    return tuple(_forecast(part, seen) for part, seen in board.forecasts().items())


def _forecast(part: str, seen: ForecastView) -> ForecastLine:
    if seen.reading is None:
        return ForecastLine(part=part, fault=seen.fault)
    hours, days = len(seen.reading.hours), len(seen.reading.days)
    return ForecastLine(part=part, hours=hours, days=days, read_at=seen.reading.at, fault=seen.fault)
