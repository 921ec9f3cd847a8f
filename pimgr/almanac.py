"""The almanac: what day it is where the house is, when the sun rises, and which tariff window is in force.

It knows zones, holidays and the sun; the ring knows none of them and gets instants. It is worked out once a local day.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, tzinfo

from pimgr import days_off
from pimgr.api import Now
from pimgr.local_time import ahead_s, change, first_moment, local, zone_of
from pimgr.policy.battery.rates import Tariff
from pimgr.policy.calendar import Calendar, Day, Offset, Place
from pimgr.policy.terms import Policy
from pimgr.windows import Dated, windows

log = logging.getLogger(__name__)

BACK_DAYS, AHEAD_DAYS = 1, 3
RETRY_S = 3600.0
"""A missing package of zones may be installed meanwhile; to look for it at every tick is too dear."""
NOWHERE = Place()


class Almanac:
    """Keeps the calendar of one local day, until that is over or the policy is another.

    That it can't be worked out is kept too, for `RETRY_S`, and told as it begins and as it is over.
    """

    def __init__(self) -> None:
        self._of: tuple[Place, Tariff | None] | None = None
        self._keeps: tuple[float, float] = (0.0, 0.0)
        self._calendar: Calendar | None = None
        self._fault = ""

    def around(self, policy: Policy, now: Now) -> Calendar | None:
        """From yesterday to three days ahead; None while nobody trusts the wall clock, or its zone isn't known here."""
        if not now.wall_trusted:
            return None
        of, (since, until) = (policy.place or NOWHERE, policy.tariff), self._keeps
        if of != self._of or not since <= now.wall < until:
            self._of = of
            self._calendar = self._worked_out(*of, now.wall)
            today = self._calendar.day(now.wall) if self._calendar else None
            self._keeps = (today.start, today.end) if today else (now.wall, now.wall + RETRY_S)
        return self._calendar

    def _worked_out(self, place: Place, tariff: Tariff | None, wall: float) -> Calendar | None:
        found, fault = None, ""
        try:
            found = calendar(place, tariff, wall)
        except (
            ValueError
        ) as error:  # the config was checked; since then the box lost its zones, or the library a country
            fault = str(error)
        if fault and fault != self._fault:
            log.warning("schedules wait, since the calendar can't be worked out: %s", fault)
        elif self._fault and not fault:
            log.info("schedules go on: the calendar is worked out again")
        self._fault = fault
        return found


def calendar(place: Place, tariff: Tariff | None, wall: float) -> Calendar:
    """The days and windows around a moment (UTC in s). Raises ValueError for a zone or country that isn't there."""
    zone = zone_of(place.zone)
    today = local(wall, zone).date()

    def holiday(day: date) -> str:
        return days_off.in_year(tariff.holidays, day.year).get(day, "") if tariff else ""

    days = tuple(
        _day(day, holiday(day), place, zone)
        for number in range(-BACK_DAYS, AHEAD_DAYS + 1)
        if _exists(day := today + timedelta(days=number), zone)
    )
    found = windows(Dated(tariff, zone, holiday), days[0].start, days[-1].end) if tariff else ()
    return Calendar(days=days, windows=found, offsets=tuple(_offsets(days, zone)))


def _offsets(days: tuple[Day, ...], zone: tzinfo) -> Iterator[Offset]:
    """How clocks are set on these days: on the first, and from each change on."""
    yield Offset(days[0].start, ahead_s(days[0].start, zone))
    for day in days:
        changes_at = change(day.start, day.end, zone)
        if changes_at is not None:
            yield Offset(changes_at, ahead_s(changes_at, zone))


def _exists(day: date, zone: tzinfo) -> bool:
    """Samoa had no 30th of December 2011."""
    return first_moment(day + timedelta(days=1), 0, zone) > first_moment(day, 0, zone)


def _day(day: date, holiday: str, place: Place, zone: tzinfo) -> Day:
    start, end = first_moment(day, 0, zone), first_moment(day + timedelta(days=1), 0, zone)
    rises, sets = _sun(day, place, zone)
    return Day(
        date=day.isoformat(),
        title=f"{day:%A} {day.day} {day:%B}",
        number=(day - date(1970, 1, 1)).days,
        start=start,
        end=end,
        weekday=day.weekday(),
        holiday=holiday,
        sunrise=next((at for at in rises if start <= at < end), None),
        sunset=next((at for at in sets if start <= at < end), None),
    )


def _sun(day: date, place: Place, zone: tzinfo) -> tuple[list[float], list[float]]:
    """Moments (UTC in s) around this day at which the sun rises, and at which it sets; none near the poles at times."""
    if place.latitude is None or place.longitude is None:
        return [], []
    from astral import Observer
    from astral.sun import sunrise, sunset

    where = Observer(place.latitude, place.longitude)

    def moments(what: Callable[..., datetime]) -> Iterator[float]:
        # Astral counts its days where the sun is; in a zone far from there the day's own may be its neighbour's.
        for near in (day, day - timedelta(days=1), day + timedelta(days=1)):
            try:
                yield what(where, date=near, tzinfo=zone).timestamp()
            except ValueError:
                continue

    return list(moments(sunrise)), list(moments(sunset))
