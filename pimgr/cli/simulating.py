"""`pimgr simulate`: a year of a house in a minute, and what it cost under pimgr and under others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import msgspec

from pimgr.api import replace
from pimgr.cli import say, scorecard
from pimgr.cli.exits import Exit
from pimgr.config import ConfigErrors, HouseConfig
from pimgr.policy.said import counted
from pimgr.simulate import home, scenario, year
from pimgr.simulate.chart import NoPlot, draw, paper
from pimgr.simulate.engine import Spinning
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
    try:
        house = home.default() if wanted.config is None else home.read(wanted.config)
        befalls = _scenario(wanted, house)
    except ConfigErrors as errors:
        say.wrong(errors)
    if not house.grid_sources or not house.policy.parts:
        say.fail("this config has nothing to simulate: no grid source, or no load", Exit.NO)
    try:
        figure = None if wanted.chart is None else paper()
        setup = year.set_up(house, befalls)
        say.meanwhile(f"Living through {counted(befalls.days, 'day')}; a year takes about a minute ...")
        mine, cards = _lived(setup, alone=wanted.alone or befalls.faults)
    except (NoPlot, Spinning) as error:
        say.fail(str(error), Exit.NO)
    say.lines(scorecard.scorecard(setup, cards))
    say.lines(scorecard.found(mine.found) if befalls.faults or mine.found else [])
    try:
        if wanted.json is not None:
            wanted.json.write_bytes(_json(befalls, setup, cards))
        if wanted.chart is not None and figure is not None:
            draw(setup, mine.run, figure, wanted.chart)
    except OSError as error:
        say.fail(str(error), Exit.NO)
    say.leave(Exit.NO if mine.found else Exit.OK)


def _lived(setup: year.Setup, *, alone: bool) -> tuple[year.Lived, list[Card]]:
    """pimgr's own run, and the accounts of all. Nobody else is asked to bear faults."""
    mine = year.ours(setup)
    others = () if alone else year.compared(setup, mine.run.trace.settings)
    return mine, [mine.card, *(lived.card for lived in others)]


def _json(befalls: Scenario, setup: year.Setup, cards: list[Card]) -> bytes:
    told = {"scenario": befalls, "outages": setup.outages, "notes": setup.world.home.notes, "policies": cards}
    return msgspec.json.format(msgspec.json.encode(told)) + b"\n"


def _scenario(wanted: Wanted, house: HouseConfig) -> Scenario:
    """Raises ConfigErrors."""
    befalls = Scenario() if wanted.scenario is None else scenario.read(wanted.scenario, home.loads(house))
    if wanted.days is not None:
        if not 1 <= wanted.days <= MOST_DAYS:
            say.fail(f"--days {wanted.days}: from 1 to {MOST_DAYS}", Exit.USAGE)
        befalls = replace(befalls, days=wanted.days)
    if wanted.faults:
        befalls = replace(befalls, faults=True)
    return befalls if wanted.seed is None else replace(befalls, seed=wanted.seed)
