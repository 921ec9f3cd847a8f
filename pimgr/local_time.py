"""The house's own clock: its zone, and which moment a time on its face is, on days with 23 and 25 hours too.

Zones are imported where one is asked for: a `pimgr status` of a house that holds nothing shows no times.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path

LOCALTIME = Path("/etc/localtime")
DAY_MIN = 1440


def zone_of(name: str) -> tzinfo:
    """The time zone of this IANA name, or the box's own for "". Raises ValueError for a zone that isn't there."""
    if not name:
        return own_zone(os.environ)
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise ValueError(f"no time zone is called {name}") from error


def own_zone(environment: Mapping[str, str], localtime: Path = LOCALTIME) -> tzinfo:
    """What the box is set to: the variable TZ, else /etc/localtime, else UTC."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    told = environment.get("TZ", "").lstrip(":")
    if told:
        try:
            return ZoneInfo(told)
        except (ZoneInfoNotFoundError, OSError, ValueError):
            pass  # such as "CET-1CEST": the file says as much as such a rule
    try:
        _, found, name = str(localtime.resolve(strict=True)).partition("/zoneinfo/")
        if found:
            return ZoneInfo(name)
        with localtime.open("rb") as file:
            return ZoneInfo.from_file(file, key=str(localtime))
    except (ZoneInfoNotFoundError, OSError, ValueError):
        return UTC


def local(wall: float, zone: tzinfo) -> datetime:
    """What the house's clock and calendar show at this moment (UTC in s)."""
    return datetime.fromtimestamp(wall, zone)


def shown(wall: float, zone: str, form: str) -> str:
    """A moment (UTC in s) as the clock of the house shows it; `zone` as for `zone_of`, `form` as for strftime.

    Where the box doesn't know the zone, it is UTC, and said to be.
    """
    try:
        where: tzinfo = zone_of(zone)
    except ValueError:
        where, form = UTC, f"{form} UTC"
    try:
        return f"{local(wall, where):{form}}"
    except (OverflowError, OSError, ValueError):
        return "a time that no calendar has"


def first_moment(day: date, minutes: int, zone: tzinfo) -> float:
    """UTC in s when the clock first shows so many minutes after midnight of `day`.

    A time that a change to summer time leaves out is the moment of the change; of one that exists twice, the first.
    """
    return _moment(day, minutes, zone, fold=0)


def last_moment(day: date, minutes: int, zone: tzinfo) -> float:
    """As `first_moment`, but of a time that exists twice, the second."""
    return _moment(day, minutes, zone, fold=1)


def _moment(day: date, minutes: int, zone: tzinfo, *, fold: int) -> float:
    days, rest = divmod(minutes, DAY_MIN)
    day = day + timedelta(days=days)

    def told(fold: int) -> datetime:
        return datetime(day.year, day.month, day.day, rest // 60, rest % 60, fold=fold, tzinfo=zone)

    face, wall = told(fold), told(fold).timestamp()
    if local(wall, zone).timetuple()[:5] == face.timetuple()[:5]:
        return wall
    other = told(1 - fold).timestamp()
    return _change(min(wall, other), max(wall, other), zone)


def ahead_s(wall: float, zone: tzinfo) -> float:
    """How far the house's clock is before UTC at this moment."""
    ahead = local(wall, zone).utcoffset()
    return ahead.total_seconds() if ahead is not None else 0.0


def change(start: float, end: float, zone: tzinfo) -> float | None:
    """When the clock changes after `start` and up to `end`, at most once; None: it doesn't. All UTC in s."""
    return _change(start, end, zone) if ahead_s(start, zone) != ahead_s(end, zone) else None


def _change(low: float, high: float, zone: tzinfo) -> float:
    """The second at which the clock jumps, between `low` (before it) and `high` (not before it)."""
    before, first, last = local(low, zone).utcoffset(), int(low), int(high)
    while last - first > 1:
        middle = (first + last) // 2
        if local(middle, zone).utcoffset() == before:
            first = middle
        else:
            last = middle
    return float(last)
