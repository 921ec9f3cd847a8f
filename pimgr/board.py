"""The latest reading of everything, and the chains that choose between sources. Never raises, never waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pimgr.api import (
    ForecastReading,
    Frozen,
    Grid,
    GridReading,
    HostReading,
    Instant,
    LevelReading,
    LoadReading,
    Reading,
    SiteReading,
    ThermostatReading,
    replace,
)
from pimgr.clock import Clock
from pimgr.plausible import RAW_LENGTH, implausible, plain
from pimgr.policy.model import PartView

SITE_FRESH_S = 60.0
SITE_FRESH_CLOUD_S = 900.0
CLOUD_GAP_S = 900.0
UNSEEN_S = 180.0
"""Without a known answer for this long, the grid can't be seen. Sources of a cloud may be silent for their gap."""
POWERS = ("grid_w", "battery_w", "solar_w", "load_w", "charge")
SETTINGS = ("reserve", "mode", "grid_charging", "storm_watch", "storm", "capacity_wh")
"""What one meter may add to another's reading. Powers are never mixed: they belong to one moment."""


class ForecastView(Frozen, kw_only=True):
    """The last forecast that was read, however old; `fault`: why the last read gave none."""

    reading: ForecastReading | None = None
    fault: str = ""


@dataclass
class Board:
    """`grid_gap_s`: grid sources, best first, each with the longest silence after which the next one is believed.

    `meters`: site meters, best first; `meter_fresh_s`: how long a reading of each stands for the present. Readings
    arrive with their part's address as source.
    """

    clock: Clock
    grid_gap_s: dict[str, float] = field(default_factory=dict)
    meters: tuple[str, ...] = ()
    meter_fresh_s: dict[str, float] = field(default_factory=dict)
    _views: dict[str, PartView] = field(default_factory=dict)
    _grid: dict[str, GridReading] = field(default_factory=dict)
    _grid_new: list[GridReading] = field(default_factory=list)
    _grid_known: dict[str, Instant] = field(default_factory=dict)
    _grid_asked: dict[str, Instant] = field(default_factory=dict)
    _site: dict[str, SiteReading] = field(default_factory=dict)
    _forecasts: dict[str, ForecastView] = field(default_factory=dict)

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
            case ForecastReading():
                self._forecasts[part] = ForecastView(reading=replace(known, source=part))
            case LoadReading() | LevelReading() | HostReading() | ThermostatReading():
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

    def fail_forecast(self, part: str, fault: str) -> None:
        """A forecast could not be had: its old reading is kept, and is marked as old by its fault."""
        self._forecasts[part] = replace(self._forecasts.get(part, ForecastView()), fault=fault)

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
        for known in (self._views, self._grid, self._site, self._forecasts):
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
        Settings that this meter doesn't tell come from the first other one that told them lately.
        """
        best = self._best_meter()
        return best and replace(best, **{name: getattr(r, name) for name, r in self.told_by().items()})

    def told_by(self) -> dict[str, SiteReading]:
        """By field, the reading that each fact about the site comes from."""
        best, sources = self._best_meter(), dict[str, SiteReading]()
        for reading in (best, *self.settings()) if best else ():
            for name in (*POWERS, *SETTINGS) if reading is best else SETTINGS:
                if getattr(reading, name) is not None:
                    sources.setdefault(name, reading)
        return sources

    def _best_meter(self) -> SiteReading | None:
        boot = self.clock.now().boot
        with_charge = (r for r in self.settings() if r.charge is not None)
        return next(with_charge, None) or max(self._site.values(), key=lambda r: _newness(r, boot), default=None)

    def settings(self) -> tuple[SiteReading, ...]:
        """The latest reading of each meter that is still fresh, best meter first."""
        now = self.clock.now()
        known = [(meter, self._site[meter]) for meter in self.meters if meter in self._site]
        return tuple(r for m, r in known if r.at.boot == now.boot and now.since(r.at) <= self._fresh_s(m))

    def _fresh_s(self, meter: str) -> float:
        cloud = self.grid_gap_s.get(meter, 0.0) >= CLOUD_GAP_S
        return self.meter_fresh_s.get(meter, SITE_FRESH_CLOUD_S if cloud else SITE_FRESH_S)

    def forecasts(self) -> dict[str, ForecastView]:
        """Every forecast, as it is shown."""
        return dict(self._forecasts)

    def forecast(self) -> ForecastReading | None:
        """The newest forecast that this boot read, of whatever age: it dates its own hours."""
        boot = self.clock.now().boot
        known = (one.reading for one in self._forecasts.values() if one.reading and one.reading.at.boot == boot)
        return max(known, key=lambda reading: reading.at.mono_s, default=None)

    def views(self) -> dict[str, PartView]:
        """Every load and host, as the policy sees it."""
        return dict(self._views)


def _newness(reading: Reading, boot: str) -> tuple[bool, float]:
    at = reading.at
    return (True, at.mono_s) if at.boot == boot else (False, at.wall)
