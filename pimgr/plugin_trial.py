"""`pimgr device try`: one device is read, and on request switched, as pimgr would, with a trace of what was said.

It is met with what the running pimgr keeps for it; of what is put into its store only budgets outlive the trial.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from pimgr.api import (
    Capability,
    Config,
    Connection,
    DeviceError,
    DeviceType,
    Finding,
    Frozen,
    Reading,
    Storable,
    replace,
)
from pimgr.clock import SystemClock
from pimgr.config import Secrets
from pimgr.context import HostContext, Surroundings
from pimgr.counting import NOT_COUNTED, Counts, Look, LookStore
from pimgr.link import Link, Overdue
from pimgr.plugin_trace import Event, Redactor, Trace
from pimgr.text import safe

READS: Mapping[Capability, str] = {
    Capability.GRID_SOURCE: "read_grid",
    Capability.SITE_METER: "read_site",
    Capability.LOAD: "read_load",
    Capability.GRADED_LOAD: "read_level",
    Capability.HOST: "read_host",
    Capability.THERMOSTAT: "read_thermostat",
    Capability.FORECAST: "read_forecast",
}
SETTLE_S = 5.0
"""How long after a command its effect is waited for."""
PAUSE_S = 0.5
"""Between two looks for the effect."""


class Call(Frozen, kw_only=True):
    """One call. `reading`: what it gave, as plain data; `error`: why it gave none."""

    part: str
    call: str
    took_s: float
    reading: dict[str, Any] | None = None
    error: str = ""
    cure: str = ""


class Trial(Frozen, kw_only=True):
    """What came of it. `applied`: whether a wish was seen fulfilled, None where there was none."""

    connection: str
    type: str
    calls: tuple[Call, ...]
    findings: tuple[Finding, ...]
    trace: tuple[Event, ...]
    sent_bytes: int
    received_bytes: int
    applied: bool | None = None

    @property
    def well(self) -> bool:
        return all(not call.error for call in self.calls) and self.applied is not False


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is tried: `parts` by key, each with what it can do; `kept`: what pimgr keeps for it.

    `counts`: where budgets go.
    """

    id: str
    type: DeviceType[Any]
    config: Config
    parts: Mapping[str, tuple[Capability, ...]]
    kept: Mapping[str, Storable]
    counts: Counts


@dataclass(frozen=True)
class Wish:
    """What to tell a part: on or off, or a level."""

    key: str
    value: bool | float

    @property
    def capability(self) -> Capability:
        return Capability.LOAD if isinstance(self.value, bool) else Capability.GRADED_LOAD

    @property
    def spoken(self) -> str:
        return f"{self.value:g}" if not isinstance(self.value, bool) else "on" if self.value else "off"

    async def tell(self, part: Any) -> None:
        await (part.switch(self.value) if isinstance(self.value, bool) else part.set_level(self.value))

    def fulfilled(self, reading: Any) -> bool:
        return bool(reading.on is self.value if isinstance(self.value, bool) else reading.level == self.value)


class _Store(LookStore):
    """A store for one trial: the trace shows nothing that is kept there, except for budgets: they say why to wait."""

    def __init__(self, subject: Subject, redactor: Redactor, told: Callable[[Finding | None], None]) -> None:
        super().__init__(Look(subject.id, subject.type, subject.kept, subject.counts), told)
        self._open, self._redactor = subject.type.budgets, redactor
        redactor.learn({key: value for key, value in subject.kept.items() if key not in self._open})

    async def put(self, key: str, value: Storable) -> bool:
        if key not in self._open:
            self._redactor.learn(value)
        return await super().put(key, value)


class _Voice:
    """What it tells belongs to the trial."""

    def __init__(self, trace: Trace) -> None:
        self.standing: dict[str, Finding] = {}
        self._trace = trace

    def tell(self, _connection: str, key: str, finding: Finding | None) -> None:
        self.standing.pop(key, None)
        if finding is not None:
            self.standing[key] = finding

    def record(self, _connection: str, text: str) -> None:
        self._trace.note("history", text)


def attempt(subject: Subject, secrets: Secrets, redactor: Redactor, wish: Wish | None) -> Trial:
    """Read every part and, if there is a wish, tell it and see whether it comes true. Never raises for a device."""
    return asyncio.run(_attempt(subject, secrets, redactor, wish))


async def _attempt(subject: Subject, secrets: Secrets, redactor: Redactor, wish: Wish | None) -> Trial:
    for module in subject.type.vendor_modules:
        importlib.import_module(module)
    trace = Trace(redactor)
    voice = _Voice(trace)
    store = _Store(subject, redactor, lambda problem: voice.tell(subject.id, NOT_COUNTED, problem))
    context = HostContext(subject.id, store, Surroundings(SystemClock(), secrets, voice))
    link = Link(subject.id, lambda: subject.type.open(subject.config, context), context.release)
    caller = _Caller(subject, context, link, trace, redactor)
    applied: bool | None = None
    with trace.watching():
        for key, capabilities in subject.parts.items():
            for capability in capabilities:
                if capability in READS:
                    await caller.read(key, capability)
        if wish is not None:
            applied = await caller.fulfil(wish)
        await link.close()
    subject.counts.close()
    return Trial(
        connection=subject.id,
        type=subject.type.name,
        calls=tuple(caller.calls),
        findings=tuple(_clean(finding, redactor) for finding in voice.standing.values()),
        trace=tuple(trace.events),
        sent_bytes=trace.sent,
        received_bytes=trace.received,
        applied=applied,
    )


def _clean(finding: Finding, redactor: Redactor) -> Finding:
    return replace(finding, text=redactor.clean(finding.text), cure=redactor.clean(finding.cure))


@dataclass
class _Caller:
    """Makes calls one by one, and keeps what came of each."""

    subject: Subject
    context: HostContext
    link: Link
    trace: Trace
    redactor: Redactor

    def __post_init__(self) -> None:
        self.calls: list[Call] = []

    async def read(self, key: str, capability: Capability) -> Reading | None:
        name = READS[capability]
        got: list[Reading] = []

        async def call(part: Any) -> None:
            got.append(await getattr(part, name)())

        await self._call(key, name, call, got)
        return got[0] if got else None

    async def fulfil(self, wish: Wish) -> bool:
        """Tell it once, and look for the effect as long as it may take."""
        if not await self._call(wish.key, f"asked for {wish.spoken}", wish.tell, []):
            return False
        until_s = time.monotonic() + SETTLE_S
        while True:
            reading = await self.read(wish.key, wish.capability)
            if reading is not None and wish.fulfilled(reading):
                return True
            if time.monotonic() > until_s:
                return False
            await asyncio.sleep(PAUSE_S)

    async def _call(self, key: str, name: str, call: Callable[[Any], Awaitable[None]], got: list[Reading]) -> bool:
        """One call under pimgr's own deadline; whether it went well."""
        deadlines = self.context.deadlines
        deadline_s = deadlines.cloud_s if self.subject.type.cloud else deadlines.read_s
        part = f"{self.subject.id}/{key}" if key else self.subject.id
        self.trace.note("call", f"{part}: {name}")

        async def attempt(connection: Connection) -> None:
            await call(connection.parts[key])

        began_s = time.monotonic()
        error = await self.link.attempt(attempt, deadline_s)
        took_s = round(time.monotonic() - began_s, 4)
        fact, cure = self._told(error, deadline_s)
        reading = self.redactor.cleaned(msgspec.to_builtins(got[0])) if got else None
        self.trace.note("done", f"{part}: {fact or 'well'}, after {took_s:.3f} s")
        self.calls.append(Call(part=part, call=name, took_s=took_s, reading=reading, error=fact, cure=cure))
        return error is None

    def _told(self, error: BaseException | None, deadline_s: float) -> tuple[str, str]:
        """Fact and cure, without secrets."""
        match error:
            case None:
                return "", ""
            case DeviceError():
                words = f"{type(error).__name__}: wanted {error.wish}, {error.fact}", error.cure
            case Overdue():
                words = f"no answer in {deadline_s:g} s", "check its power, its address and the network"
            case _:
                words = f"its plugin failed ({type(error).__name__}: {error})", "tell the plugin's author"
        fact, cure = (safe(self.redactor.clean(word), 500) for word in words)
        return fact, cure
