"""What the battery keeps for an outage while the tariff would use it: the floor, and what raises it."""

from __future__ import annotations

from pimgr.api import ForecastReading, Frozen
from pimgr.policy.battery.rates import Floor, Period
from pimgr.policy.model import State
from pimgr.policy.turn import Turn
from pimgr.units import Percent

FORECAST_FRESH_S = 6 * 3600.0
"""A forecast older than this counts for nothing: it is renewed every half an hour, and weather isn't what it was."""
HOUR_S = 3600.0
KM_H = 3.6
LAST_BUT_FULL = Percent(80.0)
FULL = Percent(100.0)


class Least(Frozen):
    """At least so much is to be kept back, and why."""

    percent: Percent
    why: str


def storm(turn: Turn) -> bool | None:
    """Whether the vendor's storm watch is active; None where no meter tells."""
    return next((r.storm for r in turn.inputs.settings if r.storm is not None), None)


def least(turn: Turn, state: State, period: Period) -> Least:
    """The highest of all that wants something kept back now, as a Powerwall takes it."""
    tariff = turn.policy.tariff
    floor = tariff.floor if tariff else Floor()
    base = floor.percent if period.floor is None else period.floor
    found = [Least(Percent(0.0), "")]
    if period.peak:
        found += [Least(base, "a peak leaves so much for an outage"), *_after_outage(turn, state, (floor, base))]
    elif period.floor is not None:
        found.append(Least(base, "it leaves so much for an outage"))
    if storm(turn):
        found.append(Least(floor.storm, "the vendor's storm watch is active"))
    gust = _gust(turn, floor)
    if gust:
        found.append(Least(floor.gust, f"gusts of {gust * KM_H:.0f} km/h are forecast"))
    highest = max(found, key=lambda one: one.percent)
    return Least(taken(highest.percent), highest.why)


def taken(percent: float) -> Percent:
    """Rounded up to what a Powerwall takes: nothing between 80 and 100. Source: FIELD-NOTES, firmware 25.18.4."""
    return Percent(percent) if percent <= LAST_BUT_FULL else FULL


def missing(turn: Turn) -> str:
    """What can't be counted in now, or nothing."""
    tariff = turn.policy.tariff
    if tariff is None or not tariff.floor.gust:
        return ""
    return "" if _fresh(turn) else "gusts count for nothing, since there is no fresh forecast"


def _after_outage(turn: Turn, state: State, of: tuple[Floor, Percent]) -> list[Least]:
    floor, base = of
    if state.outage_ended is None or not floor.after_outage:
        return []
    left = floor.after_outage_s - turn.now.since(state.outage_ended)
    if left <= 0:
        return []
    turn.wake_in(left)
    days = turn.now.since(state.outage_ended) / 86400.0
    ago = "today" if days < 1 else f"{days:.0f} day{'s' if days >= 1.5 else ''} ago"
    return [Least(Percent(min(FULL, base + floor.after_outage)), f"an outage ended {ago}")]


def _fresh(turn: Turn) -> ForecastReading | None:
    forecast = turn.inputs.forecast
    if forecast is None or forecast.at.boot != turn.now.boot:
        return None
    return forecast if turn.now.since(forecast.at) <= FORECAST_FRESH_S else None


def _gust(turn: Turn, floor: Floor) -> float:
    """The strongest gust (m/s) that raises the floor now; 0 for none."""
    forecast, wall = _fresh(turn), turn.wall()
    if forecast is None or wall is None:
        return 0.0
    turn.wake_in(FORECAST_FRESH_S - turn.now.since(forecast.at) + 1.0)
    strong = [hour for hour in forecast.hours if hour.gust_m_s >= floor.gust_m_s and hour.start + HOUR_S > wall]
    later = [hour.start - floor.gust_ahead_s for hour in strong if hour.start - floor.gust_ahead_s > wall]
    near = [hour for hour in strong if hour.start - floor.gust_ahead_s <= wall]
    for moment in [*later[:1], *(hour.start + HOUR_S for hour in near[-1:])]:
        turn.wake_at_wall(moment)
    return max((hour.gust_m_s for hour in near), default=0.0)
