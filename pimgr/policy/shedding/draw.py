"""What the house draws now, and what taking a load saves: the figures behind how long the battery lasts."""

from __future__ import annotations

from pimgr.api import HostReading, Instant, LevelReading, Now, SiteReading, ThermostatReading, replace
from pimgr.policy.model import ClaimStatus, PartPolicy, PartReading, State
from pimgr.policy.shedding.allowance import Draw
from pimgr.policy.shedding.charge import SMOOTHING_S
from pimgr.policy.turn import Turn, from_the_future, measured_after
from pimgr.units import Watts

SETTLED_S = 20.0
"""Readings over so long, all measured after our last change, say what the house draws: a motor has started by then."""


def remember(state: State, site: SiteReading | None, now: Now) -> State:
    """Take in a new reading of the meters. The mean begins anew with whatever pimgr changes in the house.

    Else a load that went off would be counted for minutes, and others would go off in its place.
    """
    draw, changed = state.memory.draw, changed_at(state, now)
    if site is None or site.load_w is None or site.at.boot != now.boot or from_the_future(site.at, now):
        return state
    if draw is not None and not measured_after(site.at, draw.at, now):
        return state
    draw = _mean(None if draw is None or _is_over(draw, changed, now) else draw, site)
    return replace(state, memory=replace(state.memory, draw=draw))


def _mean(draw: Draw | None, site: SiteReading) -> Draw:
    load_w, solar_w = site.load_w or Watts(0.0), site.solar_w or Watts(0.0)
    if draw is None:
        return Draw(load_w=load_w, solar_w=solar_w, at=site.at, since=site.at)
    step_s = site.at.since(draw.at)
    share = min(1.0, step_s / min(SMOOTHING_S, site.at.since(draw.since) + step_s))
    return Draw(
        load_w=Watts(draw.load_w + share * (load_w - draw.load_w)),
        solar_w=Watts(draw.solar_w + share * (solar_w - draw.solar_w)),
        at=site.at,
        since=draw.since,
    )


def _is_over(draw: Draw, changed: Instant | None, now: Now) -> bool:
    return draw.since.boot != now.boot or (changed is not None and not measured_after(draw.since, changed, now))


def changed_at(state: State, now: Now) -> Instant | None:
    """When pimgr, or the grid's failure, last changed what the house draws, in this boot."""
    marks = [claim.since for claim in state.claims if claim.status is ClaimStatus.TAKEN]
    marks += [mark for mark in (state.outage_since, state.gave_back_at) if mark is not None]
    return max((mark for mark in marks if mark.boot == now.boot), key=lambda mark: mark.mono_s, default=None)


def settled(state: State, now: Now, stale_after_s: float) -> Draw | None:
    """What the house draws, where readings are fresh and say so for long enough; else None."""
    draw = state.memory.draw
    if draw is None or draw.at.boot != now.boot or now.since(draw.at) > stale_after_s:
        return None
    if _is_over(draw, changed_at(state, now), now) or draw.at.since(draw.since) < SETTLED_S:
        return None
    return draw


def saved_w(reading: PartReading, of: PartPolicy) -> Watts | None:
    """What taking a part saves, in W: measured, else as the config says; None where neither tells."""
    match reading:
        case LevelReading(level=level, power_w=power) if power is not None and level > 0.0:
            return Watts(power * max(0.0, 1.0 - of.shed_to / level))
        case HostReading() | ThermostatReading():
            return of.watts
        case _:
            return of.watts if reading.power_w is None else reading.power_w


def weigh(turn: Turn, state: State) -> State:
    """Remember of each new claim what it drew: once it is off, nobody can measure that any more."""
    claims = list(state.claims)
    for index, claim in enumerate(claims):
        reading, of = turn.view(claim.part).reading, turn.of(claim.part)
        if claim.watts is None and of is not None and reading is not None and reading.at == claim.before_at:
            claims[index] = replace(claim, watts=saved_w(reading, of))
    return state if tuple(claims) == state.claims else replace(state, claims=tuple(claims))
