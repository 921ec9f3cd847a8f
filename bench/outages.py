"""1,000 outages as customers have them, each lived through by pimgr's default policy and by the others.

`python -m bench.outages FIRST COUNT` is the process that lives through some of them; it prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from random import Random

from bench.box import ROOT
from bench.figures import Figure
from pimgr.api import replace
from pimgr.config import HouseConfig
from pimgr.simulate import home, year
from pimgr.simulate.outages import one
from pimgr.simulate.scenario import Planned, Scenario

DAY_S, HOUR_S = 86400.0, 3600.0
MANY, FEW = 1000, 40
BEFORE_DAYS = 1
"""The battery begins each history full, and lives one to two days with the tariff's reserves before the grid fails."""
LONGEST_DAYS = 21
RIVALS = ("pimgr", "no shedding", "all off after 10 min", "tiers by charge only")


@dataclass
class Fate:
    """One outage under one policy: hours, and what was left off or wrongly turned on. `charge`: when it began."""

    number: int
    policy: str
    outage_h: float
    dark_h: float
    shed_load_h: float
    charge: float
    left_off: int
    wrong: int


async def outages(quick: bool) -> list[Figure]:
    """The table of docs/benchmarks.md, as figures with limits."""
    fates = await live_through(FEW if quick else MANY)
    return figures(fates)


async def live_through(many: int) -> list[Fate]:
    """All of them, on every core."""
    workers = os.cpu_count() or 1
    share = -(-many // workers)
    starts = [(n * share, min(share, many - n * share)) for n in range(workers) if n * share < many]
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.outages", str(first), str(count), cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        for first, count in starts
    ]
    outs = await asyncio.gather(*(process.communicate() for process in processes))
    if any(process.returncode for process in processes):
        raise RuntimeError("not every outage came to its end")
    return [Fate(**row) for out, _ in outs for row in json.loads(out)]


def figures(fates: list[Fate]) -> list[Figure]:
    """Sums over all outages. All policies had the same reserve, and so the same charge when the grid failed.

    Where no outage was hard enough to make the house dark under any policy, there is nothing to be better than.
    """
    n = len({fate.number for fate in fates})
    dark = {policy: sum(f.dark_h for f in fates if f.policy == policy) for policy in RIVALS}
    shed = {policy: sum(f.shed_load_h for f in fates if f.policy == policy) for policy in RIVALS}
    hours = sum(f.outage_h for f in fates if f.policy == "pimgr")
    detail = {
        "outage_h": round(hours, 1),
        "dark_h": {k: round(v, 1) for k, v in dark.items()},
        "dark_outages": {p: sum(f.dark_h > 0.0 for f in fates if f.policy == p) for p in RIVALS},
        "shed_load_h": {k: round(v) for k, v in shed.items()},
    }
    mine, others = dark["pimgr"], [dark[policy] for policy in RIVALS[1:]]
    none, all_off, by_charge = others
    ended = sum(f.left_off + f.wrong for f in fates if f.policy == "pimgr")

    def figure(name: str, what: str, value: float, unit: str, limit: float | None) -> Figure:
        return Figure(name=name, what=what, value=value, unit=unit, n=n, limit=limit, detail=detail)

    dark_at_all = any(dark.values())
    under = f"hours without power in {hours:.0f} h of outages, under pimgr"
    unshed = "the same, where nothing is shed; pimgr's share of it"
    less = [
        figure("outages-dark", under, mine, "h", by_charge if dark_at_all else None),
        figure("outages-dark-unshed", unshed, share(mine, none), "", 1.0 if dark_at_all else None),
    ]
    return [
        *(replace(each, strict=True) for each in less),
        figure(
            "outages-dark-all-off",
            "light that pimgr loses against all off, % of it",
            lost(hours, mine, all_off),
            "%",
            2.0,
        ),
        figure("outages-shed", "load hours shed, against all off", share(shed["pimgr"], shed[RIVALS[2]]), "", 0.5),
        figure("outages-owed", "loads that were left off or wrongly turned on", ended, "", 0.0),
    ]


def share(mine: float, theirs: float) -> float:
    """Of nothing, nothing is all of it, and anything is too much."""
    if theirs:
        return mine / theirs
    return math.inf if mine else 0.0


def lost(hours: float, mine: float, best: float) -> float:
    """How much less of the outages' time the protected loads had power, in percent of what they had at best."""
    return 100.0 * share(mine - best, hours - best)


# ------------------------------------------------------------------------------------- the process that lives through


def _history(house: HouseConfig, number: int) -> year.Setup:
    """The scenario of one outage: a day of the year, a time of the day, and a length, all by chance."""
    random = Random(f"outage/{number}")  # noqa: S311 - no secret
    day, at_s = random.randrange(365), random.random() * DAY_S
    outage = one(random)
    length_s = min(outage.length_s, LONGEST_DAYS * DAY_S)
    new_year = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    start = datetime.fromtimestamp(new_year + (day - BEFORE_DAYS) * DAY_S, UTC)
    moment = datetime.fromtimestamp(new_year + day * DAY_S + at_s, UTC)
    scenario = Scenario(
        start=f"{start:%Y-%m-%d}",
        days=BEFORE_DAYS + 2 + int((at_s + length_s) / DAY_S),
        seed=f"outage-{number}",
        often=0.0,
        planned=(Planned(f"{moment:%Y-%m-%dT%H:%M:%S}", length_s),),
        charge=100.0,
    )
    return year.set_up(house, scenario)


def _fates(house: HouseConfig, number: int) -> list[Fate]:
    setup = _history(house, number)
    mine = year.ours(setup)
    lived = [mine, *year.compared(setup, mine.run.trace.settings, own=False)]
    start = setup.outages[0].start
    return [
        Fate(
            number,
            each.card.policy,
            each.card.outage_h,
            each.card.dark_h,
            each.card.shed_load_h,
            next(row[1] for row in each.run.trace.rows if row[0] >= start),
            len(each.card.left_off),
            each.card.wrong,
        )
        for each in lived
    ]


def main() -> None:
    """Live, and print."""
    first, count, house = int(sys.argv[1]), int(sys.argv[2]), home.default()
    print(json.dumps([asdict(fate) for n in range(first, first + count) for fate in _fates(house, n)]))


if __name__ == "__main__":
    main()
