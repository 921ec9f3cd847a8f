"""How much is left of a time that a person gave: within a boot by the boot clock, across boots by what surely went by.

Across boots the wall clock counts only if it was right at the beginning and is right now. Otherwise only what this boot
measured is sure, so a term lasts longer than asked by the time that the box was off, and up to `NOTE_S` a restart.
"""

from __future__ import annotations

from pimgr.api import Now, replace
from pimgr.policy.calendar import Calendar
from pimgr.policy.persons.people import Term
from pimgr.policy.said import duration
from pimgr.policy.turn import surely_since

SHORTEST_S = 60.0
LONGEST_S = 7 * 86400.0
NOTE_S = 600.0
"""How often it is written down what went by: a write to the memory card costs little at this rate."""


def begin(for_s: float, now: Now) -> Term:
    return Term(for_s=for_s, since=now.instant, at=now.instant, wall_trusted=now.wall_trusted)


def spent_s(term: Term, now: Now) -> float:
    """Seconds of it that went by, at least."""
    counted = term.spent_s + surely_since(term.at, now)
    if term.since.boot != now.boot and term.wall_trusted and now.wall_trusted:
        return max(counted, now.wall - term.since.wall)
    return counted


def left_s(term: Term, now: Now) -> float:
    """Seconds that are left; 0 where it is over."""
    return max(0.0, term.for_s - spent_s(term, now))


def noted(term: Term, now: Now) -> Term:
    """Write down now and then what went by: after a restart nobody else knows."""
    if term.at.boot == now.boot and now.since(term.at) < NOTE_S:
        return term
    return replace(term, at=now.instant, spent_s=spent_s(term, now))


def until(term: Term, now: Now, calendar: Calendar | None) -> str:
    """ "until 18:40", "until tomorrow 06:00", or, where nobody knows the time, "for another 2 h 10 min"."""
    left = left_s(term, now)
    at = calendar.dated(now.wall + left, now.wall) if calendar is not None and now.wall_trusted else ""
    return f"until {at}" if at else f"for another {duration(left)}"
