"""The latest reading of everything, and the chains that choose between sources. Never raises, never waits."""

from __future__ import annotations

from dataclasses import dataclass, field

from pimgr.api import Grid, GridReading, HostReading, LoadReading, Reading, SiteReading, replace
from pimgr.clock import Clock
from pimgr.policy.model import PartView
from pimgr.units import finite_and_in_range

RANGES: dict[str, tuple[float, float]] = {
    "grid_w": (-1e6, 1e6),
    "battery_w": (-1e6, 1e6),
    "solar_w": (-1e3, 1e6),
    "load_w": (-1e3, 1e6),
    "power_w": (-10.0, 1e6),
    "charge": (0.0, 100.0),
    "charge_raw": (0.0, 100.0),
    "capacity_wh": (0.0, 1e7),
    "reserve": (0.0, 100.0),
    "indoor": (-60.0, 80.0),
}
"""What a house can produce. A meter at rest reads a little below zero."""
FUTURE_S = 2.0
SITE_FRESH_S = 60.0
SITE_FRESH_CLOUD_S = 900.0
CLOUD_GAP_S = 900.0


def implausible(reading: Reading, clock: Clock) -> str:
    """Why a reading can't be true; "" if it can."""
    for name, (low, high) in RANGES.items():
        value = getattr(reading, name, None)
        if value is not None and not finite_and_in_range(value, low, high):
            return f"says {name} = {value}, which no house has ({low:g} to {high:g})"
    now = clock.now()
    if reading.at.boot == now.boot and reading.at.mono_s > now.mono_s + FUTURE_S:
        return "gave a reading from the future"
    return ""


@dataclass
class Board:
    """`grid_gap_s`: grid sources, best first, each with the longest silence after which the next one is believed.

    `meters`: site meters, best first. Readings arrive with their part's address as source.
    """

    clock: Clock
    grid_gap_s: dict[str, float] = field(default_factory=dict)
    meters: tuple[str, ...] = ()
    _views: dict[str, PartView] = field(default_factory=dict)
    _grid: dict[str, GridReading] = field(default_factory=dict)
    _grid_new: list[GridReading] = field(default_factory=list)
    _site: dict[str, SiteReading] = field(default_factory=dict)

    def put(self, part: str, reading: Reading) -> str:
        """Take a reading; gives the reason where it is refused, "" otherwise."""
        problem = implausible(reading, self.clock)
        if problem:
            return problem
        reading = replace(reading, source=part)
        if isinstance(reading, GridReading):
            self._put_grid(part, reading)
        elif isinstance(reading, SiteReading):
            self._site[part] = reading
        elif isinstance(reading, LoadReading | HostReading):
            steady = self._views[part].steady_since if part in self._views else None
            self._views[part] = PartView(reading=reading, steady_since=steady or reading.at)
        return ""

    def fail(self, part: str, fault: str) -> None:
        """The last read of this part gave nothing: whatever it was, it may have changed unseen since."""
        known = self._views.get(part)
        self._views[part] = PartView(reading=known.reading if known else None, fault=fault)

    def fail_grid(self, source: str) -> None:
        """This grid source did not answer: the next one in the chain is believed at once."""
        self._grid.pop(source, None)

    def remember(self, readings: dict[str, Reading]) -> None:
        """What was known before the start, with its original age. It is shown and estimated from, never acted on."""
        for part, reading in readings.items():
            if isinstance(reading, SiteReading):
                self._site.setdefault(part, reading)

    def forget_all_but(self, parts: set[str]) -> None:
        """Drop what left the house."""
        for known in (self._views, self._grid, self._site):
            for part in [p for p in known if p not in parts]:
                del known[part]

    def _put_grid(self, part: str, reading: GridReading) -> None:
        self._grid[part] = reading
        best = self._best_grid()
        if best is None or best == part:
            self._grid_new.append(reading)

    def _best_grid(self) -> str | None:
        """The first source that answered lately and knows; failing that, the first that answered lately."""
        now = self.clock.now()
        lately = [s for s, gap in self.grid_gap_s.items() if s in self._grid and now.since(self._grid[s].at) <= gap]
        knowing = [s for s in lately if self._grid[s].grid is not Grid.UNKNOWN or self._grid[s].passing]
        return next(iter(knowing or lately), None)

    def take_grid(self) -> tuple[GridReading, ...]:
        """The grid readings that came since the last call, of the source believed at the time."""
        new, self._grid_new = tuple(self._grid_new), []
        return new

    def site(self) -> SiteReading | None:
        """The first meter that answered lately, else the newest reading there is, of whatever age."""
        now = self.clock.now()
        for meter in self.meters:
            reading = self._site.get(meter)
            gap = SITE_FRESH_CLOUD_S if self.grid_gap_s.get(meter, 0.0) >= CLOUD_GAP_S else SITE_FRESH_S
            if reading and reading.at.boot == now.boot and now.since(reading.at) <= gap and reading.charge is not None:
                return reading
        return max(self._site.values(), key=lambda r: r.at.wall, default=None)

    def views(self) -> dict[str, PartView]:
        """Every switched load and host, as the policy sees it."""
        return dict(self._views)
