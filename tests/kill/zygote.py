"""A process that has imported everything once, and forks a supervisor for each line it reads: a start in 0.1 s.

A line is a JSON object: "config", "state", "run", "log", "env", "wrong_order", "slow_s". The answer is the child's pid.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

from pimgr import supervise
from pimgr.journal import Journal, Record
from pimgr.loop import Loop
from pimgr.policy.model import Decision

PRELOAD = ("kasa", "tesla_powerwall", "paramiko", "pimgr_kasa", "pimgr_powerwall", "pimgr_ssh_host")


def slow_disk(most_s: float) -> None:
    """An SD card's pace: each commit takes up to `most_s` longer. It may not matter when the process is killed."""
    opened = Journal.open

    def before_commit() -> None:
        time.sleep(random.random() * most_s)

    async def open_slow(folder: Path, runtime: Path) -> Journal:
        return await opened(folder, runtime, before_commit=before_commit)

    Journal.open = open_slow  # type: ignore[assignment, method-assign]


def wrong_order() -> None:
    """The deliberate mistake: act, then write. The harness must find it."""
    tick = Loop.tick

    async def act_first(self: Loop) -> Decision:
        wiring = self.wiring
        commit, send = wiring.commit, wiring.dispatcher.send

        async def commit_late(record: Record) -> int:
            send(record.decision.actions)
            return await commit(record)

        wiring.commit = commit_late
        wiring.dispatcher.send = lambda actions: None  # type: ignore[method-assign]
        try:
            return await tick(self)
        finally:
            wiring.commit, wiring.dispatcher.send = commit, send  # type: ignore[method-assign]

    Loop.tick = act_first  # type: ignore[method-assign]


def child(order: dict[str, Any]) -> int:
    """Be a supervisor."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(order["env"])
    random.seed(os.getpid())
    if order.get("slow_s"):
        slow_disk(order["slow_s"])
    if order.get("wrong_order"):
        wrong_order()
    return supervise.run(
        supervise.Options(config=Path(order["config"]), state=Path(order["state"]), run=Path(order["run"]))
    )


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    for module in PRELOAD:
        importlib.import_module(module)
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os._exit(child(json.loads(line)))
        print(pid, flush=True)


if __name__ == "__main__":
    main()
