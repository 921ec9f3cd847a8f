"""How long a simulated year takes, and 500 devices in an outage of two days.

`python -m bench.years year|many` is the process that is measured; it prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from bench.box import ROOT
from bench.figures import Figure
from pimgr import plugins as plugin_loading
from pimgr.config import HouseConfig, parse
from pimgr.simulate import home, types, year
from pimgr.simulate.ring import Ring
from pimgr.simulate.scenario import Planned, Scenario

MANY, OUTAGE_H = 500, 48
SEED = "1"
HOUR_S = 3600.0
LIMIT_S = 60.0
GROWTH_MIB = 8.0


async def years(quick: bool) -> list[Figure]:
    """Three figures: a year of the default house, 500 devices through two days, and what that leaves in memory."""
    lived, many = await _measured("year"), await _measured("many")
    return [
        Figure(
            name="simulated-year",
            what="a year of the default house (30 devices) under the real decide, in time of one core",
            value=lived["cpu_s"],
            unit="s",
            n=1,
            limit=LIMIT_S,
            detail=lived,
        ),
        Figure(
            name="500-devices-48-h",
            what="500 devices through an outage of 48 hours, taken and given back, in time of one core",
            value=many["cpu_s"],
            unit="s",
            n=1,
            limit=LIMIT_S,
            detail=many,
        ),
        Figure(
            name="500-devices-memory",
            what="what the outage adds to the process from its second hour to its end",
            value=many["growth_mib"],
            unit="MiB",
            n=1,
            limit=GROWTH_MIB,
            detail=many,
        ),
    ]


async def _measured(what: str) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.years", what, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{what} ended with status {process.returncode}")
    measured: dict[str, float] = json.loads(out)
    return measured


# --------------------------------------------------------------------------------------------- the measured process


def many_devices(count: int = MANY) -> HouseConfig:
    """Plugs of 4 W: half go off at once, half below 50 %."""
    names = [f"plug-{n}" for n in range(count)]
    tables = "".join(f'[connections.{name}]\ntype = "sim.plug"\nwatts = 4.0\n' for name in names)
    tiers = "".join(
        f"[[tiers]]\nname = {when!r}\n{when}\nloads = {half!r}\n"
        for when, half in (("at_once = true", names[::2]), ("below = 50", names[1::2]))
    )
    gateway = '[connections.gateway]\ntype = "sim.gateway"\nbase_w = 700.0\nsolar_w = 0.0\n'
    battery = '[battery]\ncapacity = "60 kWh"\nreserve = 80\n[grid]\nsources = ["gateway"]\n'
    plugins = plugin_loading.load({types.NAME}, {types.NAME: types})
    return parse(f"version = 1\n{gateway}{tables}{battery}{tiers}", "many", plugins)


def resident_mib() -> float:
    """What the process has in memory now."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1]) / 1024.0


def _year() -> dict[str, float]:
    setup = year.set_up(home.default(), Scenario(seed=SEED))
    began, cpu = time.perf_counter(), time.process_time()
    lived = year.ours(setup)
    return {
        "seconds": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu,
        "decisions": lived.card.decisions,
        "outage_h": lived.card.outage_h,
        "mib": resident_mib(),
    }


def _many() -> dict[str, float]:
    start, length_s = 6 * HOUR_S, OUTAGE_H * HOUR_S
    planned = (Planned("2026-07-01T06:00", length_s),)
    setup = year.set_up(many_devices(), Scenario(start="2026-07-01", days=3, often=0.0, planned=planned))
    ring = Ring(policy=setup.policy)
    run = setup.run(ring)
    began, cpu = time.perf_counter(), time.process_time()
    run.until(start + 2 * HOUR_S)
    before = resident_mib()
    run.until(start + length_s)
    after, off = resident_mib(), len(run.plant.shed)
    run.until(setup.scenario.span_s)
    return {
        "seconds": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu,
        "decisions": ring.decisions,
        "off_at_the_end": off,
        "left_off": len(run.plant.shed),
        "mib": after,
        "growth_mib": max(0.0, after - before),
    }


if __name__ == "__main__":
    print(json.dumps({"year": _year, "many": _many}[sys.argv[1]]()))
