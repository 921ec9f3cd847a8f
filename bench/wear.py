"""Bytes that reach the memory card in a quiet day and for one outage: the real supervisor, virtual time, a real disk.

`python -m bench.wear HOURS` is the process that is measured; it prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.box import ROOT, folder, memory
from bench.figures import Figure

HOUR_S = 3600.0
WEATHER_S = 10.0
"""How often the meters change: as often as they are read."""
OUTAGE_S = HOUR_S
CALM_S = 600.0
"""What the start, and the time after an outage, get to come to rest: two flushes of the telemetry."""
CHARGE_FROM, CHARGE_TO = 80.0, 35.0
LOADS = ("ev-charger", "pool-pump", "heater", *(f"strip/{n}" for n in range(1, 7)))
WRITERS = {"journal": ("pimgr journal", "pimgr promises"), "telemetry": ("pimgr telemetry",)}
"""Which of pimgr's threads write which files."""


@dataclass
class Written:
    """By one sort of thread. `file_bytes`: given to write(2); `disk_bytes`: whole pages that then went to the disk."""

    file_bytes: int = 0
    disk_bytes: int = 0

    def less(self, earlier: Written) -> Written:
        return Written(self.file_bytes - earlier.file_bytes, self.disk_bytes - earlier.disk_bytes)


async def wear(quick: bool) -> list[Figure]:
    """Four figures: journal and telemetry, a quiet day and an outage."""
    hours = 2.0 if quick else 24.0
    process = await asyncio.create_subprocess_exec(
        sys.executable, *("-m", "bench.wear", str(hours)), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the day in virtual time ended with status {process.returncode}")
    told = json.loads(out)
    return [
        _figure("journal-quiet-day", told, "day", "journal", 24.0 / hours),
        _figure("telemetry-quiet-day", told, "day", "telemetry", 24.0 / hours),
        _figure("journal-outage", told, "outage", "journal", 1.0),
        _figure("telemetry-outage", told, "outage", "telemetry", 1.0),
    ]


def _figure(name: str, told: dict[str, Any], when: str, files: str, scale: float) -> Figure:
    written = told[when][files]
    period = "a quiet day" if when == "day" else f"an outage of {OUTAGE_S / HOUR_S:g} h with {told['parts']} parts shed"
    scaled = "" if scale == 1.0 else f", {24.0 / scale:g} h of it measured"
    return Figure(
        name=name,
        what=f"kB that {files} sends to the disk in {period}, in whole pages{scaled}",
        value=written["disk_bytes"] * scale / 1e3,
        unit="kB",
        n=1,
        detail={
            "given_to_write_kb": round(written["file_bytes"] * scale / 1e3, 1),
            "decisions_stored": told[when]["decisions"],
            "mails": told[when]["mails"],
        },
    )


# --------------------------------------------------------------------------------------------- the measured process


def _config() -> str:
    def strings(names: tuple[str, ...]) -> str:
        return "[" + ", ".join(f'"{name}"' for name in names) + "]"

    kinds = {"gateway": "gateway", "nas": "host", "mail": "notifier"}
    kinds |= {name.partition("/")[0]: "load" for name in LOADS}
    tables = "".join(
        f'[connections.{id}]\ntype = "scripted.{kind}"\nworld = "bench"\n' + ("outlets = 6\n" if id == "strip" else "")
        for id, kind in kinds.items()
    )
    return f"""version = 1
[grid]
sources = ["gateway"]
[[tiers]]
name = "at once"
at_once = true
loads = {strings(LOADS[:5])}
[[tiers]]
name = "low"
below = 50
loads = {strings((*LOADS[5:], "nas"))}
{tables}"""


class Ledger:
    """What pimgr's writing threads have written so far, by the kernel's count for each thread."""

    def __init__(self) -> None:
        self._before: dict[str, Written] = {files: Written() for files in WRITERS}
        self._decisions = self._mails = 0

    def since(self, decisions: int, mails: int) -> dict[str, Any]:
        """What was written since the last call."""
        now = {files: self._written(threads) for files, threads in WRITERS.items()}
        told: dict[str, Any] = {files: asdict(now[files].less(self._before[files])) for files in WRITERS}
        told |= {"decisions": decisions - self._decisions, "mails": mails - self._mails}
        self._before, self._decisions, self._mails = now, decisions, mails
        return told

    @staticmethod
    def _written(names: tuple[str, ...]) -> Written:
        total = Written()
        for thread in threading.enumerate():
            if thread.name in names:
                lines = Path(f"/proc/self/task/{thread.native_id}/io").read_text(encoding="ascii").splitlines()
                count = {key: int(value) for key, _, value in (line.partition(": ") for line in lines)}
                total.file_bytes += count["wchar"]
                total.disk_bytes += count["write_bytes"]
        return total


async def _measured(hours: float, disk: Path, run: Path) -> dict[str, Any]:
    from bench import scripted
    from pimgr.journal import Journal
    from pimgr.supervise import Options, Supervisor
    from pimgr.testing import FakeClock, World

    clock = FakeClock()
    world = World("bench", now=lambda: clock.now().instant)
    config = disk / "pimgr.toml"
    config.write_text(_config(), encoding="utf-8")
    journal = await Journal.open(disk, run)
    options = Options(config=config, state=disk, run=run, extra={"scripted": scripted}, clock=clock)
    supervisor = Supervisor(options, journal)
    await supervisor.prepare()
    _write_back(supervisor.telemetry, disk)
    running = asyncio.create_task(supervisor.run())
    weather = asyncio.create_task(_weather(world))
    ledger = Ledger()

    def so_far() -> dict[str, Any]:
        return ledger.since(journal.seq, len(world.messages()))

    await asyncio.sleep(CALM_S)
    start = so_far()
    await asyncio.sleep(hours * HOUR_S)
    day = so_far()
    shed = await _outage(world)
    await _given_back(lambda: not journal.state.claims)
    await asyncio.sleep(CALM_S)
    outage = so_far()
    weather.cancel()
    supervisor.stop.set()
    await running
    await journal.close()
    return {"start": start, "day": day, "outage": outage, "parts": shed}


def _sync(disk: Path, files: dict[str, int]) -> None:
    for path in disk.glob("telemetry.db*"):
        if path.name not in files:
            files[path.name] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        os.fsync(files[path.name])


def _write_back(telemetry: Any, disk: Path) -> None:
    """Send what a flush wrote to the disk before the next one comes, as the kernel does within five real minutes.

    Telemetry has no fsync of its own, and a page that is written twice in memory would count once. The files stay
    open until the end: closing one would take SQLite's locks on it away.
    """
    files: dict[str, int] = {}
    flush = telemetry.flush

    async def flush_and_sync() -> None:
        await flush()
        _sync(disk, files)

    telemetry.flush = flush_and_sync


async def _outage(world: Any) -> int:
    """The battery falls through both tiers, and the grid returns; how many parts were shed at the end."""
    from pimgr.api import Grid

    world.set_grid(Grid.DOWN)
    for minute in range(int(OUTAGE_S / 60.0)):
        world.set_charge(CHARGE_FROM + (CHARGE_TO - CHARGE_FROM) * minute * 60.0 / OUTAGE_S)
        await asyncio.sleep(60.0)
    shed = sum(not world.is_on(name) for name in LOADS) + (not world.host_up("nas"))
    world.set_grid(Grid.UP)
    return shed


async def _weather(world: Any) -> None:
    """Meters that never stand still."""
    chance = random.Random(1)  # noqa: S311 - the same weather in every run
    while True:
        load, sun = chance.uniform(300.0, 3000.0), chance.uniform(0.0, 4000.0)
        world.set_power(load_w=load, solar_w=sun, grid_w=load - sun, battery_w=0.0)
        await asyncio.sleep(WEATHER_S)


async def _given_back(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(HOUR_S):
        while not fact():  # noqa: ASYNC110 - nobody is told when a scripted world changes
            await asyncio.sleep(1.0)


def main() -> None:
    """Measure, and print."""
    from pimgr.testing import run_virtual

    # The snapshot lives in memory, as /run does: only what goes to the disk counts.
    with folder("wear") as disk, memory() as run:
        print(json.dumps(run_virtual(_measured(float(sys.argv[1]), disk, run))))


if __name__ == "__main__":
    main()
