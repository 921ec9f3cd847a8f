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

LOOPBACK = '''\
"""The device's side, on this machine: enough of it to test against, and every way in which it can misbehave.

python tests/loopback.py        a device to play with, on port 7777, until Ctrl-C
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from pimgr.house.faults import Fault, FaultTimes, Line
from pimgr.house.gate import LOOPBACK, Gate
from pimgr.testing import Trouble, Vendor

PASSWORD = "open-sesame"


class Loopback:
    """One device behind a `Gate`, which makes the faults that any TCP server can have."""

    def __init__(self) -> None:
        self.gate = Gate("switch", FaultTimes(slow_s=0.5))
        self.heal()
        self.on = True

    def heal(self) -> None:
        """As from the factory."""
        self.password, self.id, self.busy = PASSWORD, "switch-1", False
        self.gate.set_fault(Fault.NONE)

    async def serve(self, line: Line) -> None:
        """One connection: a request, an answer."""
        asked = msgspec.json.decode(await line.reader.readline())
        await line.send(msgspec.json.encode(self.answer(asked)) + b"\\n")

    def answer(self, asked: dict[str, object]) -> dict[str, object]:
        if asked.get("password") != self.password:
            return {"id": self.id, "error": "wrong password"}
        if self.busy:
            return {"id": self.id, "error": "asked too often"}
        self.on = bool(asked.get("on", self.on))
        return {"id": self.id, "on": self.on, "watts": 60.0 if self.on else 0.0}

    def troubles(self) -> dict[Trouble, object]:
        """How to bring each trouble about."""
        fault = self.gate.set_fault
        return {
            Trouble.NONE: self.heal,
            Trouble.UNREACHABLE: lambda: fault(Fault.REFUSING),
            Trouble.SILENT: lambda: fault(Fault.SILENT),
            Trouble.GARBAGE: lambda: fault(Fault.GARBAGE),
            Trouble.DRIPPING: lambda: fault(Fault.DRIPPING),
            Trouble.CUT: lambda: fault(Fault.CUT),
            Trouble.OVERSIZE: lambda: fault(Fault.OVERSIZE),
            Trouble.SLOW: lambda: fault(Fault.SLOW),
            Trouble.WRONG_CREDENTIALS: lambda: setattr(self, "password", "another"),
            Trouble.CHANGED_IDENTITY: lambda: setattr(self, "id", "switch-2"),
            Trouble.RATE_LIMITED: lambda: setattr(self, "busy", True),
        }


@asynccontextmanager
async def vendor() -> AsyncIterator[Vendor]:
    """The device, running, and the config that reaches it."""
    device = Loopback()
    port = await device.gate.open(0, device.serve)
    config = {"address": LOOPBACK, "port": port, "password": {"secret": "pw"}, "device_id": "switch-1"}
    try:
        yield Vendor(config=config, troubles=device.troubles())
    finally:
        await device.gate.close()


async def play() -> None:
    """One device, until it is stopped."""
    device = Loopback()
    await device.gate.open(7777, device.serve)
    print(f"a device listens on {LOOPBACK}, port 7777; its password is {PASSWORD}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(play())
'''

TESTS = '''\
"""Every rule of pimgr's contract, and every trouble a device can be in, on this plugin."""

from __future__ import annotations

import pytest
from loopback import PASSWORD, vendor
from pimgr.testing import ContractSuite, FaultMatrixSuite, Subject

from @PACKAGE@ import SWITCH


@pytest.fixture
def subject() -> Subject:
    return Subject(
        plugin="@PACKAGE@",
        device_type=SWITCH,
        vendor=vendor,
        secrets={"pw": PASSWORD},
        wrong_secrets={"pw": "not-the-password"},
    )


class TestContract(ContractSuite):
    """What `pimgr.api` asks of a plugin."""


class TestFaults(FaultMatrixSuite):
    """In each trouble the right one of the four errors, in time, and nothing left behind."""
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

MIT = """\
MIT License

Copyright (c) the authors of pimgr-@NAME@

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""

APACHE = """\
Copyright the authors of pimgr-@NAME@

Licensed under the Apache License, Version 2.0 (the "License"); you may not use this software except in compliance with
the License. You may obtain a copy of the License at

    https://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software distributed under the License is distributed on an
"AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the License for the specific
language governing permissions and limitations under the License.
"""

GPL = """\
Copyright the authors of pimgr-@NAME@

This program is free software: you can redistribute it and/or modify it under the terms of the GNU General Public
License as published by the Free Software Foundation, either version 3 of the License, or (at your option) any later
version.

This program is distributed in the hope that it will be useful, but WITHOUT ANY WARRANTY; without even the implied
warranty of MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE. See the GNU General Public License for more details:

    https://www.gnu.org/licenses/
"""
