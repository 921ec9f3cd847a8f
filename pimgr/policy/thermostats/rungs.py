"""How far the climate ladder is climbed, by episode: in a peak, in an outage, and in the hours before a peak.

The rung is a function of the charge, so a drop past two thresholds gives the deeper one. Within one peak it only rises.
"""

from __future__ import annotations

from pimgr.api import replace
from pimgr.policy.battery import tariff
from pimgr.policy.calendar import Window
from pimgr.policy.model import Aspect, Phase, State
from pimgr.policy.shedding.tiers import RESTORE_MARGIN
from pimgr.policy.thermostats.comfort import Climate, Precool
from pimgr.policy.turn import Turn
from pimgr.units import Percent

PRECOOL = "precool"
FORECAST_S = 86400.0
"""A forecast that is older says nothing about today."""


def episodes(turn: Turn) -> set[str]:
    """The time before a peak in which precooling may happen, as an episode of its own."""
    peak = peak_to_come(turn)
    return {precooling(peak)} if peak else set()


def advance(turn: Turn, state: State, charge: Percent | None) -> State:
    """The rungs reached. An unknown charge moves none, and what isn't known to be over goes on."""
    climate, old = turn.policy.climate, state.climate.rungs
    rungs = {} if climate is None else {episode: rung for episode, rung in old.items() if turn.goes_on(episode)}
    if climate is not None:
        peak, coming = peak_now(turn), peak_to_come(turn)
        if climate.in_peak and peak:
            rungs[peak.id] = max(old.get(peak.id, 0), _rung(climate, charge))
        if climate.in_outage and state.phase is Phase.OUTAGE:
            rungs[state.episode] = _outage_rung(climate, charge, old.get(state.episode, 0))
        if coming and climate.precool and _is_hot(turn, state, climate.precool, charge):
            rungs[precooling(coming)] = 1
        if state.phase not in (Phase.NORMAL, Phase.SUSPECT):
            rungs = {episode: rung for episode, rung in rungs.items() if not episode.startswith(PRECOOL)}
    rungs = {episode: rung for episode, rung in rungs.items() if rung}
    return state if rungs == old else replace(state, climate=replace(state.climate, rungs=rungs))


def note(turn: Turn, state: State) -> State:
    """Remember when each thermostat was last asked for other set points."""
    asked = {action.part: turn.now.instant for action in turn.actions if action.aspect is Aspect.HOLD}
    return replace(state, climate=replace(state.climate, moved={**state.climate.moved, **asked})) if asked else state


def _rung(climate: Climate, charge: Percent | None, margin: float = 0.0) -> int:
    """How many rungs this charge has reached; the ladder is ordered, the highest charge first."""
    return 0 if charge is None else sum(charge <= rung.charge + margin for rung in climate.ladder)


def _outage_rung(climate: Climate, charge: Percent | None, old: int) -> int:
    """In an outage the sun may charge the battery: a rung is left again, ten points above its charge."""
    return old if charge is None else max(_rung(climate, charge), min(old, _rung(climate, charge, RESTORE_MARGIN)))


# --------------------------------------------------------------------------------------------------------------- peaks


def peak_now(turn: Turn) -> Window | None:
    """The peak that is in force, if its season is one of the climate's."""
    climate, window = turn.policy.climate, tariff.window(turn.inputs, turn.before, turn.now)
    return window if climate and window and window.peak and _fits(window, climate.seasons) else None


def peak_to_come(turn: Turn) -> Window | None:
    """Today's next peak, once it is time to precool for it; None as soon as any peak is in force."""
    wall, calendar, climate = turn.wall(), turn.inputs.calendar, turn.policy.climate
    precool = climate.precool if climate else None
    if wall is None or calendar is None or precool is None:
        return None
    day, window = calendar.day(wall), tariff.window(turn.inputs, turn.before, turn.now)
    if day is None or (window and window.peak):
        return None
    begin = calendar.moment(day, precool.at_s)
    peaks = [w for w in calendar.windows if w.peak and w.start > max(wall, begin) and w.start < day.end]
    peak = min(peaks, key=lambda w: w.start, default=None)
    if peak is None or not _fits(peak, precool.seasons):
        return None
    if wall < begin:
        turn.wake_at_wall(begin)
        return None
    return peak


def _fits(window: Window, seasons: tuple[str, ...]) -> bool:
    return not seasons or window.season in seasons


def precooling(peak: Window) -> str:
    return f"{PRECOOL}-{peak.id}"


def _is_hot(turn: Turn, state: State, precool: Precool, charge: Percent | None) -> bool:
    """Whether today is forecast to be hot enough, or the battery is low and that was asked for."""
    if state.phase is not Phase.NORMAL:
        return False
    if precool.below is not None and charge is not None and charge < precool.below:
        return True
    forecast, wall, calendar = turn.inputs.forecast, turn.wall(), turn.inputs.calendar
    if precool.high is None or forecast is None or wall is None or calendar is None:
        return False
    if forecast.at.boot != turn.now.boot or turn.now.since(forecast.at) > FORECAST_S:
        return False
    today = calendar.day(wall)
    return any(day.high >= precool.high for day in forecast.days if today and day.date == today.date)
