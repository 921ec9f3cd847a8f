"""The days around now, as the house lives them: local midnights, tariff windows, sunrise. Data and plain questions.

The ring knows no time zones: `pimgr.almanac` works out these instants (UTC in s) where zones and holidays are known,
and every decision carries them. So a decision replays the same wherever, and whatever a time-zone file says later.
"""

from __future__ import annotations

from pimgr.api import Frozen

DAY_S = 86400.0


class Place(Frozen, kw_only=True):
    """Where the house is: latitude and longitude in degrees, north and east positive. `zone`: IANA's; "": the box's."""

    zone: str = ""
    latitude: float | None = None
    longitude: float | None = None


class Day(Frozen, kw_only=True):
    """One local day from midnight to midnight, 23 to 25 hours long. `date`: "2026-07-31"; `weekday`: 0 is Monday.

    `title`: as people are told it, such as "Friday 31 July"; `number`: days since 1970-01-01, one more each day.
    `sunrise`, `sunset`: None where the place is not told, or the sun does neither. `holiday`: its name, or "".
    """

    date: str
    title: str
    number: int
    start: float
    end: float
    weekday: int
    holiday: str = ""
    sunrise: float | None = None
    sunset: float | None = None


class Offset(Frozen):
    """From `since` (UTC in s) on, clocks here are `ahead_s` before UTC; west of Greenwich it is negative."""

    since: float
    ahead_s: float


class Window(Frozen, kw_only=True):
    """A stretch of one tariff period. Windows follow each other without gap or overlap.

    `start` to before `end`: when it is in force here, entered early and left late as the config says; `begins` to
    `ends`: the tariff's own times. `id` is unique: it names the episode. `until`: `end` as the house's clock shows it.
    """

    id: str
    period: str
    season: str
    peak: bool
    start: float
    end: float
    begins: float
    ends: float
    until: str = ""


class Calendar(Frozen, kw_only=True):
    """From yesterday to a few days ahead, oldest first. Without a tariff there are no windows.

    `offsets`: how clocks here are set, the first from the first day's start or earlier, then one for each change.
    """

    days: tuple[Day, ...] = ()
    windows: tuple[Window, ...] = ()
    offsets: tuple[Offset, ...] = (Offset(0.0, 0.0),)

    def day(self, wall: float) -> Day | None:
        """The local day at this moment (UTC in s)."""
        return next((day for day in self.days if day.start <= wall < day.end), None)

    def window(self, wall: float) -> Window | None:
        """The tariff window in force at this moment."""
        return next((window for window in self.windows if window.start <= wall < window.end), None)

    def next_sunrise(self, wall: float) -> float | None:
        """The first sunrise after this moment."""
        return next((day.sunrise for day in self.days if day.sunrise is not None and day.sunrise > wall), None)

    def next_sunset(self, wall: float) -> float | None:
        """The first sunset after this moment."""
        return next((day.sunset for day in self.days if day.sunset is not None and day.sunset > wall), None)

    def ahead_s(self, wall: float) -> float:
        """How far clocks here are before UTC, in s."""
        return next((o.ahead_s for o in reversed(self.offsets) if o.since <= wall), 0.0)

    def clock_time(self, wall: float) -> str:
        """What clocks here show at this moment: "18:40"."""
        minutes = int((wall + self.ahead_s(wall)) % DAY_S) // 60
        return f"{minutes // 60:02d}:{minutes % 60:02d}"

    def dated(self, wall: float, now: float) -> str:
        """Such as "18:40", "yesterday 18:40" or "Friday 31 July 18:40"; "" for a day that the calendar doesn't hold."""
        day, today = self.day(wall), self.day(now)
        if day is None or today is None:
            return ""
        before = {0: "", -1: "yesterday ", 1: "tomorrow "}.get(day.number - today.number, f"{day.title} ")
        return before + self.clock_time(wall)

    def moment(self, day: Day, clock_s: float) -> float:
        """When the clocks show so many seconds after midnight on this day (UTC in s).

        A time that comes twice means the first; one that a change leaves out is the moment of the change.
        """
        shown = day.number * DAY_S + clock_s
        ways = sorted({shown - o.ahead_s for o in self.offsets} or {shown})
        changes = [o.since for o in self.offsets if day.start <= o.since < day.end]
        return next((way for way in ways if self.ahead_s(way) == shown - way), max(changes, default=ways[0]))
