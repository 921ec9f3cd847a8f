"""What the fault matrix asks of a connection: each of its reads, or a harmless wish where there is nothing to read."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

from pimgr import api
from pimgr.api import Capability
from pimgr.testing.bench import Bench
from pimgr.testing.provoke import harmless
from pimgr.testing.subject import METHODS


@dataclass(frozen=True)
class Ask:
    """One call to make. `reading`: what a read returns, None for a command."""

    key: str
    name: str
    deadline_s: float
    call: Callable[[api.Connection], Coroutine[Any, Any, Any]]
    reading: type[api.Reading] | None

    @property
    def where(self) -> str:
        return f"part {self.key!r}: {self.name}"


def asks(bench: Bench) -> Iterator[Ask]:
    """Every read; of parts that can do the same the first is asked. What has no read is sent a harmless wish."""
    seen: list[frozenset[Capability]] = []
    for key, capabilities in bench.provides.items():
        if capabilities in seen:
            continue
        seen.append(capabilities)
        reads = [capability for capability in sorted(capabilities) if METHODS[capability].read]
        for capability in reads:
            yield _read(bench, key, capability)
        if not reads and bench.subject.commands:
            yield _command(bench, key, min(capabilities))


def _read(bench: Bench, key: str, capability: Capability) -> Ask:
    deadlines, methods = bench.subject.deadlines, METHODS[capability]
    deadline_s = max(deadlines.read_s, deadlines.cloud_s) if bench.type.cloud else deadlines.read_s
    return Ask(key, methods.read, deadline_s, lambda c: getattr(c.parts[key], methods.read)(), methods.reading)


def _command(bench: Bench, key: str, capability: Capability) -> Ask:
    """What has no read is a notifier, or a control whose site is measured elsewhere."""
    deadline_s, name = bench.subject.deadlines.cloud_s, METHODS[capability].commands[0]
    if capability is Capability.NOTIFIER:
        return Ask(key, name, deadline_s, lambda c: c.parts[key].send(_message()), None)  # type: ignore[union-attr]
    return Ask(key, name, deadline_s, lambda c: next(harmless(key, capability, c.parts[key]))[2](), None)


_keys = itertools.count(1)


def _message() -> api.Message:
    """Another one each time, lest it be taken for a repetition."""
    severity = api.Severity.INFO
    return api.Message(key=f"matrix-{next(_keys)}", severity=severity, subject="a test", text="text\n", written=0.0)
