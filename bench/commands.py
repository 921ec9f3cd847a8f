"""What `pimgr status` and `pimgr --help` cost, in starts of a bare interpreter."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure, spread
from bench.process import demo_house

BARE = "bare interpreter"
LIMIT = 10.0


@dataclass(frozen=True)
class Run:
    """Wall and CPU time in s of one program, from its start to its end."""

    wall_s: float
    cpu_s: float


async def commands(quick: bool) -> list[Figure]:
    """Rounds of all three programs in turn, beside a supervisor that is running."""
    pimgr = str(Path(sys.executable).with_name("pimgr"))
    programs = {
        BARE: [sys.executable, "-I", "-c", "pass"],
        "status": [pimgr, "status"],
        "help": [pimgr, "--help"],
    }
    async with AsyncExitStack() as stack:
        _, stage = await demo_house(stack)
        await stage.start()
        environment = {**os.environ, "PIMGR_RUN": str(stage.run), "PIMGR_STATE": str(stage.state)}
        rounds = await asyncio.to_thread(_rounds, programs, environment, 5 if quick else 40)
    return [_figure(name, rounds) for name in programs if name != BARE]


def _figure(name: str, rounds: Sequence[Mapping[str, Run]]) -> Figure:
    runs, bare = [each[name] for each in rounds], [each[BARE] for each in rounds]
    wall = statistics.median(r.wall_s for r in runs) / statistics.median(r.wall_s for r in bare)
    cpu = statistics.median(r.cpu_s for r in runs) / statistics.median(r.cpu_s for r in bare)
    words = "pimgr --help" if name == "help" else f"pimgr {name}"
    return Figure(
        name=f"command-{name}",
        what=f"`{words}` in starts of a bare interpreter (`python -I -c pass`), ratio of medians",
        value=wall,
        unit="x",
        n=len(rounds),
        limit=LIMIT,
        spread=spread([mine.wall_s / other.wall_s for mine, other in zip(runs, bare, strict=True)]),
        detail={
            "cpu_ratio": round(cpu, 2),
            "wall_ms": spread([r.wall_s * 1e3 for r in runs]),
            "bare_wall_ms": spread([r.wall_s * 1e3 for r in bare]),
        },
    )


def _rounds(programs: Mapping[str, list[str]], environment: dict[str, str], count: int) -> list[dict[str, Run]]:
    for program in programs.values():  # their files are read, and compiled, before anything counts
        _run(program, environment)
    return [{name: _run(program, environment) for name, program in programs.items()} for _ in range(count)]


def _run(program: list[str], environment: dict[str, str]) -> Run:
    """One run. Raises CalledProcessError where it fails: a figure of a failure would be no figure."""
    began = time.perf_counter()
    process = subprocess.Popen(
        program, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, program)
    return Run(wall_s, usage.ru_utime + usage.ru_stime)
