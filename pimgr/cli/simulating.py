"""`pimgr simulate`: a year of a house in a minute, and what it cost under pimgr and under others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import msgspec

from pimgr import config as configs
from pimgr import plugins as plugin_loading
from pimgr.api import replace
from pimgr.cli import say, scorecard
from pimgr.cli.exits import Exit
from pimgr.config import ConfigErrors, HouseConfig
from pimgr.simulate import home, scenario, types, year
from pimgr.simulate.chart import NoPlot, draw
from pimgr.simulate.scenario import MOST_DAYS, Scenario
from pimgr.simulate.score import Card


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the command line asks for; None: as the scenario, or the default, has it."""

    config: Path | None
    days: int | None
    scenario: Path | None
    seed: str | None
    json: Path | None
    chart: Path | None
    alone: bool
    faults: bool


def simulate(wanted: Wanted) -> NoReturn:
    """Print the scorecard, and end the program: 0, or 1 where config or scenario have errors, or a check found some."""
    house, befalls = _house(wanted.config), _scenario(wanted)
    if not house.grid_sources or not house.policy.parts:
        say.fail("this config has nothing to simulate: no grid source, or no load", Exit.NO)
    setup = year.set_up(house, befalls)
    mine = year.ours(setup)
    cards = [mine.card]
    if not wanted.alone:
        cards += [lived.card for lived in year.compared(setup, mine.run.trace.settings)]
    say.lines(scorecard.scorecard(setup, cards))
    say.lines(scorecard.found(mine.found) if befalls.faults else [])
    try:
        if wanted.json is not None:
            wanted.json.write_bytes(_json(befalls, setup, cards))
        if wanted.chart is not None:
            draw(setup, mine.run, wanted.chart)
    except (OSError, NoPlot) as error:
        say.fail(str(error), Exit.NO)
    say.leave(Exit.NO if mine.found or mine.card.wrong else Exit.OK)


def _json(befalls: Scenario, setup: year.Setup, cards: list[Card]) -> bytes:
    told = {"scenario": befalls, "outages": setup.outages, "notes": setup.world.home.notes, "policies": cards}
    return msgspec.json.format(msgspec.json.encode(told)) + b"\n"


def _house(path: Path | None) -> HouseConfig:
    try:
        if path is None:
            return home.default()
        return configs.load(path, plugin_loading.load(extra={types.NAME: types}))
    except ConfigErrors as errors:
        say.lines(str(errors).split("\n"))
        say.leave(Exit.NO)


def _scenario(wanted: Wanted) -> Scenario:
    try:
        befalls = scenario.read(wanted.scenario) if wanted.scenario is not None else Scenario()
    except ConfigErrors as errors:
        say.lines(str(errors).split("\n"))
        say.leave(Exit.NO)
    if wanted.days is not None:
        if not 1 <= wanted.days <= MOST_DAYS:
            say.fail(f"--days {wanted.days}: from 1 to {MOST_DAYS}", Exit.USAGE)
        befalls = replace(befalls, days=wanted.days)
    if wanted.faults:
        befalls = replace(befalls, faults=True)
    return befalls if wanted.seed is None else replace(befalls, seed=wanted.seed)
