"""The files of a new plugin. @NAME@ is the plugin's name, @PACKAGE@ its package, @CLASS@ how its classes begin."""

PYPROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "pimgr-@NAME@"
version = "0.1.0"
description = "pimgr plugin for @NAME@"
readme = "README.md"
@LICENCE@requires-python = ">=3.11"
dependencies = ["pimgr"]

[project.optional-dependencies]
test = ["pimgr[house]", "pytest>=8"]

# pimgr finds the plugin by this: the name in the config, and the module with the hook.
[project.entry-points.pimgr]
@NAME@ = "@PACKAGE@"

[tool.setuptools]
packages = ["@PACKAGE@"]

[tool.setuptools.package-data]
@PACKAGE@ = ["py.typed"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = [".", "tests"]
addopts = ["--import-mode=importlib"]
"""

INIT = '''\
"""@NAME@ for pimgr: what the config may say, and what the device can do. Imports no library of the vendor's."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from pimgr.api import Capability, Config, Connection, Context, DeviceType, Secret, hookimpl


class @CLASS@Config(Config):
    """`@NAME@.switch` in the config file.

    `device_id`: given, another device at this address is neither believed nor switched.
    """

    address: str
    port: int = 7777
    password: Secret | None = None
    device_id: str | None = None

    def __post_init__(self) -> None:
        try:
            ipaddress.ip_address(self.address)
        except ValueError:
            raise ValueError(f'address {self.address!r}: an IP address such as "192.0.2.14"') from None
        if not 1 <= self.port <= 65535:
            raise ValueError(f"port {self.port}: 1 to 65535")


def _provides(config: @CLASS@Config) -> Mapping[str, frozenset[Capability]]:
    return {"": frozenset({Capability.LOAD})}


def _open(config: @CLASS@Config, context: Context) -> AbstractAsyncContextManager[Connection]:
    # Here, and not above: a vendor's library is to be imported only once a device is opened.
    from @PACKAGE@.device import open_switch

    return open_switch(config, context)


SWITCH = DeviceType(
    name="@NAME@.switch",
    summary="A switch that is told JSON, one line at a time",
    config=@CLASS@Config,
    provides=_provides,
    open=_open,
)


@hookimpl
def pimgr_device_types() -> Sequence[DeviceType[Any]]:
    """The device types of this plugin."""
    return (SWITCH,)
'''

DEVICE = '''\
"""The device. It talks JSON over TCP, an object a line: replace `_ask` and `_Answer` by what yours speaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from pimgr.api import (
    Context,
    DeviceError,
    Finding,
    Frozen,
    Garbled,
    LoadReading,
    Parts,
    Refused,
    Severity,
    Unreachable,
)
from pimgr.units import Watts, finite_and_in_range

from @PACKAGE@ import @CLASS@Config

MOST_BYTES = 4096
"""The longest answer that is read; the device's have some 60 bytes."""
_PATIENCE = 0.9
"""The share of pimgr's deadline after which we say ourselves what hung."""


class _Answer(Frozen):
    """What the device says. `watts`: W drawn; `error`: why it refuses."""

    id: str = ""
    on: bool | None = None
    watts: float | None = None
    error: str = ""


@asynccontextmanager
async def open_switch(config: @CLASS@Config, context: Context) -> AsyncIterator[Switch]:
    """A switch that connects anew for each call; opening does nothing."""
    yield Switch(config, context)


class Switch:
    """One device, which is its own only part."""

    def __init__(self, config: @CLASS@Config, context: Context) -> None:
        self._config, self._context = config, context
        self.parts: Parts = {"": self}

    async def read_load(self) -> LoadReading:
        at = self._context.now()
        answer = await self._ask("its state", {}, self._context.deadlines.read_s)
        if answer.on is None:
            raise Garbled(self._context.connection, "its state", "it didn't tell whether it is on", "restart it")
        watts = answer.watts
        metered = watts is not None and finite_and_in_range(watts, 0.0, 25_000.0)
        return LoadReading(at=at, source="switch", on=answer.on, power_w=Watts(watts) if metered and watts else None)

    async def switch(self, on: bool) -> None:
        await self._ask("on" if on else "off", {"on": on}, self._context.deadlines.switch_s)

    async def check(self) -> list[Finding]:
        try:
            answer = await self._ask("a look at it", {}, self._context.deadlines.read_s)
        except DeviceError as error:
            return [Finding(severity=Severity.CRITICAL, text=str(error), cure=error.cure)]
        cure = "" if self._config.device_id else f'to be sure of it for ever, add device_id = "{answer.id[:40]}"'
        return [Finding(severity=Severity.INFO, text=f"{answer.id[:40]!r} answers", cure=cure)]

    async def _ask(self, wish: str, request: dict[str, object], deadline_s: float) -> _Answer:
        """One request, one answer. Raises one of pimgr's four errors, each saying part, wish, fact and cure."""
        name, where = self._context.connection, f"{self._config.address}:{self._config.port}"
        if self._config.password is not None:
            request = {**request, "password": self._context.secret(self._config.password)}
        try:
            async with asyncio.timeout(_PATIENCE * deadline_s):
                line = await self._exchange(msgspec.json.encode(request) + b"\\n")
        except TimeoutError:
            raise Unreachable(name, wish, f"no answer from {where} in time", "check its power and network") from None
        except OSError as error:
            raise Unreachable(name, wish, f"{where}: {error.strerror or error}", "check its address") from None
        except ValueError:  # the answer is longer than the reader's limit
            raise Garbled(name, wish, f"{where} answers too much", "is this the right device?") from None
        try:
            answer = msgspec.json.decode(line, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Garbled(name, wish, f"{where} answers what no such device says", "is it the right one?") from None
        if self._config.device_id not in (None, answer.id):
            raise Garbled(name, wish, f"another device ({answer.id[:40]!r}) answers at {where}", "fix its address")
        if answer.error:
            raise Refused(name, wish, f"it says {answer.error[:60]!r}", "check its password")
        return answer

    async def _exchange(self, request: bytes) -> bytes:
        config = self._config
        reader, writer = await asyncio.open_connection(config.address, config.port, limit=MOST_BYTES)
        try:
            writer.write(request)
            return await reader.readline()
        finally:
            writer.close()
'''

README = """\
# pimgr-@NAME@

A plugin for pimgr. In pimgr's config:

    [connections.my-@NAME@]
    type = "@NAME@.switch"
    address = "192.0.2.14"
    password = { secret = "@NAME@-password" }

`@PACKAGE@/__init__.py` says what the config may say and what the device can do, `@PACKAGE@/device.py` speaks to it, and
`tests/` runs pimgr's contract suite against a device on this machine.

    python -m pip install "pimgr[house]" pytest
    python -m pytest
    python tests/loopback.py        # a device to play with

Install it on the box: `sudo pimgr plugin add .` in this folder.
"""
