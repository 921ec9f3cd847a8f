"""The contract's rules for a healthy device: what a connection is, what it reads, what it does when told."""

from __future__ import annotations

import asyncio
import inspect
import math
import subprocess
import sys
from typing import Any

import msgspec

from pimgr import api
from pimgr.plausible import implausible
from pimgr.testing.bench import NETWORK_EVENTS, Bench, network, run_bounded
from pimgr.testing.subject import METHODS, Broken, NotApplicable
from pimgr.testing.wishes import WISHES

_HOOK_PROBE = """
import sys
sys.path[:] = {path!r}
seen = []
from pimgr import api
import importlib
sys.addaudithook(lambda event, args: seen.append(event) if event in {events!r} else None)
manager = api.plugin_manager()
manager.register(importlib.import_module({plugin!r}))
types = [t for found in manager.hook.pimgr_device_types() for t in found]
print(*[t.name for t in types], sep=",")
print(*[m for m in {vendors!r} if m in sys.modules], sep=",")
print(*seen, sep=",")
"""


async def hook_needs_no_vendor(bench: Bench) -> None:
    """The hook names the device type, imports no vendor module and touches no network."""
    module, _, attribute = bench.subject.plugin.partition(":")
    if attribute:
        raise NotApplicable("the entry point names an object, not a module")
    vendors = bench.type.vendor_modules
    program = _HOOK_PROBE.format(path=sys.path, events=NETWORK_EVENTS, plugin=module, vendors=vendors)
    command = [sys.executable, "-c", program]
    probe = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30.0, check=False)
    if probe.returncode != 0:
        raise Broken(f"{module} can't be loaded: {probe.stderr.strip().splitlines()[-1:]}")
    names, imported, seen = ([word for word in line.split(",") if word] for line in probe.stdout.split("\n")[:3])
    if bench.type.name not in names:
        raise Broken(f"the hook of {module} offers {names}, not {bench.type.name}")
    if len(set(names)) != len(names):
        raise Broken(f"the hook of {module} offers a name twice: {names}")
    if imported:
        raise Broken(f"loading {module} imports {imported}; name them in vendor_modules, import them in `open`")
    if seen:
        raise Broken(f"loading {module} does {seen}")


async def parts_are_as_provided(bench: Bench) -> None:
    """The parts are exactly what `provides(config)` told, each with the async methods of its capabilities."""
    oldest, newest = bench.type.api
    if not oldest <= api.VERSION <= newest:
        raise Broken(f"it was written for contract {oldest} to {newest}, this is {api.VERSION}")
    if dict(bench.type.provides(bench.config)) != bench.provides:
        raise Broken("`provides` tells the same config different parts")
    async with bench.connected() as connection:
        if set(connection.parts) != set(bench.provides):
            raise Broken(f"it has the parts {sorted(connection.parts)}, but promised {sorted(bench.provides)}")
        for key, capabilities in bench.provides.items():
            if not capabilities:
                raise Broken(f"part {key!r} can do nothing")
            for name in (name for capability in capabilities for name in METHODS[capability].names):
                if not inspect.iscoroutinefunction(getattr(connection.parts[key], name, None)):
                    raise Broken(f"part {key!r} has no `async def {name}`")


async def open_touches_no_network(bench: Bench) -> None:
    """Opening and closing, without a call in between, says nothing to anybody."""
    with network.watch() as seen:
        async with bench.connected():
            pass
    if seen:
        raise Broken(f"`open` does {sorted(set(seen))}; connect at the first read")


async def readings_are_right(bench: Bench) -> None:
    """Each read gives its kind of reading: finite, what a house can produce, dated not in the future, sourced."""
    async with bench.connected() as connection:
        for key, name, call in bench.reads(connection):
            reading = await call
            wanted = next(m.reading for m in METHODS.values() if m.read == name)
            where = f"part {key!r}: {name}"
            if not isinstance(reading, wanted):
                raise Broken(f"{where} gave a {type(reading).__name__}, not a {wanted.__name__}")
            problem = implausible(reading, bench.clock) or _not_finite(msgspec.to_builtins(reading))
            if problem:
                raise Broken(f"{where} {problem}")
            if reading.at.since(bench.clock.now()) > 0.0:
                raise Broken(f"{where} is dated in the future; take `at` from context.now()")
            if not reading.source:
                raise Broken(f"{where} does not say its source")


async def data_round_trips(bench: Bench) -> None:
    """Config, readings, findings and stored values come back from msgpack as they went in."""
    _round_trip("the config", bench.config)
    async with bench.connected() as connection:
        for key, name, call in bench.reads(connection):
            _round_trip(f"part {key!r}: {name}", await call)
        for finding in await connection.check():
            _round_trip("a finding", finding)
    if bench.store.objections:
        raise Broken(f"stored {'; '.join(bench.store.objections)}")


async def commands_are_idempotent(bench: Bench) -> None:
    """The same wish twice returns twice, and what is read afterwards is that wish."""
    if not bench.subject.commands:
        raise NotApplicable("this device must not be touched")
    told = 0
    async with bench.connected() as connection:
        for key, capabilities in bench.provides.items():
            for capability in sorted(capabilities & WISHES.keys()):
                told += 1
                await WISHES[capability](bench, connection.parts[key])
    if not told:
        raise NotApplicable("it takes no commands")


async def unsupported_is_said(bench: Bench) -> None:
    """What the device can't do raises Unsupported, whatever else the method is."""
    if not bench.subject.unsupported:
        raise NotApplicable("the subject names nothing that it can't do")
    async with bench.connected() as connection:
        for key, name, arguments in bench.subject.unsupported:
            _, error = await run_bounded(getattr(connection.parts[key], name)(*arguments), 30.0)
            if not isinstance(error, api.Unsupported):
                raise Broken(f"part {key!r}: {name}{arguments} gave {error!r}, not Unsupported")


async def check_only_looks(bench: Bench) -> None:
    """`check` gives findings with a text, and a cure where something isn't well; it changes nothing."""
    async with bench.connected() as connection:
        before = [_settings(await call) for _, _, call in bench.reads(connection)]
        findings = await connection.check()
        after = [_settings(await call) for _, _, call in bench.reads(connection)]
    if not all(type(finding) is api.Finding and finding.text for finding in findings):
        raise Broken(f"`check` gave {findings!r}")
    if any(finding.severity is api.Severity.CRITICAL for finding in findings):
        raise Broken(f"`check` finds a healthy device in trouble: {[finding.text for finding in findings]}")
    if before != after:
        raise Broken(f"`check` changed {before} to {after}")


# ------------------------------------------------------------------------------------------------------------ data


def _round_trip(what: str, value: msgspec.Struct) -> None:
    try:
        back = msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=type(value))
    except (TypeError, ValueError) as error:
        raise Broken(f"{what} doesn't round-trip msgpack: {error}") from error
    if back != value and not _not_finite(msgspec.to_builtins(value)):
        raise Broken(f"{what} comes back from msgpack as {back}")


def _not_finite(data: Any) -> str:
    """Why `data` holds a number that is none; "" if it doesn't."""
    if isinstance(data, float):
        return "" if math.isfinite(data) else f"says {data}"
    items = data.values() if isinstance(data, dict) else data if isinstance(data, list | tuple) else ()
    return next((problem for item in items if (problem := _not_finite(item))), "")


def _settings(reading: api.Reading) -> object:
    """What of a reading only a command or a person changes."""
    match reading:
        case api.LoadReading():
            return reading.on
        case api.HostReading():
            return (reading.up, reading.boot_id)
        case api.SiteReading():
            return (reading.reserve, reading.mode, reading.grid_charging, reading.storm_watch)
        case api.LevelReading():
            return reading.level
        case api.ThermostatReading():
            return (reading.mode, reading.hold)
        case _:
            return type(reading)
