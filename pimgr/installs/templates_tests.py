"""The tests of a new plugin, and the device that they run against; the words between @ are those of `templates`."""

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
