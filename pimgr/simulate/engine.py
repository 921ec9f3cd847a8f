"""Virtual time: it jumps to the next thing that happens, and whoever decides is asked then.

A `Brain` is a policy: the real ring (`pimgr.simulate.ring`), or one of those that it is compared with
(`pimgr.simulate.rivals`). It is asked after everything that happens in the house, and when it asked to be.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Protocol

from pimgr.policy.aspects import Setting
from pimgr.policy.calendar import Calendar, Window
from pimgr.simulate.outages import Outage
from pimgr.simulate.plant import Plant

HOUR_S = 3600.0
SPIN_S, SPIN = 60.0, 3000
"""More steps than this within a minute are a rule that never comes to rest."""
Calendars = Callable[[float], Calendar | None]
"""The days and tariff windows around a moment (UTC in s)."""


class Spinning(Exception):
    """A policy wants to be woken again and again without time going by."""


class Brain(Protocol):
    """`wake`: when it wants to be asked, in s since the beginning, whatever happens."""

    wake: float

    def think(self, run: Run) -> None:
        """Look at the house, act through `run`, and set `wake`."""

    def grid_changes(self, run: Run) -> None:
        """The grid is about to come or go, at this moment."""


class Trace:
    """What a chart and a comparison need. A row is true until the next, within the hour; charge goes on changing."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, float, float, float, bool, bool]] = []
        self.shed: list[tuple[float, frozenset[str]]] = []
        self.settings: list[tuple[float, Setting]] = []

    def note(self, plant: Plant) -> None:
        """A row: s, charge, load in W, sun in W, whether the grid is there, whether it is dark."""
        self.rows.append((plant.t, plant.charge, plant.load_w, plant.sun_w, plant.grid_up, plant.dark))
        if not self.shed or self.shed[-1][1] != plant.shed:
            self.shed.append((plant.t, frozenset(plant.shed)))


class Run:
    """One policy living through one history."""

    def __init__(self, plant: Plant, brain: Brain, outages: tuple[Outage, ...], calendars: Calendars) -> None:
        self.plant, self.brain, self.outages, self.calendars = plant, brain, outages, calendars
        self.trace = Trace()
        self.steps = 0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._turns = 0
        self._calendar: tuple[float, Calendar | None] = (-math.inf, None)
        self._window: Window | None = None
        for outage in outages:
            self.at(outage.start, lambda: self._grid(False))
            self.at(outage.end, lambda: self._grid(True))
        self._window_passes()

    # ---------------------------------------------------------------------------------------------------- to plan

    def at(self, t: float, deed: Callable[[], None]) -> None:
        """Let it happen then."""
        self._turns += 1
        heapq.heappush(self._queue, (max(t, self.plant.t), self._turns, deed))

    def after(self, seconds: float, deed: Callable[[], None]) -> None:
        self.at(self.plant.t + seconds, deed)

    def calendar(self, wall: float) -> Calendar | None:
        """As the almanac has it; worked out once an hour."""
        hour = wall // HOUR_S
        if self._calendar[0] != hour:
            self._calendar = (hour, self.calendars(wall))
        return self._calendar[1]

    # ------------------------------------------------------------------------------------------------------- to be

    def until(self, end: float) -> None:
        """Let everything happen up to `end`, in s since the beginning."""
        plant, brain, began, count = self.plant, self.brain, self.plant.t, 0
        if not self.steps:
            brain.think(self)
        while True:
            t = min(plant.next_change(), brain.wake, self._queue[0][0] if self._queue else end)
            if t >= end:
                break
            plant.flow(t)
            news = self._happen(t)
            news |= plant.settle()
            if news or t >= brain.wake:
                self.trace.note(plant)
                brain.think(self)
                if plant.moved:
                    plant.settle()
            self.steps += 1
            began, count = (t, 0) if t - began > SPIN_S else (began, count + 1)
            if count > SPIN:
                raise Spinning(
                    f"the simulation never comes to rest: {SPIN} steps in a minute, {t:.0f} s after it began"
                )
        plant.flow(end)
        plant.settle()
        self.trace.note(plant)

    def _happen(self, t: float) -> bool:
        """Everything that is due; whether anything was."""
        news = False
        while self._queue and self._queue[0][0] <= t:
            heapq.heappop(self._queue)[2]()
            news = True
        return news

    def _grid(self, up: bool) -> None:
        self.brain.grid_changes(self)
        self.plant.grid_up = up

    def _window_passes(self) -> None:
        """What is bought counts by the tariff's own times, not by those at which a policy acts early."""
        wall = self.plant.wall
        calendar = self.calendar(wall)
        windows = calendar.windows if calendar else ()
        window = next((w for w in windows if w.begins <= wall < w.ends), None)
        if window is None:
            self.plant.period = ""
            return
        self.plant.period = window.period
        self.at(self.plant.t + window.ends - wall, self._window_passes)
