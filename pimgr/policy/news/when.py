"""Moments as clocks in the house show them; nothing is said of a moment while nobody trusts the clock."""

from __future__ import annotations

from pimgr.api import Instant, Now
from pimgr.policy.turn import Turn


def wall_of(at: Instant, now: Now) -> float | None:
    """UTC in s, by the clock as it is set now: it may have been wrong then. None while nobody trusts it."""
    if not now.wall_trusted:
        return None
    return now.wall - (now.mono_s - at.mono_s) if at.boot == now.boot else at.wall


def clock(turn: Turn, wall: float | None) -> str:
    """Such as "18:40"; "" where nobody knows."""
    calendar = turn.inputs.calendar
    return calendar.clock_time(wall) if calendar is not None and wall is not None else ""


def dated(turn: Turn, wall: float | None) -> str:
    """Such as "18:40", "yesterday 18:40" or "Friday 31 July 18:40"; "" where nobody knows."""
    calendar, now = turn.inputs.calendar, turn.wall()
    return calendar.dated(wall, now) if calendar is not None and wall is not None and now is not None else ""


def told(turn: Turn, before: str, at: Instant | None) -> str:
    """`before` and the moment, such as " since 18:40"; "" where nobody knows."""
    shown = dated(turn, wall_of(at, turn.now)) if at is not None else ""
    return f"{before}{shown}" if shown else ""
