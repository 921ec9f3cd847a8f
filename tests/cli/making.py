"""Snapshots to look at, and a way to run `pimgr` as a person does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from pimgr import snapshot
from pimgr.api import Instant
from pimgr.cli.word import now
from pimgr.snapshot import ConnectionLine, PartLine, Snapshot

ROOT = Path(__file__).parents[2]


def earlier(seconds: float) -> Instant:
    present = now()
    return Instant(present.mono_s - seconds, present.wall - seconds, present.boot[:12])


def view(**changes: Any) -> Snapshot:
    """A house in an outage, two seconds ago."""
    usual = Snapshot(
        at=earlier(2),
        pid=os.getpid(),
        seq=7,
        headline="on battery, 48 %, 2 shed",
        phase="outage",
        grid="down",
        grid_raw="gateway",
        grid_at=earlier(3),
        outage_since=earlier(4000),
        charge=48.2,  # type: ignore[arg-type]
        owed=2,
        parts=(
            PartLine(
                part="pool-pump", title="Pool pump", state="off", power_w=0.4, read_at=earlier(12),  # type: ignore[arg-type]
                status="taken", why="the grid is down", returns="comes back when the grid is back",
            ),
            PartLine(part="strip/3", title="strip/3", state="on", power_w=1200.0),  # type: ignore[arg-type]
            PartLine(part="nas", title="nas", state="unknown", fault="no answer in 5 s (192.0.2.14)"),
        ),
        connections=(
            ConnectionLine(id="gateway", type="powerwall.gateway", health="ok"),
            ConnectionLine(id="nas", type="ssh-host.linux", health="lost", reason="timeout", since=earlier(90)),
        ),
    )  # fmt: skip
    return msgspec.structs.replace(usual, **changes)


def publish(folder: Path, **changes: Any) -> None:
    snapshot.publish(folder, view(**changes))


def pimgr(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
    command = [sys.executable, "-m", "pimgr.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
