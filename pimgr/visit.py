"""`pimgr check --connect`: each device is looked at as by an installer. Switches nothing, keeps nothing."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence

from pimgr.api import Connection, DeviceError, Finding, Severity, Storable
from pimgr.clock import SystemClock
from pimgr.config import ConfigErrors, ConnectionConfig, HouseConfig, Secrets, typed
from pimgr.context import HostContext, Surroundings
from pimgr.link import Link, Overdue
from pimgr.plugins import Plugins

DEADLINE_S = 20.0
"""What one connection's check may take, all its calls together."""

Visit = tuple[str, tuple[Finding, ...]]


class _Memory:
    """A store for one visit: what a running pimgr keeps is not touched, so a fingerprint is told and not pinned."""

    def __init__(self) -> None:
        self._kept: dict[str, Storable] = {}

    def get(self, key: str) -> Storable:
        return self._kept.get(key)

    async def put(self, key: str, value: Storable) -> bool:
        self._kept[key] = value
        return False


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


def visit(house: HouseConfig, plugins: Plugins, secrets: Secrets) -> list[Visit]:
    """What each connection finds of itself, in the order of the config. Never raises for a device."""
    return asyncio.run(_all(house.connections, plugins, secrets))


async def _all(connections: Sequence[ConnectionConfig], plugins: Plugins, secrets: Secrets) -> list[Visit]:
    findings = await asyncio.gather(*(_one(connection, plugins, secrets) for connection in connections))
    return [(connection.id, found) for connection, found in zip(connections, findings, strict=True)]


async def _one(connection: ConnectionConfig, plugins: Plugins, secrets: Secrets) -> tuple[Finding, ...]:
    type_ = plugins.types[connection.type]
    try:
        config = typed(connection, plugins)
        for module in type_.vendor_modules:
            importlib.import_module(module)
    except (ConfigErrors, ImportError) as missing:
        return (Finding(severity=Severity.CRITICAL, text=str(missing)),)
    said = _Said()
    context = HostContext(connection.id, _Memory(), Surroundings(SystemClock(), secrets, said))
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
