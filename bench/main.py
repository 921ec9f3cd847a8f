"""Runs the benchmarks one after another, writes build/bench.json and prints the table. Exits 1 if a limit is broken."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from bench import commands, hundred, latency, process, tick, wear
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
    figures: list[Figure] = []
    for name in given.names or BENCHMARKS:
        began = time.monotonic()
        print(f"{name} ...", end=" ", flush=True)
        figures += asyncio.run(BENCHMARKS[name](given.quick))
        print(f"{time.monotonic() - began:.0f} s", flush=True)
    report["figures"] = [figure.plain() for figure in figures]
    broken = [figure.name for figure in figures if not figure.ok]
    report["broken"] = broken
    (BUILD / "bench.json").write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    print("", table(figures), "", sep="\n")
    for figure in figures:
        print(f"{figure.name}: {figure.what}")
    print(f"\n{BUILD / 'bench.json'}" + (f"; BROKEN: {', '.join(broken)}" if broken else "; every limit is kept"))
    return 1 if broken else 0
