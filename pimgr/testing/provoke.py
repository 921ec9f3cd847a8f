"""Provokes a connection: every call it has, in every trouble its vendor's side can make."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

from pimgr import api
from pimgr.api import Capability
from pimgr.testing.bench import Bench, run_bounded
from pimgr.testing.subject import METHODS, NotApplicable, Trouble

TROUBLES = (Trouble.UNREACHABLE, Trouble.SILENT, Trouble.GARBAGE)
WRONG = "wrong secrets"
Call = tuple[str, str, Callable[[], Coroutine[Any, Any, Any]]]


def patience(bench: Bench) -> float:
    """How long a call is waited for: its deadline, when pimgr cancels it too."""
    return max(bench.subject.deadlines.read_s, bench.subject.deadlines.switch_s)


def calls(bench: Bench, connection: api.Connection) -> Iterator[Call]:
    """Every read and, where they may be given, every harmless command."""
    for key, capabilities in bench.provides.items():
        part = connection.parts[key]
        for capability in sorted(capabilities):
            if METHODS[capability].read:
                yield key, METHODS[capability].read, getattr(part, METHODS[capability].read)
            if bench.subject.commands:
                yield from harmless(key, capability, part)


def harmless(key: str, capability: Capability, part: Any) -> Iterator[Call]:
    match capability:
        case Capability.LOAD:
            yield key, "switch", lambda: part.switch(True)
        case Capability.SITE_CONTROL:
            yield key, "set_reserve", lambda: part.set_reserve(20.0)
            yield key, "set_mode", lambda: part.set_mode(api.SiteMode.SELF_CONSUMPTION)
            yield key, "set_grid_charging", lambda: part.set_grid_charging(True)
            yield key, "set_storm_watch", lambda: part.set_storm_watch(True)
        case Capability.GRADED_LOAD:
            yield key, "set_level", lambda: part.set_level(0.0)
        case Capability.HOST:
            yield key, "shut_down", lambda: part.shut_down("of-another-boot")
        case Capability.THERMOSTAT:
            yield key, "resume", part.resume
        case Capability.NOTIFIER:
            text = api.Message(key="contract-2", severity=api.Severity.INFO, subject="s", text="t\n", written=0.0)
            yield key, "send", lambda: part.send(text)
        case _:
            return


async def failures(bench: Bench) -> AsyncIterator[tuple[str, str, str, BaseException]]:
    """Every error that every call raises in every trouble, as trouble, part, method and error.

    A call to a silent device that pimgr has to end at its deadline is no failure of the plugin's.
    """
    troubles = [trouble for trouble in TROUBLES if trouble in bench.vendor.troubles]
    wrong = bench.subject.wrong_secrets is not None
    if not troubles and not wrong:
        raise NotApplicable("the subject's vendor knows no trouble")
    for trouble in troubles:
        bench.trouble(trouble)
        async for failure in _failures_now(bench, trouble.value, wrong_secrets=False):
            yield failure
        bench.heal()
    if wrong:
        async for failure in _failures_now(bench, WRONG, wrong_secrets=True):
            yield failure


async def _failures_now(
    bench: Bench, trouble: str, *, wrong_secrets: bool
) -> AsyncIterator[tuple[str, str, str, BaseException]]:
    async with bench.connected(wrong_secrets=wrong_secrets) as connection:
        for key, name, call in calls(bench, connection):
            _, error = await run_bounded(call(), patience(bench))
            if error is not None and not (trouble == Trouble.SILENT and type(error) is TimeoutError):
                yield trouble, key, name, error
