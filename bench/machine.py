"""The machine that was measured on, and how busy it was meanwhile: with us, and with others."""

from __future__ import annotations

import asyncio
import os
import platform
import time
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")
LOOK_S = 0.01


def facts(folder: Path) -> dict[str, Any]:
    """What a reader of the figures has to know."""
    cpus = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in cpus if line.startswith(("model name", "Model"))]
    return {
        "machine": platform.machine(),
        "cpu": models[0] if models else "",
        "cores": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "kernel": platform.release(),
        "os": platform.freedesktop_os_release().get("PRETTY_NAME", ""),
        "python": platform.python_version(),
        "filesystem": _filesystem(folder.resolve()),
        "load_average_before": os.getloadavg(),
    }


def _filesystem(folder: Path) -> str:
    """The type of the file system that the journals of the benchmarks are written to."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    holding = [(mount[1], mount[2]) for mount in mounts if folder.is_relative_to(mount[1])]
    return max(holding, key=lambda mount: len(mount[0]), default=("", ""))[1]


class Load:
    """What was measured meanwhile. CPU in cores: 2.0 is all of a machine that has two."""

    def __init__(self) -> None:
        self.lags: list[float] = []
        self.told: dict[str, float] = {}


@asynccontextmanager
async def watched(supervisors: Collection[int]) -> AsyncIterator[Load]:
    """Watches CPU and this process's event loop (where the houses live) while the block runs; then fills `told`.

    `supervisors`: their process ids.
    """
    load = Load()
    sampler = asyncio.create_task(_lag(load))
    began, machine, ours = time.monotonic(), _machine_s(), time.process_time()
    theirs = sum(map(_process_s, supervisors))
    try:
        yield load
        took = time.monotonic() - began
        lags = sorted(load.lags) or [0.0]
        load.told = {
            "seconds": round(took, 1),
            "cores_busy": round((_machine_s() - machine) / took, 2),
            "cores_of_houses": round((time.process_time() - ours) / took, 2),
            "cores_of_supervisors": round((sum(map(_process_s, supervisors)) - theirs) / took, 2),
            "house_lag_p99_ms": round(lags[int(len(lags) * 0.99) - 1] * 1e3, 1),
            "house_lag_max_ms": round(lags[-1] * 1e3, 1),
        }
    finally:
        sampler.cancel()


async def _lag(load: Load) -> None:
    """How late the loop of the houses serves a timer: that much may be the houses' own fault."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LOOK_S
        await asyncio.sleep(LOOK_S)
        load.lags.append(loop.time() - due)


def _machine_s() -> float:
    """Seconds of CPU that the whole machine has spent, on anything."""
    fields = [int(f) for f in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]]
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / TICKS


def _process_s(pid: int) -> float:
    """Seconds of CPU of a process since its start."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / TICKS


def status_mib(pid: int) -> dict[str, float]:
    """VmRSS and VmHWM of a process, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    wanted = ("VmRSS", "VmHWM", "RssAnon", "RssFile")
    return {name: _kib(lines, name) / 1024.0 for name in wanted}


def _kib(lines: Iterable[str], name: str) -> float:
    return float(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))
