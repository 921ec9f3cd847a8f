"""The latest reading of everything, and the chains that choose between sources. Never raises, never waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

import msgspec

from pimgr.api import Grid, GridReading, HostReading, Instant, LoadReading, Reading, SiteReading, replace
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
UNSEEN_S = 180.0
"""Without a known answer for this long, the grid can't be seen. Sources of a cloud may be silent for their gap."""
RAW_LENGTH = 100
"""Longest words of a gateway, or boot id, that are kept: they go into the journal and before people's eyes."""

Known = GridReading | SiteReading | LoadReading | HostReading


def plain(reading: Reading) -> Known | None:
    """The reading with every field of the type that it should have; None if it isn't that.

    Constructors don't validate, so a plugin may put a text where a number belongs; what doesn't survive msgpack would
    break the journal later.
    """
    try:
        known: Known = msgspec.msgpack.decode(msgspec.msgpack.encode(reading), type=Known)
    except (TypeError, ValueError, OverflowError, RecursionError):  # msgspec's own errors are ValueErrors
        return None
    return known


def implausible(reading: Reading, clock: Clock) -> str:
    """Why a reading can't be true; "" if it can."""
    for name, (low, high) in RANGES.items():
        value = getattr(reading, name, None)
        if value is not None and not finite_and_in_range(value, low, high):
            return f"says {name} = {value}, which no house has ({low:g} to {high:g})"
    if isinstance(reading, HostReading) and len(reading.boot_id or "") > RAW_LENGTH:
        return "gave a boot id that is far too long"
    now, at = clock.now(), reading.at
    if at.boot != now.boot or not (isfinite(at.mono_s) and isfinite(at.wall)):
        return "gave a reading that is not dated by pimgr's clock"
    return "gave a reading from the future" if at.mono_s > now.mono_s + FUTURE_S else ""


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
    _grid_known: dict[str, Instant] = field(default_factory=dict)
    _grid_asked: dict[str, Instant] = field(default_factory=dict)
    _site: dict[str, SiteReading] = field(default_factory=dict)

    def put(self, part: str, reading: Reading) -> str:
        """Take a reading; gives the reason where it is refused, "" otherwise."""
        known = plain(reading)
        if known is None:
            return f"gave a {type(reading).__name__} with fields of the wrong type"
        problem = implausible(known, self.clock)
        if problem:
            return problem
        match known:
            case GridReading():
                self._put_grid(part, replace(known, source=part, raw=known.raw[:RAW_LENGTH]))
            case SiteReading():
                self._site[part] = replace(known, source=part)
            case LoadReading() | HostReading():
                before = self._views.get(part, PartView())
                boot = known.boot_id if isinstance(known, HostReading) and known.up else None
                self._views[part] = PartView(
                    reading=replace(known, source=part),
                    steady_since=before.steady_since or known.at,
                    last_boot=boot or before.last_boot,
                )
        return ""

    def fail(self, part: str, fault: str) -> None:
        """The last read of this part gave nothing: whatever it was, it may have changed unseen since."""
        known = self._views.get(part, PartView())
        self._views[part] = replace(known, steady_since=None, fault=fault)

    def fail_grid(self, source: str) -> None:
        """This grid source did not answer: the next one in the chain is believed at once."""
        self._grid.pop(source, None)

    def remember(self, readings: Mapping[str, Reading]) -> None:
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
        if reading.grid is not Grid.UNKNOWN:
            self._grid_known[part] = reading.at
        if self._best_grid() == part:
            self._grid_new.append(reading)

    def _best_grid(self) -> str | None:
        """The first source that answered lately and knows; failing that, the first that answered lately."""
        now = self.clock.now()
        lately = [s for s, gap in self.grid_gap_s.items() if s in self._grid and now.since(self._grid[s].at) <= gap]
        knowing = [s for s in lately if self._grid[s].grid is not Grid.UNKNOWN or self._grid[s].passing]
        return next(iter(knowing or lately), None)

    def grid_seen(self) -> bool | None:
        """Whether any source told lately how the grid is; None while a source may still give its first answer."""
        now, known = self.clock.now(), self._grid_known
        asked = [self._grid_asked.setdefault(source, now.instant) for source in self.grid_gap_s or ("",)]
        if any(s in known and now.since(known[s]) <= max(UNSEEN_S, gap) for s, gap in self.grid_gap_s.items()):
            return True
        return None if any(now.since(since) <= UNSEEN_S for since in asked) else False

    def take_grid(self) -> tuple[GridReading, ...]:
        """The grid readings that came since the last call, of the source believed at the time."""
        new, self._grid_new = tuple(self._grid_new), []
        return new

    def site(self) -> SiteReading | None:
        """The first meter that told the charge lately, else the newest reading there is, of whatever age.

        What this boot measured is newer than anything remembered: the wall clock may be years behind after a blackout.
        """
        now = self.clock.now()
        for meter in self.meters:
            reading = self._site.get(meter)
            gap = SITE_FRESH_CLOUD_S if self.grid_gap_s.get(meter, 0.0) >= CLOUD_GAP_S else SITE_FRESH_S
            if reading and reading.at.boot == now.boot and now.since(reading.at) <= gap and reading.charge is not None:
                return reading
        return max(self._site.values(), key=lambda r: _newness(r, now.boot), default=None)

    def views(self) -> dict[str, PartView]:
        """Every switched load and host, as the policy sees it."""
        return dict(self._views)


def _newness(reading: Reading, boot: str) -> tuple[bool, float]:
    at = reading.at
    return (True, at.mono_s) if at.boot == boot else (False, at.wall)
