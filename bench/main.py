"""Runs the benchmarks one after another, writes build/bench.json and prints the table. Exits 1 if a limit is broken."""

from __future__ import annotations

import argparse
import asyncio
import os
import time
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from bench import commands, hundred, latency, outages, process, tick, wear, years
from bench.box import BUILD
from bench.figures import Figure, table
from bench.machine import facts

BENCHMARKS: dict[str, Callable[[bool], Coroutine[Any, Any, list[Figure]]]] = {
    "detection-fast": latency.fast,
    "detection-default": latency.usual,
    "100-plugs": hundred.hundred,
    "ticks": tick.ticks,
    "memory": process.memory,
    "start": process.start,
    "commands": commands.commands,
    "wear": wear.wear,
    "years": years.years,
    "outages": outages.outages,
}


def main() -> int:
    """Measure what was named, or everything."""
    parser = argparse.ArgumentParser(description="Measure what pimgr promises. See docs/benchmarks.md.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="fewer trials: a look, not a result")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    BUILD.mkdir(exist_ok=True)
    report: dict[str, Any] = {"quick": given.quick, "machine": facts(BUILD)}
    figures, failed = _measure(given.names or list(BENCHMARKS), given.quick)
    report["figures"] = [figure.plain() for figure in figures]
    report["broken"] = broken = [figure.name for figure in figures if not figure.ok]
    report["failed"] = failed
    (BUILD / "bench.json").write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    _show(figures)
    verdict = [f"BROKEN: {', '.join(broken)}"] * bool(broken) + [f"FAILED: {', '.join(failed)}"] * bool(failed)
    print(f"\n{BUILD / 'bench.json'}: {'; '.join(verdict) or 'every limit is kept'}")
    return 1 if broken or failed else 0


def _measure(names: list[str], quick: bool) -> tuple[list[Figure], list[str]]:
    """The figures, and the benchmarks that came to no end: a limit that could not be measured is not kept."""
    figures: list[Figure] = []
    failed = []
    for name in names:
        began = time.monotonic()
        print(f"{name} ...", end=" ", flush=True)
        try:
            figures += asyncio.run(BENCHMARKS[name](quick))
        except Exception:
            traceback.print_exc()
            failed.append(name)
        print(f"{time.monotonic() - began:.0f} s", flush=True)
    return figures, failed


def _show(figures: list[Figure]) -> None:
    """The table, what its rows mean, and how busy the machine was: others' work is in the figures too."""
    print("", table(figures), "", sep="\n")
    for figure in figures:
        print(f"{figure.name}: {figure.what}")
        if load := figure.detail.get("load"):
            print(
                f"    meanwhile {load['cores_busy']:g} of {os.cpu_count()} cores were busy: supervisors"
                f" {load['cores_of_supervisors']:g}, houses {load['cores_of_houses']:g}, the rest others;"
                f" the houses' loop was late by {load['house_lag_p99_ms']:g} ms (p99)"
            )
