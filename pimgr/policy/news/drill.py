"""The drill: what would go off if the grid failed now, and what would not answer. It reads, and touches nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pimgr.api import Instant, Severity, replace
from pimgr.policy import said
from pimgr.policy.model import HostPower, Phase, State, Switch, Tier
from pimgr.policy.news import lasting, mails, when
from pimgr.policy.news.report_words import Drill
from pimgr.policy.shedding import conditions, outage
from pimgr.policy.turn import Turn
from pimgr.policy.values import enough, value_of, word
from pimgr.policy.want import Want
from pimgr.units import Percent

LOOK_S = 20.0
"""Every part is read anew before the drill; what didn't answer by then would not have in an outage either."""
KEY = "drill-"
"""So begin the keys of its mails."""
MOST_NAMES = 3
WEEK = 7


def weekly(turn: Turn, state: State, charge: Percent | None) -> State:
    """Once a week at the hour of the config, and whenever a person asks; a week in an outage has had its drill."""
    reports = state.reports
    drilled = _drilled(turn, state)
    asked = any(isinstance(command, Drill) for command in turn.inputs.commands)
    late = drilled > reports.drilled > 0
    begun = turn.now.instant if reports.drilling is None and (asked or late) else reports.drilling
    if begun is not None and state.phase in (Phase.OUTAGE, Phase.SETTLING):
        begun = None  # what it would find out, the house finds out just now
    if begun is not None and _is_looked_at(turn, begun):
        _mail(turn, state, charge)
        begun = None
    if (drilled, begun) == (reports.drilled, reports.drilling):
        return state
    return replace(state, reports=replace(reports, drilled=drilled, drilling=begun))


def _drilled(turn: Turn, state: State) -> int:
    """The number of the last day on which a drill is due, up to now; 0 where there is none to be."""
    wanted, calendar, wall = turn.policy.reports.drill_weekday, turn.inputs.calendar, turn.wall()
    if wanted is None:
        return 0
    today = calendar.day(wall) if calendar is not None and wall is not None else None
    if calendar is None or wall is None or today is None:
        return state.reports.drilled
    moments = [calendar.moment(day, turn.policy.reports.drill_at_s) for day in calendar.days if day.weekday == wanted]
    for moment in [moment for moment in moments if moment > wall][:1]:
        turn.wake_at_wall(moment)
    last = today.number - (today.weekday - wanted) % WEEK
    if last == today.number and calendar.moment(today, turn.policy.reports.drill_at_s) > wall:
        last -= WEEK
    known = state.reports.drilled
    return last if not known or known > today.number else max(known, last)


def _is_looked_at(turn: Turn, began: Instant) -> bool:
    """Whether every part was read since the drill began, or had its time."""
    missing = [part for part in outage.candidates(turn.policy) if not turn.read_since(part, began)]
    turn.look.update(missing)
    return not missing or turn.surely_waited(began, LOOK_S)


def _mail(turn: Turn, state: State, charge: Percent | None) -> None:
    tiers = turn.policy.tiers
    budget = replace(state.budget, chosen=outage.candidates(turn.policy))
    supposed = replace(state, phase=Phase.OUTAGE, tiers=tuple(tier.name for tier in tiers), budget=budget)
    wants = outage.wants(supposed, turn.policy)
    silent = [want.part for want in wants if _silence(turn, want)]
    named = turn.names(silent) if len(silent) <= MOST_NAMES else f"{turn.names(silent[:MOST_NAMES])} and others"
    subject = f"Drill: {len(silent)} of {len(wants)} would not answer: {named}"
    if not silent:
        subject = f"Drill: all {len(wants)} would go off" if wants else "Drill: nothing would go off"
    turn.tell(f"{subject}; nothing was touched", what="drill")
    turn.mail(
        f"{KEY}{turn.now.boot}-{turn.now.mono_s:.0f}",
        Severity.WARNING if silent else Severity.INFO,
        subject,
        mails.letter(
            [f"This is a rehearsal, and nothing was switched. If the grid failed now{_now(turn, charge)}:"],
            *(_tier(turn, tier, wants) for tier in tiers),
            [
                f"Never turned off: {turn.names(turn.policy.never_shed)}." if turn.policy.never_shed else "",
                *_lasting(turn, state, [w for w in wants if any(w.rule == t.name for t in tiers if t.at_once)]),
            ],
            [f"To see why {named} does not answer: pimgr check --connect" if silent else ""],
        ),
    )


def _now(turn: Turn, charge: Percent | None) -> str:
    clock = when.clock(turn, turn.wall())
    told = [f"at {clock}" if clock else "", f"with the battery at {charge:.0f} %" if charge is not None else ""]
    text = " ".join(piece for piece in told if piece)
    return f", {text}" if text else ""


def _tier(turn: Turn, tier: Tier, wants: Iterable[Want]) -> list[str]:
    head = "at once" if tier.at_once else conditions.begins(tier)
    rows = [f"  {turn.names([want.part])}: {_fate(turn, want)}" for want in wants if want.rule == tier.name]
    return [f"{tier.name}, {head}:", *rows] if rows else []


def _silence(turn: Turn, want: Want) -> str:
    """Why nothing is known of a part; "" where it answers."""
    return turn.view(want.part).fault or ("" if turn.fresh(want.part) else "it was not read lately")


def _fate(turn: Turn, want: Want) -> str:
    silence, reading = _silence(turn, want), turn.view(want.part).reading
    if silence or reading is None:
        return f"DOES NOT ANSWER ({silence or 'it was never read'})"
    found = value_of(reading)
    if enough(found, want.value):
        was = "silent" if isinstance(found, HostPower) else word(found)
        return f"{was} already, would be left as it is"
    draws = lasting.draws_w(turn, want.part)
    would = f"would go {word(want.value)}" if isinstance(want.value, Switch) else f"would be {word(want.value)}"
    return f"{word(found)}, {would}{f' ({said.watts(draws)})' if draws else ''}"


def _lasting(turn: Turn, state: State, at_once: list[Want]) -> list[str]:
    """How long the battery would last, as it is and once the first tiers are off."""
    spared_w = sum(lasting.draws_w(turn, want.part) or 0.0 for want in at_once if not mails.is_so(turn, want))
    now_s = lasting.left_s(turn, state)
    if now_s is None:
        return ["How long the battery would last is not known: no meter tells the charge and the load."]
    if math.isinf(now_s):
        return ["At present the sun carries the house, and the battery would not be needed."]
    later_s = lasting.left_s(turn, state, spared_w) if spared_w else None
    longer = f", and about {said.about(later_s)} once the first are off" if later_s is not None else ""
    load = lasting.load_w(turn, state) or 0.0
    return [f"The battery would last about {said.about(now_s)} at the present {said.watts(load)}{longer}."]
