"""How long a tick takes with 40 and 400 parts: the real supervisor with a real journal, around scripted devices.

`python -m bench.tick PARTS SECONDS CYCLES` is the process that is measured; it prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.box import ROOT, folder, memory
from bench.figures import Figure, spread

POLL_S = 0.1
SETTLE_S = 0.3
SLOW_S = 0.5
"""Devices take up to this long to obey, each its own time: so outcomes come one by one, as in a house."""
PATIENCE_S = 120.0


@dataclass
class Tick:
    """One tick in s: all of it, and of that waiting for the journal, and composing and writing the snapshot."""

    total_s: float
    commit_s: float
    publish_s: float
    actions: int
    phase: str
    owed: int


async def ticks(quick: bool) -> list[Figure]:
    """Four figures: quiet and outage, 40 and 400 parts."""
    figures = []
    for parts in (40, 400):
        seconds, cycles = (4.0, 1) if quick else (25.0, 12)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bench.tick", str(parts), str(seconds), str(cycles)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"the ticks with {parts} parts ended with status {process.returncode}")
        figures += _figures(parts, [Tick(**row) for row in json.loads(out)])
    return figures


def _figures(parts: int, seen: list[Tick]) -> list[Figure]:
    quiet = [t for t in seen if t.phase == "normal" and not t.owed and not t.commit_s]
    outage = [t for t in seen if t.commit_s]
    return [
        _figure(f"tick-{parts}-quiet", f"a tick with {parts} parts while nothing happens", quiet),
        _figure(f"tick-{parts}-outage", f"a tick with {parts} parts that takes, acknowledges or gives back", outage),
    ]


def _figure(name: str, what: str, chosen: list[Tick]) -> Figure:
    """Its value is the p99: the median says little about the tick that somebody waits for."""
    most = max(chosen, key=lambda t: t.actions)
    total = spread([t.total_s * 1e3 for t in chosen])
    return Figure(
        name=name,
        what=what,
        value=total["p99"],
        unit="ms",
        n=len(chosen),
        spread=total,
        detail={
            "gather_decide_dispatch_ms": spread([(t.total_s - t.commit_s - t.publish_s) * 1e3 for t in chosen]),
            "commit_ms": spread([t.commit_s * 1e3 for t in chosen]),
            "publish_ms": spread([t.publish_s * 1e3 for t in chosen]),
            "tick_with_most_actions": {k: round(v, 6) if isinstance(v, float) else v for k, v in asdict(most).items()},
        },
    )


# --------------------------------------------------------------------------------------------- the measured process


def _config(parts: int) -> str:
    names = [f"load-{n}" for n in range(parts)]
    listed = ", ".join(f'"{name}"' for name in names)
    tables = "".join(f'[connections.{name}]\ntype = "scripted.load"\nworld = "bench"\n' for name in names)
    return f"""version = 1
[grid]
sources = ["gateway"]
poll = "{POLL_S * 1000:.0f}ms"
confirm = "0s"
settle = "{SETTLE_S * 1000:.0f}ms"
[restore]
stagger = "0s"
[[tiers]]
name = "at once"
at_once = true
loads = [{listed}]
[connections.gateway]
type = "scripted.gateway"
world = "bench"
{tables}"""


async def _measured(parts: int, seconds: float, cycles: int, disk: Path, run: Path) -> list[Tick]:
    from bench import scripted
    from pimgr.api import Grid
    from pimgr.journal import Journal
    from pimgr.supervise import Options, Supervisor
    from pimgr.testing import Fault, World

    world = World("bench")
    config = disk / "pimgr.toml"
    config.write_text(_config(parts), encoding="utf-8")
    journal = await Journal.open(disk, run)
    supervisor = Supervisor(Options(config=config, state=disk, run=run, extra={"scripted": scripted}), journal)
    await supervisor.prepare()
    seen = _instrument(supervisor)
    running = asyncio.create_task(supervisor.run())
    names = [f"load-{n}" for n in range(parts)]

    for name in names:
        world.fault(name, Fault.SLOW, seconds=random.uniform(0.0, SLOW_S), only="command")  # noqa: S311 - no secret
    await _until(lambda: all(len(world.reads[name]) for name in names))
    await asyncio.sleep(1.0)
    seen.clear()
    await asyncio.sleep(seconds)
    for _ in range(cycles):
        world.set_grid(Grid.DOWN)
        await _until(lambda: not any(map(world.is_on, names)))
        await _until(lambda: {claim.status for claim in supervisor.loop.state.claims} == {"taken"})
        await asyncio.sleep(0.2)
        world.set_grid(Grid.UP)
        await _until(lambda: all(map(world.is_on, names)) and not supervisor.loop.state.claims)
        await asyncio.sleep(0.2)
    supervisor.stop.set()
    await running
    await journal.close()
    return seen


async def _until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not fact():  # noqa: ASYNC110 - nobody is told when a scripted world changes
            await asyncio.sleep(0.01)


def _instrument(supervisor: Any) -> list[Tick]:
    """Stop-watches around the loop's own tick and two of its neighbours; what they do stays the same."""
    loop, seen = supervisor.loop, []
    tick, commit, after = loop.tick, loop.wiring.commit, loop.wiring.after
    spent = {"commit": 0.0, "publish": 0.0}

    async def timed_commit(record: Any) -> int:
        began = time.perf_counter()
        seq: int = await commit(record)
        spent["commit"] = time.perf_counter() - began
        return seq

    def timed_after(*told: Any) -> None:
        began = time.perf_counter()
        after(*told)
        spent["publish"] = time.perf_counter() - began

    async def timed_tick() -> Any:
        spent["commit"] = 0.0
        began = time.perf_counter()
        decision = await tick()
        total = time.perf_counter() - began
        state = decision.state
        seen.append(
            Tick(total, spent["commit"], spent["publish"], len(decision.actions), state.phase, len(state.claims))
        )
        return decision

    loop.tick, loop.wiring.commit, loop.wiring.after = timed_tick, timed_commit, timed_after
    return seen


def main() -> None:
    """Measure, and print."""
    parts, seconds, cycles = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    with folder("tick") as disk, memory() as run:
        seen = asyncio.run(_measured(parts, seconds, cycles, disk, run))
    print(json.dumps([asdict(each) for each in seen]))


if __name__ == "__main__":
    main()
