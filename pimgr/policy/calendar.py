"""The days around now, as the house lives them: local midnights, tariff windows, sunrise. Data and plain questions.

The ring knows no time zones: `pimgr.almanac` works out these instants (UTC in s) where zones and holidays are known,
and every decision carries them. So a decision replays the same wherever, and whatever a time-zone file says later.
"""

from __future__ import annotations

from pimgr.api import Frozen

DAY_S = 86400.0
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NIGHT_S = 4 * 3600.0
"""By then clocks have changed, on the days on which they do."""


class Place(Frozen, kw_only=True):
    """Where the house is: latitude and longitude in degrees, north and east positive. `zone`: IANA's; "": the box's."""

    zone: str = ""
    latitude: float | None = None
    longitude: float | None = None


class Day(Frozen, kw_only=True):
    """One local day from midnight to midnight, 23 to 25 hours long. `date`: "2026-07-31"; `weekday`: 0 is Monday.

    `sunrise`, `sunset`: None where the place is not told, or the sun does neither. `holiday`: its name, or "".
    """

    date: str
    start: float
    end: float
    weekday: int
    holiday: str = ""
    sunrise: float | None = None
    sunset: float | None = None

    @property
    def _is_dated(self) -> bool:
        """Whether `date` is one: a calendar of an old decision, or of a test, must not stop a tick."""
        pieces = self.date.split("-")
        return (
            [len(p) for p in pieces] == [4, 2, 2] and all(p.isdecimal() for p in pieces) and 1 <= int(pieces[1]) <= 12
        )

    @property
    def number(self) -> int:
        """Days from 1970-01-01 to its date. Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"."""
        if not self._is_dated:
            return int((self.start + self.end) / 2.0 // DAY_S)
        year, month, day = (int(piece) for piece in self.date.split("-"))
        year -= month <= 2
        of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
        era, of_era = divmod(year, 400)
        return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468

    @property
    def title(self) -> str:
        """Such as "Friday 31 July"."""
        if not self._is_dated:
            return self.date
        _, month, day = self.date.split("-")
        return f"{WEEKDAYS[self.weekday]} {int(day)} {MONTHS[int(month) - 1]}"


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
    offsets: tuple[Offset, ...] = ()

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

    def next_edge(self, wall: float) -> float | None:
        """When the next day or window begins."""
        edges = [*(day.start for day in self.days), *(window.start for window in self.windows)]
        return min((edge for edge in edges if edge > wall), default=None)

    def ahead_s(self, wall: float) -> float | None:
        """How far clocks here are before UTC; None where that was not told."""
        return next((o.ahead_s for o in reversed(self.offsets) if o.since <= wall), None)

    def clock_s(self, wall: float) -> float | None:
        """What clocks here show at this moment, in s after midnight; None for a day that the calendar doesn't hold.

        Without offsets it is counted from the day's own ends, and may be an hour wrong in the night of a change.
        """
        ahead, day = self.ahead_s(wall), self.day(wall)
        if ahead is not None:
            return (wall + ahead) % DAY_S
        if day is None:
            return None
        since = wall - day.start
        return since if since < NIGHT_S else max(0.0, DAY_S - (day.end - wall))

    def clock_time(self, wall: float) -> str:
        """As clocks here show it: "18:40"; "" for a day that the calendar doesn't hold."""
        shown = self.clock_s(wall)
        return "" if shown is None else f"{int(shown) // 3600:02d}:{int(shown) // 60 % 60:02d}"

    def moment(self, day: Day, clock_s: float) -> float:
        """When the clocks show so many seconds after midnight on this day (UTC in s).

        A time that comes twice means the first; one that a change leaves out is the moment of the change.
        """
        if not self.offsets:
            return day.start + clock_s if clock_s < NIGHT_S else day.end - (DAY_S - clock_s)
        shown = day.number * DAY_S + clock_s
        ways = sorted({shown - o.ahead_s for o in self.offsets})
        changes = [o.since for o in self.offsets if day.start <= o.since < day.end]
        return next((way for way in ways if self.ahead_s(way) == shown - way), max(changes, default=ways[0]))
