"""A picture of a history: charge, load and sun, outages, and what was off. Needs matplotlib, which no box has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pimgr.local_time import local
from pimgr.simulate.engine import Run
from pimgr.simulate.home import tier_of
from pimgr.simulate.year import Setup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURE = "the chart needs the Python module matplotlib, which is not installed: `pip install pimgr[plot]`"
GREY, RED, BLUE, ORANGE, GREEN = "#8a8a8a", "#c0392b", "#2c6fbb", "#e69f00", "#2e8b57"
LONG_DAYS = 45
"""Longer histories are drawn by the day: nobody can see an hour in a year."""
DAY_S = 86400.0


class NoPlot(Exception):
    """There is nothing to draw with. Its text is for a person."""


def paper() -> Figure:
    """Something to draw on. Raises NoPlot without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise NoPlot(CURE) from None
    figure = Figure(figsize=(14, 8), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def draw(setup: Setup, run: Run, figure: Figure, path: Path) -> None:
    """Write the chart as PNG. Raises OSError."""
    picture = _Picture(setup, run)
    charge, power, tiers = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 2))
    picture.charge(charge)
    picture.power(power)
    picture.tiers(tiers)
    for axes in (charge, power, tiers):
        picture.outages(axes)
    figure.suptitle(f"{setup.scenario.days} days from {setup.scenario.start}, seed {setup.scenario.seed!r}")
    figure.savefig(path, format="png")


class _Picture:
    def __init__(self, setup: Setup, run: Run) -> None:
        self.setup, self.run = setup, run
        self.zone = setup.world.zone
        self.by_day = setup.scenario.days > LONG_DAYS
        self.rows = run.trace.rows
        self.when = [self.at(row[0]) for row in self.rows]

    def at(self, t: float) -> Any:
        """A moment as the house's clock tells it."""
        return local(self.setup.world.weather.begin + t, self.zone)

    def charge(self, axes: Axes) -> None:
        """How full the battery is: all day, or each day's highest and lowest."""
        if self.by_day:
            days: dict[int, list[float]] = {}
            for row in self.rows:
                days.setdefault(int(row[0] / DAY_S), []).append(row[1])
            when = [self.at(day * DAY_S) for day in days]
            low, high = [min(v) for v in days.values()], [max(v) for v in days.values()]
            axes.fill_between(when, low, high, color=GREEN, alpha=0.35, step="post", label="lowest to highest")
        else:
            axes.plot(
                [self.at(r[0]) for r in self.rows], [r[1] for r in self.rows], color=GREEN, lw=1.2, label="charge"
            )
        steps = [(t, value.percent) for t, value in self.run.trace.settings if hasattr(value, "percent")]
        if steps and not self.by_day:
            ends = [*steps, (self.run.plant.t, steps[-1][1])]
            axes.step(
                [self.at(t) for t, _ in ends], [p for _, p in ends], where="post", color=GREY, ls=":", label="reserve"
            )
        axes.set_ylim(0, 102)
        axes.set_ylabel("battery, %")
        axes.legend(loc="lower left", fontsize=8)

    def power(self, axes: Axes) -> None:
        """What the house asks for and what the sun gives."""
        for column, colour, name in ((2, BLUE, "load"), (3, ORANGE, "sun")):
            if self.by_day:
                means = daily_means([(row[0], row[column]) for row in self.rows])
                when = [self.at(day * DAY_S) for day in means]
                mean = [watts / 1000.0 for watts in means.values()]
                axes.plot(when, mean, color=colour, lw=1.2, label=f"{name}, mean of the day", drawstyle="steps-post")
            else:
                values = [r[column] / 1000.0 for r in self.rows]
                axes.plot(
                    [self.at(r[0]) for r in self.rows], values, color=colour, lw=1.0, label=name, drawstyle="steps-post"
                )
        axes.set_ylim(bottom=0)
        axes.set_ylabel("kW")
        axes.legend(loc="upper left", fontsize=8)

    def tiers(self, axes: Axes) -> None:
        """What was off when: one line a tier, darker the more of its loads."""
        tier = tier_of(self.setup.policy)
        names = [each.name for each in self.setup.policy.tiers]
        size = {name: sum(1 for part in tier if tier[part] == name) for name in names}
        shed = self.run.trace.shed
        ends = [t for t, _ in shed[1:]] + [self.run.plant.t]
        for (t, parts), end in zip(shed, ends, strict=True):
            for row, name in enumerate(names):
                off = sum(1 for part in parts if tier.get(part) == name)
                if off:
                    span = (self.at(t), self.at(end))
                    axes.fill_between(
                        span, row - 0.35, row + 0.35, color=RED, alpha=0.25 + 0.6 * off / size[name], lw=0.4
                    )
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(-0.6, max(0.6, len(names) - 0.4))
        axes.invert_yaxis()
        axes.set_ylabel("off")
        axes.set_xlim(self.at(0.0), self.at(self.run.plant.t))

    def outages(self, axes: Axes) -> None:
        """Grey where the grid was away, red where the house was dark."""
        for outage in self.setup.outages:
            axes.axvspan(self.at(outage.start), self.at(outage.end), color=GREY, alpha=0.3, lw=0.4)
        for row, after in zip(self.rows, [*self.rows[1:], self.rows[-1]], strict=True):
            if row[5]:
                axes.axvspan(self.at(row[0]), self.at(after[0]), color="black", alpha=0.6, lw=0)
        axes.grid(alpha=0.2)


def daily_means(rows: Sequence[tuple[float, float]]) -> dict[int, float]:
    """By day of the history, the mean of what was so from each row's second until that of the next."""
    sums: dict[int, float] = {}
    seconds: dict[int, float] = {}
    for (t, value), (end, _) in pairwise(rows):
        for day in range(int(t / DAY_S), math.ceil(end / DAY_S)):
            lasts = min(end, (day + 1) * DAY_S) - max(t, day * DAY_S)
            sums[day] = sums.get(day, 0.0) + value * lasts
            seconds[day] = seconds.get(day, 0.0) + lasts
    return {day: total / seconds[day] for day, total in sums.items() if seconds[day]}
