"""The contract's rules for a device in trouble: errors, secrets, cancelling, hanging, closing, leaving nothing."""

from __future__ import annotations

import asyncio
import importlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any

from pimgr import api
from pimgr.testing.bench import CANCEL_S, CLOSE_S, CONNECTION, Bench, Lag, close, run_bounded
from pimgr.testing.provoke import WRONG, calls, failures, patience
from pimgr.testing.subject import Broken, NotApplicable, Trouble

FOUR = (api.Unreachable, api.Refused, api.Garbled, api.Unsupported)
LAG_S = 0.2


async def errors_are_of_the_four(bench: Bench) -> None:
    """A device in trouble gives Unreachable, Refused, Garbled or Unsupported, each saying part, wish and fact."""
    async for trouble, key, name, error in failures(bench):
        where = f"{trouble}: part {key!r}: {name}"
        if type(error) not in FOUR:
            raise Broken(f"{where} raised {error!r}, none of the four errors")
        assert isinstance(error, api.DeviceError)
        for told, text in (("part", error.part), ("wish", error.wish), ("fact", error.fact)):
            if type(text) is not str or not text:
                raise Broken(f"{where} raised {error!r} without its {told}")
        if not error.part.startswith(CONNECTION):
            raise Broken(f"{where} calls itself {error.part!r}; use context.connection, as in {CONNECTION}/{key}")
        if trouble == Trouble.UNREACHABLE and not isinstance(error, api.Unreachable | api.Unsupported):
            raise Broken(f"{where} raised {error!r}, not Unreachable")
        if trouble == WRONG and not isinstance(error, api.Refused | api.Unsupported):
            raise Broken(f"{where} raised {error!r}, not Refused")


async def trouble_is_not_hidden(bench: Bench) -> None:
    """What can't be read is not invented: an unreachable device, or one that talks nonsense, gives no reading."""
    for trouble in (Trouble.UNREACHABLE, Trouble.GARBAGE):
        if trouble not in bench.vendor.troubles:
            continue
        bench.trouble(trouble)
        async with bench.connected() as connection:
            for key, name, call in bench.reads(connection):
                reading, _ = await run_bounded(call, patience(bench))
                silent_host = isinstance(reading, api.HostReading) and not reading.up
                if reading is not None and not silent_host:
                    raise Broken(f"{trouble.value}: part {key!r}: {name} gave {reading}")
    if not {Trouble.UNREACHABLE, Trouble.GARBAGE} & bench.vendor.troubles.keys():
        raise NotApplicable("the subject's vendor can be neither unreachable nor talk garbage")


async def secrets_stay_secret(bench: Bench) -> None:
    """No error, finding or log line of the plugin's holds a secret."""
    secrets = [*bench.subject.secrets.values(), *(bench.subject.wrong_secrets or {}).values()]
    if not secrets:
        raise NotApplicable("the subject has no secrets")

    def judge(where: str, text: str) -> None:
        if any(secret in text for secret in secrets):
            raise Broken(f"{where} tells a secret")

    with _logged(bench.subject.plugin.partition(".")[0]) as lines:
        async with bench.connected() as connection:
            for _, _, call in bench.reads(connection):
                await run_bounded(call, patience(bench))
            findings, _ = await run_bounded(connection.check(), 30.0)
        judge("a finding", repr(findings))
        async for trouble, key, name, error in failures(bench):
            judge(f"{trouble}: part {key!r}: the error of {name}", f"{error} {error!r}")
        judge("a log line", "\n".join(lines))


async def cancelling_takes_no_second(bench: Bench) -> None:
    """A call that is cancelled while the device is silent ends within a second, and as cancelled."""
    bench.trouble(Trouble.SILENT)
    async with bench.connected() as connection:
        for key, name, call in calls(bench, connection):
            task = asyncio.ensure_future(call())
            await asyncio.wait({task}, timeout=0.1)
            if task.done():
                _ = task.cancelled() or task.exception()
                continue
            task.cancel()
            done, _ = await asyncio.wait({task}, timeout=CANCEL_S)
            if not done:
                raise Broken(f"part {key!r}: {name} went on for more than {CANCEL_S} s after it was cancelled")
            if not task.cancelled():
                raise Broken(f"part {key!r}: {name} was cancelled and gave {task.exception() or task.result()!r}")


async def hung_device_is_left_and_reopened(bench: Bench) -> None:
    """With a hung device every call ends at its deadline, the connection closes in a second, and a new one works."""
    bench.trouble(Trouble.SILENT)
    context = bench.context()
    opened = bench.type.open(bench.config, context)
    connection = await opened.__aenter__()
    for key, name, call in bench.reads(connection):
        began = time.monotonic()
        await run_bounded(call, bench.subject.deadlines.read_s)
        took = time.monotonic() - began
        if took > bench.subject.deadlines.read_s + CANCEL_S:
            raise Broken(f"part {key!r}: {name} can't be cancelled at its deadline")
    await _close(opened, "with a hung device")
    context.close()
    bench.heal()
    async with bench.connected() as again:
        for key, name, call in bench.reads(again):
            _, error = await run_bounded(call, patience(bench))
            if error is not None:
                raise Broken(f"opened again after a hang: part {key!r}: {name} raised {error!r}")


async def closes_twice_and_after_failure(bench: Bench) -> None:
    """Leaving the context works unused, used, after a failure, and twice; within a second; and hides no error."""
    for trouble in (None, *(t for t in (Trouble.UNREACHABLE, Trouble.GARBAGE) if t in bench.vendor.troubles)):
        if trouble is not None:
            bench.trouble(trouble)
        for used in (False, True):
            context = bench.context()
            opened = bench.type.open(bench.config, context)
            connection = await opened.__aenter__()
            if used:
                for _, _, call in bench.reads(connection):
                    await run_bounded(call, patience(bench))
            for times in ("once", "twice"):
                await _close(opened, f"{times}, {trouble or 'healthy'}, {'used' if used else 'unused'}")
            context.close()
    opened = bench.type.open(bench.config, bench.context())
    await opened.__aenter__()
    error = KeyError("from inside the block")
    try:
        hidden = await opened.__aexit__(KeyError, error, None)
    except KeyError as raised:
        hidden = raised is not error
    if hidden:
        raise Broken("closing hides an error raised inside the block")


async def loop_is_never_blocked(bench: Bench) -> None:
    """Nothing the plugin does, with the device healthy, silent or unreachable, holds the event loop for 0.2 s."""
    for module in bench.type.vendor_modules:
        importlib.import_module(module)  # pimgr does so off the loop
    async with bench.connected() as connection:
        for _, _, call in bench.reads(connection):
            await run_bounded(call, patience(bench))  # the plugin's own late imports count as opening
    lag_s = await _lag(bench)
    if lag_s > LAG_S:
        lag_s = min(lag_s, await _lag(bench))  # a busy machine holds everything up now and then, but not twice
    if lag_s > LAG_S:
        raise Broken(f"the event loop stood still for {lag_s:.2f} s")


async def nothing_is_left(bench: Bench) -> None:
    """After closing, healthy or hung, no thread goes on past the deadline, and no task past a second."""
    for trouble in (None, Trouble.SILENT):
        if trouble is not None and trouble not in bench.vendor.troubles:
            continue
        tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
        if trouble is not None:
            bench.trouble(trouble)
        async with bench.connected() as connection:
            for _, _, call in bench.reads(connection):
                await run_bounded(call, patience(bench))
        if trouble is not None:
            bench.heal()
        await _gone("task", asyncio.all_tasks, tasks, CLOSE_S)
        allowed_s = max(bench.subject.deadlines.read_s, bench.subject.deadlines.cloud_s) + CLOSE_S
        await _gone("thread", threading.enumerate, threads, allowed_s)


# ---------------------------------------------------------------------------------------------------------- parts


async def _close(opened: AbstractAsyncContextManager[Any], when: str) -> None:
    error = await close(opened)
    if isinstance(error, TimeoutError):
        raise Broken(f"closing takes more than {CLOSE_S} s ({when})")
    if error is not None:
        raise Broken(f"closing raised {error!r} ({when})")


async def _lag(bench: Bench) -> float:
    """The loop's longest standstill during all calls, in all troubles, in s."""
    lag = Lag()
    watch = asyncio.ensure_future(lag.watch())
    await asyncio.sleep(0.01)
    for trouble in (None, Trouble.SILENT, Trouble.UNREACHABLE):
        if trouble is not None and trouble not in bench.vendor.troubles:
            continue
        if trouble is not None:
            bench.trouble(trouble)
        async with bench.connected() as connection:
            for _, _, call in calls(bench, connection):
                await run_bounded(call(), patience(bench))
        if trouble is not None:
            bench.heal()
    watch.cancel()
    await asyncio.wait({watch})
    return lag.longest_s


async def _gone(what: str, living: Callable[[], Iterable[Any]], before: set[Any], within_s: float) -> None:
    until = time.monotonic() + within_s
    while left := set(living()) - before:
        if time.monotonic() > until:
            raise Broken(f"{within_s:.0f} s after closing, a {what} goes on: {sorted(map(str, left))}")
        await asyncio.sleep(0.02)


@contextmanager
def _logged(package: str) -> Iterator[list[str]]:
    """Log lines: all of the plugin's package, and everybody's from INFO on."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.INFO or record.name.split(".")[0] == package:
                lines.append(record.getMessage())

    root, own, handler = logging.getLogger(), logging.getLogger(package), Keep()
    levels = (root.level, own.level)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    own.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(levels[0])
        own.setLevel(levels[1])
