"""The days around now, as the house lives them: local midnights, tariff windows, sunrise. Data and plain questions.

The ring knows no time zones: `pimgr.almanac` works out these instants (UTC in s) where zones and holidays are known,
and every decision carries them. So a decision replays the same wherever, and whatever a time-zone file says later.
"""

from __future__ import annotations

from pimgr.api import Frozen


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
    """From yesterday to a few days ahead, oldest first. Without a tariff there are no windows."""

    days: tuple[Day, ...] = ()
    windows: tuple[Window, ...] = ()

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
