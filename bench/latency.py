"""From the grid's change to the first command on the wire, by the house's own log."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from bench.box import PATIENCE_S, Timing, config, folder, grid_entry, loads, plugs, truth
from bench.figures import Figure, spread
from bench.machine import watched
from pimgr.demo.stage import Stage
from pimgr.house import House

PLUGS = 2
STARTS_AT_ONCE = 2


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`houses` at once, `trials` one after another in each."""

    name: str
    what: str
    timing: Timing
    limit_s: float
    houses: int
    trials: int


@dataclass(frozen=True)
class Trial:
    """Seconds from the grid's change: until the gateway was next asked, to the first command, to the last load off."""

    seen_s: float
    first_s: float
    last_s: float


FAST = Timing(poll_s=1.0, confirm_s=0.0)
USUAL = Timing(poll_s=2.0, confirm_s=4.0)


async def fast(quick: bool) -> list[Figure]:
    """Poll 1 s, no confirmation: the fastest that pimgr can be asked to be."""
    what = "grid change to first command on the wire; poll 1 s, confirm 0"
    plan = Plan(name="detection-fast", what=what, timing=FAST, limit_s=1.2, houses=16, trials=13)
    return [await _measure(plan, quick)]


async def usual(quick: bool) -> list[Figure]:
    """The defaults."""
    what = "grid change to first command on the wire; the defaults (poll 2 s, confirm 4 s)"
    plan = Plan(name="detection-default", what=what, timing=USUAL, limit_s=7.5, houses=20, trials=10)
    return [await _measure(plan, quick)]


async def _measure(plan: Plan, quick: bool) -> Figure:
    houses, trials = (6, 3) if quick else (plan.houses, plan.trials)
    phase = random.SystemRandom()
    gate = asyncio.Semaphore(STARTS_AT_ONCE)
    async with AsyncExitStack() as stack:
        started = [await _house(stack, plan.timing, number) for number in range(houses)]
        await asyncio.gather(*(_start(stage, gate) for _, stage in started))
        async with watched([stage.process.pid for _, stage in started if stage.process]) as load:
            rows = await asyncio.gather(*(_house_trials(house, plan, trials, phase) for house, _ in started))
    seen = [trial for row in rows for trial in row]
    firsts = spread([t.first_s for t in seen])
    detail: dict[str, Any] = {
        "judged_by": "p99",
        "houses_at_once": houses,
        "settings": f"poll {plan.timing.poll_s:g} s, confirm {plan.timing.confirm_s:g} s",
        "gateway_asked_after_s": spread([t.seen_s for t in seen]),
        "from_that_question_to_command_s": spread([t.first_s - t.seen_s for t in seen]),
        "last_load_off_s": spread([t.last_s for t in seen]),
        "load": load.told,
    }
    return Figure(
        name=plan.name,
        what=plan.what,
        value=firsts["p99"],
        unit="s",
        n=len(seen),
        limit=plan.limit_s,
        spread=firsts,
        detail=detail,
    )


async def _house(stack: AsyncExitStack, timing: Timing, number: int) -> tuple[House, Stage]:
    house = await stack.enter_async_context(plugs(PLUGS))
    stage = Stage(stack.enter_context(folder(str(number))))
    stack.push_async_callback(stage.close)
    stage.write(config(house, timing), {"gateway-password": "S3cr3t"})
    return house, stage


async def _start(stage: Stage, gate: asyncio.Semaphore) -> None:
    async with gate:
        await stage.start()


async def _house_trials(house: House, plan: Plan, trials: int, phase: random.Random) -> list[Trial]:
    """One outage after another, each at a moment that has nothing to do with the polls."""
    for name in ("gateway", *loads(house)):
        await house.wire.wait_for(lambda e, name=name: e.device == name and e.what == "query", PATIENCE_S)  # type: ignore[misc]
    return [await _trial(house, plan.timing, phase) for _ in range(trials)]


async def _trial(house: House, timing: Timing, phase: random.Random) -> Trial:
    # Calm first, so that the grid is polled at the usual rate again, then some whole polls' worth of chance.
    await asyncio.sleep(1.5 * timing.poll_s + phase.uniform(0.0, 2.0 * timing.poll_s))
    mark = len(house.wire)
    house.grid_up(False)
    down = grid_entry(house.wire[mark:])
    asked = await house.wire.wait_for(
        lambda e: e.device == "gateway" and "grid_status" in e.value, PATIENCE_S, since=down.seq
    )
    command = await house.wire.wait_for(lambda e: e.what == "switch", PATIENCE_S, since=down.seq)
    last = max([await truth(house, name, "off", down.seq) for name in loads(house)])
    house.grid_up(True)
    for name in loads(house):
        await truth(house, name, "on", down.seq)
    return Trial(asked.mono_s - down.mono_s, command.mono_s - down.mono_s, last - down.mono_s)
