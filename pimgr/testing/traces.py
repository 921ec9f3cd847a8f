"""What a connection leaves behind it: tasks, threads, processes, descriptors, and words that hold a secret."""

from __future__ import annotations

import asyncio
import base64
import gc
import logging
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

GRACE_S = 2.0
"""How long what was closed may take to be gone."""
DESCRIPTORS = Path("/proc/self/fd")
THREADS = Path("/proc/self/task")
OF_THE_HOUSE = ("pimgr.house", "asyncssh", "mail")
"""Loggers of the house in a box, which runs in the same process and may say what it was told."""
PEM_LINE = 24
"""A line of a secret that has several is a secret itself from this length on."""


@dataclass(frozen=True)
class Traces:
    """What there is at one moment."""

    tasks: frozenset[asyncio.Task[object]]
    threads: frozenset[threading.Thread]
    processes: frozenset[str]
    descriptors: frozenset[str]

    @classmethod
    def now(cls) -> Traces:
        threads = frozenset(thread for thread in threading.enumerate() if thread.is_alive())
        return cls(frozenset(asyncio.all_tasks()), threads, frozenset(_children()), frozenset(_descriptors()))

    def since(self, before: Traces) -> list[str]:
        """What is here and was not there before, in words."""
        found = [f"task {task.get_name()}: {task.get_coro()}" for task in self.tasks - before.tasks]
        found += [f"thread {thread.name}" for thread in self.threads - before.threads]
        found += [f"process {number}" for number in self.processes - before.processes]
        return sorted(found + [f"descriptor {name}" for name in self.descriptors - before.descriptors])


async def left_since(before: Traces) -> list[str]:
    """What is still there after the grace, and was not before. What only the collector holds is not there."""
    gc.collect()  # an exception and its frames are a cycle that may hold a socket
    until = time.monotonic() + GRACE_S
    while left := Traces.now().since(before):
        if time.monotonic() > until:
            return left
        await asyncio.sleep(0.02)
    return []


def _children() -> Iterator[str]:
    """Numbers of the processes that this one began and has not buried. Source: proc_pid_task(5), `children`."""
    for thread in THREADS.iterdir():
        try:
            yield from (thread / "children").read_text(encoding="ascii").split()
        except (FileNotFoundError, ProcessLookupError):  # a thread that ended meanwhile
            continue


def _descriptors() -> Iterator[str]:
    """Sockets, pipes and files that this process holds open, by what they are, not by their number."""
    for entry in DESCRIPTORS.iterdir():
        try:
            yield str(entry.readlink())
        except FileNotFoundError:  # the listing's own
            continue


class Secrets:
    """Texts that nobody may say, in the forms that they take on a wire or in a traceback."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms: set[str] = set()
        for secret in secrets:
            self._forms |= _forms(secret)

    def told_in(self, text: str) -> bool:
        return any(form in text for form in self._forms)


def _forms(secret: str) -> set[str]:
    lines = {line for line in secret.splitlines() if len(line) >= PEM_LINE and not line.startswith("-----")}
    encoded = base64.b64encode(secret.encode()).decode()
    forms = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1], encoded}
    return {form for form in forms | lines if form}


@contextmanager
def everything_logged() -> Iterator[list[str]]:
    """Every line that anybody logs, from DEBUG on, with its traceback. A logger's own level is respected."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not any(record.name == name or record.name.startswith(f"{name}.") for name in OF_THE_HOUSE):
                lines.append(f"{record.name}: {self.format(record)}")

    root, handler = logging.getLogger(), Keep()
    apart = [logger for logger in _loggers() if not logger.propagate]
    level = root.level
    for logger in (root, *apart):
        logger.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.setLevel(level)
        for logger in (root, *apart):
            logger.removeHandler(handler)


def _loggers() -> list[logging.Logger]:
    known = logging.root.manager.loggerDict.values()
    return [logger for logger in known if isinstance(logger, logging.Logger)]
