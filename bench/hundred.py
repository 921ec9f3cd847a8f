"""A hundred plugs, thirty of them dead: how long until the living ones are off, here and in the predecessors' way."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bench.box import PATIENCE_S, ROOT, Timing, config, folder, grid_entry, loads, plugs, truth
from bench.figures import Figure, spread
from bench.machine import watched
from pimgr.demo.stage import Stage
from pimgr.house import Fault, House

PLUGS, DEAD = 100, 30
DEAD_MEASURED = 1
"""Dead plugs that the predecessors' way really waits for in each pair; the other 29 are counted as long as this one."""
TIMING = Timing(poll_s=1.0, confirm_s=0.0)


@dataclass(frozen=True)
class Ours:
    """Seconds to the last living plug off: from the gateway's answer that told of it, and from the first command.

    `decided_s`: from the grid's change to that answer.
    """

    off_s: float
    from_first_command_s: float
    decided_s: float


@dataclass(frozen=True)
class Theirs:
    """Seconds of the whole row: `measured_s` with one dead plug, `off_s` with thirty; `dead_s`: what one costs."""

    off_s: float
    measured_s: float
    dead_s: float


async def hundred(quick: bool) -> list[Figure]:
    """Pairs of both ways, in turn, each in a house of its own: the one must not see the other's switching."""
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(plugs(PLUGS))
        theirs = await stack.enter_async_context(plugs(PLUGS))
        stage = Stage(stack.enter_context(folder("plugs")))
        stack.push_async_callback(stage.close)
        stage.write(config(ours, TIMING), {"gateway-password": "S3cr3t"})
        await stage.start()
        assert stage.process is not None
        pairs: list[tuple[Ours, Theirs]] = []
        known_since = 0
        async with watched([stage.process.pid]) as load:
            for number in range(1 if quick else 6):
                before = await _theirs(theirs) if number % 2 else None
                await _answered(ours, known_since)
                mine = await _ours(ours)
                known_since = len(ours.wire)
                pairs.append((mine, before or await _theirs(theirs)))
    return _figures(pairs, load.told)


def _figures(pairs: list[tuple[Ours, Theirs]], load: dict[str, float]) -> list[Figure]:
    off = [mine.off_s for mine, _ in pairs]
    ratios = [other.off_s / mine.off_s for mine, other in pairs]
    return [
        Figure(
            name="100-plugs",
            what=f"{PLUGS} Kasa plugs, {DEAD} of them dead with the grid: gateway's answer to last living one off",
            value=max(off),
            unit="s",
            n=len(pairs),
            limit=2.0,
            spread=spread(off),
            detail={
                "judged_by": "worst trial",
                "from_first_command_s": spread([mine.from_first_command_s for mine, _ in pairs]),
                "grid_change_to_gateways_answer_s": spread([mine.decided_s for mine, _ in pairs]),
                "load": load,
            },
        ),
        _one_by_one([other for _, other in pairs]),
        Figure(
            name="100-plugs-ratio",
            what="the predecessors' way against ours, pair by pair (median)",
            value=statistics.median(ratios),
            unit="x",
            n=len(pairs),
            spread=spread(ratios),
        ),
    ]


def _one_by_one(rows: list[Theirs]) -> Figure:
    off = [row.off_s for row in rows]
    return Figure(
        name="100-plugs-one-by-one",
        what="the predecessors' way: the same plugs one after another, python-kasa with its own time-outs",
        value=statistics.median(off),
        unit="s",
        n=len(rows),
        spread=spread(off),
        detail={
            "measured": f"{PLUGS - DEAD} living and {DEAD_MEASURED} dead plug in each pair",
            "extrapolated": f"{DEAD - DEAD_MEASURED} more dead ones at what the measured one took",
            "measured_s": spread([row.measured_s for row in rows]),
            "one_dead_plug_s": spread([row.dead_s for row in rows]),
        },
    )


def _dead(house: House) -> list[str]:
    """Thirty of the hundred, evenly among them."""
    return [name for number, name in enumerate(loads(house)) if number % 10 in (2, 5, 8)]


async def _ours(house: House) -> Ours:
    """One outage in which thirty plugs die with the grid: pimgr has to find out by asking them."""
    dead = _dead(house)
    living = [name for name in loads(house) if name not in dead]
    mark = len(house.wire)
    for name in dead:
        house.fault(name, Fault.DEAD)
    house.grid_up(False)
    down = grid_entry(house.wire[mark:])
    first = await house.wire.wait_for(lambda e: e.what == "switch", PATIENCE_S, since=mark)
    last = max([await truth(house, name, "off", mark) for name in living])
    for name in dead:
        house.fault(name, Fault.NONE)
    house.grid_up(True)
    for name in living:
        await truth(house, name, "on", mark)
    asked = max(e.mono_s for e in house.wire[mark : first.seq] if e.device == "gateway" and "grid_status" in e.value)
    return Ours(last - asked, last - first.mono_s, asked - down.mono_s)


async def _answered(house: House, since: int) -> None:
    """Until each plug was read once more, and so is known to be on."""
    for name in loads(house):
        await house.wire.wait_for(
            lambda e, name=name: e.device == name and e.what == "query",  # type: ignore[misc]
            PATIENCE_S,
            since=since,
        )


async def _theirs(house: House) -> Theirs:
    """The living ones and one dead plug in the middle, one after another."""
    dead = _dead(house)
    row = [name for name in loads(house) if name not in dead]
    row.insert(len(row) // 2, dead[0])
    house.fault(dead[0], Fault.DEAD)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bench.predecessor"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    await process.stdout.readline()
    mark, began = len(house.wire), time.clock_gettime(time.CLOCK_BOOTTIME)
    process.stdin.write(json.dumps([house.port(name) for name in row]).encode() + b"\n")
    told = json.loads(await process.stdout.readline())
    await process.wait()
    last = max([await truth(house, name, "off", mark) for name in row if name != dead[0]])
    house.fault(dead[0], Fault.NONE)
    for name in row:
        house.switch_by_person(name, True)
    (dead_s,) = [seconds for port, seconds, well in told if not well and port == house.port(dead[0])]
    measured_s = last - began
    return Theirs(measured_s + (DEAD - DEAD_MEASURED) * dead_s, measured_s, dead_s)
