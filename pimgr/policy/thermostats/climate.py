"""The climate rule: thermostats are eased as the battery falls, and a house is precooled before a hot day's peak.

The ladder is a function of the charge and of the set points that were found before anything was moved: so a drop past
two thresholds gives the deeper rung, and a request that is repeated moves nothing twice.
"""

from __future__ import annotations

from pimgr.api import Frozen, ThermostatReading, replace
from pimgr.policy.model import Aspect, Claim, ClaimStatus, Phase, Reason, SetPoints, State
from pimgr.policy.thermostats.comfort import Climate
from pimgr.policy.thermostats.holds import COOLS, HEATS, found, rests, same_points
from pimgr.policy.thermostats.rungs import PRECOOL, peak_now, peak_to_come, precooling
from pimgr.policy.turn import Turn
from pimgr.policy.values import SET_POINT_STEP
from pimgr.policy.want import Want
from pimgr.units import Celsius, difference

RULE = "climate"
QUARTER_S = 900.0
"""Holds end at quarter hours, as the thermostats know them; and no more than this goes by between two looks."""
HOUR_S = 3600.0
OUTAGE_HOURS = 3
"""Nobody knows when an outage ends: a hold goes on for two to three hours and is renewed every hour."""
MOST_HOURS = 12
UNKNOWN_S = 12 * HOUR_S
"""Without a trusted clock a hold is left as it is for so long: no peak is longer."""
ORDER = 1000


class Cause(Frozen, kw_only=True):
    """Why thermostats are moved. `rung`: from 1, or 0 for precooling; `until`: how long it is held, UTC in s or None.

    `over`: when the cause itself ends, where that is known.
    """

    rule: str
    episode: str
    rung: int
    until: float | None
    over: float | None
    why: str
    returns: str
    frozen: bool = False


# --------------------------------------------------------------------------------------------------------------- causes


def _cause(turn: Turn, state: State, climate: Climate) -> Cause | None:
    """The strongest reason to move thermostats now: the highest rung, else precooling."""
    ladder = [cause for cause in (_of_peak(turn, state, climate), _of_outage(turn, state, climate)) if cause]
    if ladder:
        return max(ladder, key=lambda cause: (cause.rung, not cause.frozen, cause.until or 0.0))
    peak = peak_to_come(turn)
    if peak is None or precooling(peak) not in state.climate.rungs:
        return None
    return Cause(
        rule=PRECOOL,
        episode=precooling(peak),
        rung=0,
        until=_quarter(peak.start),
        over=peak.start,
        why="the house is precooled before the peak of a hot day",
        returns="when the peak begins",
    )


def _of_peak(turn: Turn, state: State, climate: Climate) -> Cause | None:
    peak, wall = peak_now(turn), turn.wall()
    if not (climate.in_peak and peak and wall is not None):
        return None
    turn.wake_in(QUARTER_S)
    turn.wake_at_wall(peak.end)
    cause = Cause(
        rule=RULE,
        episode=peak.id,
        rung=state.climate.rungs.get(peak.id, 0),
        until=min(_quarter(peak.end), _hours_ahead(wall, MOST_HOURS)),
        over=peak.end,
        why="in a peak",
        returns="when the peak is over",
    )
    return _eased(climate, cause)


def _of_outage(turn: Turn, state: State, climate: Climate) -> Cause | None:
    if not climate.in_outage or state.phase not in (Phase.OUTAGE, Phase.SETTLING):
        return None
    wall = turn.wall()
    turn.wake_in(QUARTER_S)
    cause = Cause(
        rule=RULE,
        episode=state.episode,
        rung=state.climate.rungs.get(state.episode, 0),
        until=None if wall is None else _hours_ahead(wall, OUTAGE_HOURS),
        over=None,
        why="in an outage",
        returns="when the outage is over",
        frozen=state.phase is Phase.SETTLING,
    )
    return _eased(climate, cause)


def _eased(climate: Climate, cause: Cause) -> Cause | None:
    """The cause with its whole reason; None below the first rung, on a ladder that may be shorter by now."""
    rung = min(cause.rung, len(climate.ladder))
    if not rung:
        return None
    step = climate.ladder[rung - 1]
    by = difference(step.offset, climate.fahrenheit)
    return replace(cause, rung=rung, why=f"the battery fell to {step.charge:g} % {cause.why}, so it is eased by {by}")


def _quarter(wall: float) -> float:
    """The next quarter hour, UTC in s: in every time zone they are the same moments."""
    return -(-wall // QUARTER_S) * QUARTER_S


def _hours_ahead(wall: float, hours: int) -> float:
    """A full hour; it stays the same for an hour, so that a hold isn't renewed at every look."""
    return (wall // HOUR_S + hours) * HOUR_S


# ---------------------------------------------------------------------------------------------------------------- wants


def wants(turn: Turn, state: State) -> tuple[Want, ...]:
    """What is wanted of each thermostat, each by its own baseline."""
    climate = turn.policy.climate
    if climate is None:
        return ()
    cause = _cause(turn, state, climate)
    claims = {claim.part: claim for claim in state.claims if claim.aspect is Aspect.HOLD}
    parts = [part for part in climate.thermostats if part in turn.policy.parts]
    found = []
    for order, part in enumerate(parts, ORDER):
        want = _as_it_is(turn, claims.get(part)) if cause is None else _want(turn, part, claims.get(part), cause)
        found += [replace(want, order=order)] if want else []
    return tuple(found)


def _as_it_is(turn: Turn, claim: Claim | None) -> Want | None:
    """While nobody trusts the clock, no peak is known to be over: nothing is moved on from there, nor given back."""
    if claim is None or turn.knows_the_schedule or claim.episode.startswith("outage"):
        return None
    if claim.status is ClaimStatus.RETURNING or turn.surely_waited(claim.since, UNKNOWN_S):
        return None
    return Want(
        part=claim.part,
        aspect=Aspect.HOLD,
        value=claim.wanted,
        rule=claim.rule,
        episode=claim.episode,
        order=claim.order,
        why="the clock of the box isn't set yet, so it is left as it is",
        returns="when the time is known and the peak over",
        frozen=True,
    )


def _want(turn: Turn, part: str, claim: Claim | None, cause: Cause) -> Want | None:
    reading = turn.fresh(part)
    stat = reading if isinstance(reading, ThermostatReading) else None
    if claim is None and stat is None:
        turn.reasons.append(_pending(turn, part, cause))
        return None
    value = claim.wanted if stat is None and claim else None
    if stat is not None and not _rests_first(turn, part, claim, cause):
        value = _aim(turn, cause, _baseline(turn, stat, claim))
        value = None if value is None else _in_time(turn, value, claim, cause)
    if value is None:
        return None
    return Want(
        part=part,
        aspect=Aspect.HOLD,
        value=value,
        rule=cause.rule,
        episode=cause.episode,
        order=ORDER,
        why=cause.why,
        returns=cause.returns,
        frozen=cause.frozen,
    )


def _pending(turn: Turn, part: str, cause: Cause) -> Reason:
    fault = turn.view(part).fault or "it was not read yet"
    return Reason(part=part, status="pending", why=f"{cause.why}; {fault}", returns="moved as soon as it answers")


def _baseline(turn: Turn, stat: ThermostatReading, claim: Claim | None) -> SetPoints:
    """The set points that were found before anything was moved: those that its mode uses and the config lets move."""
    climate, before = turn.policy.climate, claim.before if claim else found(stat)
    assert climate is not None
    assert isinstance(before, SetPoints)
    cools, heats = climate.cooling and stat.mode in COOLS, climate.heating and stat.mode in HEATS
    return SetPoints(heat=before.heat if heats else None, cool=before.cool if cools else None)


def _aim(turn: Turn, cause: Cause, before: SetPoints) -> SetPoints | None:
    """The set points wanted: baseline plus offset, within the clamp. Easing never cools, precooling never warms."""
    climate = turn.policy.climate
    assert climate is not None
    cool: float | None = None
    heat: float | None = None
    if cause.rung == 0 and climate.precool is not None:
        cool = None if before.cool is None else min(max(climate.precool.cool, climate.coolest), before.cool)
    else:
        offset = climate.ladder[cause.rung - 1].offset
        cool = None if before.cool is None else max(min(before.cool + offset, climate.warmest), before.cool)
        heat = None if before.heat is None else min(max(before.heat - offset, climate.coolest), before.heat)
    moved_heat, moved_cool = _moved(heat, before.heat), _moved(cool, before.cool)
    if moved_heat is None and moved_cool is None:
        return None
    return SetPoints(heat=moved_heat, cool=moved_cool, until=cause.until, permanent=cause.until is None)


def _moved(wanted: float | None, before: Celsius | None) -> Celsius | None:
    """A set point that is to be another one; a smaller step than thermostats take is none."""
    if wanted is None or before is None or abs(wanted - before) <= SET_POINT_STEP:
        return None
    return Celsius(wanted)


def _rests_first(turn: Turn, part: str, claim: Claim | None, cause: Cause) -> bool:
    """Whether nothing may be begun now: compressors rest between two changes, and none comes shortly before the end."""
    begins = claim is None or claim.status is ClaimStatus.RETURNING
    return begins and (rests(turn, part) or _is_late(turn, cause))


def _is_late(turn: Turn, cause: Cause) -> bool:
    climate, wall = turn.policy.climate, turn.wall()
    if climate is None or wall is None or cause.over is None:
        return False
    return cause.over - wall <= climate.min_off_s


def _in_time(turn: Turn, value: SetPoints, claim: Claim | None, cause: Cause) -> SetPoints:
    """What may be asked for now instead of what is held: likewise, and a hold that lasts long enough is kept."""
    if claim is None or not isinstance(claim.wanted, SetPoints):
        return value
    if not same_points(value, claim.wanted):
        return claim.wanted if rests(turn, claim.part) or _is_late(turn, cause) else value
    held = claim.wanted.until
    lasts = value.until is None or (held is not None and held >= value.until)
    return claim.wanted if lasts else value
