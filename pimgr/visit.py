"""`pimgr check --connect`: each device is looked at as by an installer. Switches nothing, keeps nothing but budgets.

A device is met with what the running pimgr keeps for it, read from the journal: a token, a fingerprint, a login budget.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pimgr.api import Connection, DeviceError, Finding, Severity, Storable
from pimgr.clock import SystemClock
from pimgr.config import ConfigErrors, ConnectionConfig, HouseConfig, Secrets, typed
from pimgr.context import HostContext, Surroundings
from pimgr.counting import NOT_COUNTED, Counts, Look, LookStore
from pimgr.link import Link, Overdue
from pimgr.plugins import Plugins

DEADLINE_S = 20.0
"""What one connection's check may take, all its calls together."""

Visit = tuple[str, tuple[Finding, ...]]
Kept = Callable[[str], Mapping[str, Storable]]
"""What is kept for a connection, by key; empty where nothing is, or where it can't be read."""


class _Said:
    """What a connection tells during a visit becomes findings of it."""

    def __init__(self) -> None:
        self.standing: dict[str, Finding] = {}

    def tell(self, _connection: str, key: str, finding: Finding | None) -> None:
        self.standing.pop(key, None)
        if finding is not None:
            self.standing[key] = finding

    def record(self, _connection: str, _text: str) -> None:
        """A visit leaves no trace."""


@dataclass(frozen=True)
class Luggage:
    """What a visitor brings along."""

    plugins: Plugins
    secrets: Secrets
    kept: Kept
    counts: Counts


def visit(house: HouseConfig, luggage: Luggage) -> list[Visit]:
    """What each connection finds of itself, in the order of the config. Never raises for a device."""
    return asyncio.run(_all(house.connections, luggage))


async def _all(connections: Sequence[ConnectionConfig], luggage: Luggage) -> list[Visit]:
    try:
        findings = await asyncio.gather(*(_one(connection, luggage) for connection in connections))
    finally:
        luggage.counts.close()
    return [(connection.id, found) for connection, found in zip(connections, findings, strict=True)]


async def _one(connection: ConnectionConfig, luggage: Luggage) -> tuple[Finding, ...]:
    plugins = luggage.plugins
    type_ = plugins.types[connection.type]
    try:
        config = typed(connection, plugins)
        for module in type_.vendor_modules:
            importlib.import_module(module)
    except (ConfigErrors, ImportError) as missing:
        return (Finding(severity=Severity.CRITICAL, text=str(missing)),)
    said = _Said()
    begun = Look(connection.id, type_, luggage.kept(connection.id), luggage.counts)
    store = LookStore(begun, lambda problem: said.tell(connection.id, NOT_COUNTED, problem))
    context = HostContext(connection.id, store, Surroundings(SystemClock(), luggage.secrets, said))
    link = Link(connection.id, lambda: type_.open(config, context), context.release)
    found: list[Finding] = []

    async def look(opened: Connection) -> None:
        found.extend(await opened.check())

    error = await link.attempt(look, DEADLINE_S)
    await link.close()
    return (*found, *said.standing.values(), *([] if error is None else [_trouble(error)]))


def _trouble(error: BaseException) -> Finding:
    match error:
        case DeviceError():
            return Finding(severity=Severity.CRITICAL, text=f"wanted {error.wish}, {error.fact}", cure=error.cure)
        case Overdue():
            cure = "check its address, its power and the network"
            return Finding(severity=Severity.CRITICAL, text=f"no answer in {DEADLINE_S:g} s", cure=cure)
        case _:
            text = f"its plugin failed ({type(error).__name__}: {error})"
            return Finding(severity=Severity.CRITICAL, text=text, cure="tell the plugin's author")
