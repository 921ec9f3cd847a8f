"""A lamp on loopback that can be in all ten troubles, a plugin for it that keeps its promises, and some that don't.

It is asked ``PASSWORD read`` or ``PASSWORD on`` in a line, and answers ``ID 1``, ``denied`` or ``slowly`` in a line.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from pimgr import api
from pimgr.api import Capability
from pimgr.house.faults import Fault, FaultTimes, Line
from pimgr.house.gate import LOOPBACK, Gate
from pimgr.testing import Subject, Trouble, Vendor

LOG = logging.getLogger(__name__)
PASSWORD = "the-right-password"
QUICK = api.Deadlines(read_s=0.4, switch_s=0.4, cloud_s=0.4, shut_down_s=0.4)
WIRE: Mapping[Trouble, Fault] = {
    Trouble.UNREACHABLE: Fault.REFUSING,
    Trouble.SILENT: Fault.SILENT,
    Trouble.GARBAGE: Fault.GARBAGE,
    Trouble.DRIPPING: Fault.DRIPPING,
    Trouble.CUT: Fault.CUT,
    Trouble.OVERSIZE: Fault.OVERSIZE,
    Trouble.SLOW: Fault.SLOW,
}


class LampConfig(api.Config):
    port: int
    password: api.Secret


class Lamp:
    """One plug: a connection for each call, its first identity pinned."""

    def __init__(self, config: LampConfig, context: api.Context) -> None:
        self.config, self.context = config, context
        self.name = context.connection
        self.secret = context.secret(config.password)
        self.parts: api.Parts = {"": self}

    async def check(self) -> list[api.Finding]:
        """Reads it."""
        await self.read_load()
        return []

    async def read_load(self) -> api.LoadReading:
        on = await self.ask("read")
        return api.LoadReading(at=self.context.now(), source=self.name, on=on)

    async def switch(self, on: bool) -> None:
        await self.ask("on" if on else "off")

    async def ask(self, wish: str) -> bool:
        """Whether it is on after that wish."""
        try:
            async with asyncio.timeout(self.context.deadlines.read_s * 0.8):
                line = await self.say(wish)
        except (OSError, TimeoutError) as error:
            raise api.Unreachable(self.name, wish, "no answer", "check its power") from error
        except (ValueError, asyncio.LimitOverrunError) as error:
            raise api.Garbled(self.name, wish, "an endless answer", "see what it is") from error
        return await self.understood(wish, line)

    async def say(self, wish: str) -> bytes:
        reader, writer = await asyncio.open_connection(LOOPBACK, self.config.port, limit=1024)
        try:
            writer.write(f"{self.secret} {wish}\n".encode())
            return await reader.readline()
        finally:
            writer.transport.abort()

    async def understood(self, wish: str, line: bytes) -> bool:
        match line.split(b" "):
            case [b"denied\n"]:
                raise api.Refused(self.name, wish, "wrong password", "set the right one")
            case [b"slowly\n"]:
                raise api.Refused(self.name, wish, "asked too often", "wait")
            case [identity, (b"0\n" | b"1\n") as on] if identity == (self.context.store.get("id") or identity):
                await self.context.store.put("id", identity)
                return on == b"1\n"
            case [_, b"0\n" | b"1\n"]:
                raise api.Garbled(self.name, wish, "it is another lamp", "pair it again")
            case _:
                raise api.Garbled(self.name, wish, "no words of a lamp", "see what it is")


class _Vendor:
    """The lamp's own side."""

    def __init__(self) -> None:
        self.gate = Gate("lamp", FaultTimes(slow_s=QUICK.read_s / 2))
        self.on, self.identity, self.password, self.hurried = True, "lamp-1", PASSWORD, False

    def be(self, trouble: Trouble) -> None:
        self.identity = "lamp-2" if trouble is Trouble.CHANGED_IDENTITY else "lamp-1"
        self.password = "another" if trouble is Trouble.WRONG_CREDENTIALS else PASSWORD
        self.hurried = trouble is Trouble.RATE_LIMITED
        self.gate.set_fault(WIRE.get(trouble, Fault.NONE))

    async def serve(self, line: Line) -> None:
        while heard := await line.reader.readline():
            password, _, wish = heard.decode().strip().partition(" ")
            await line.send(self._answer(password, wish).encode() + b"\n")

    def _answer(self, password: str, wish: str) -> str:
        if self.hurried:
            return "slowly"
        if password != self.password:
            return "denied"
        self.on = {"on": True, "off": False}.get(wish, self.on)
        return f"{self.identity} {int(self.on)}"


@asynccontextmanager
async def lamp_on_loopback() -> AsyncIterator[Vendor]:
    vendor = _Vendor()
    port = await vendor.gate.open(0, vendor.serve)
    troubles = {trouble: _be(vendor, trouble) for trouble in Trouble}
    try:
        yield Vendor(config={"port": port, "password": {"secret": "pw"}}, troubles=troubles)
    finally:
        await vendor.gate.close()


def _be(vendor: _Vendor, trouble: Trouble) -> Any:
    return lambda: vendor.be(trouble)


def lamp(kind: type[Lamp] = Lamp, **changes: Any) -> Subject:
    """The lamp with this plugin."""

    @asynccontextmanager
    async def connect(config: LampConfig, context: api.Context) -> AsyncIterator[api.Connection]:
        yield kind(config, context)

    device_type = api.DeviceType(
        name="lamp.plug",
        summary="A lamp",
        config=LampConfig,
        provides=lambda config: {"": frozenset({Capability.LOAD})},
        open=connect,
    )
    subject = Subject(
        plugin="tests.testing.lamp:none",
        device_type=device_type,
        vendor=lamp_on_loopback,
        secrets={"pw": PASSWORD},
        wrong_secrets={"pw": "a-wrong-password"},
        deadlines=QUICK,
    )
    return replace(subject, **changes)


# -------------------------------------------------------------------------------------------------- lamps gone wrong


class TakesSilenceForNo(Lamp):
    async def ask(self, wish: str) -> bool:
        try:
            return await super().ask(wish)
        except api.Unreachable as error:
            raise api.Refused(error.part, error.wish, error.fact, error.cure) from error


class LeavesTimeToOthers(Lamp):
    async def ask(self, wish: str) -> bool:
        return await self.understood(wish, await self.say(wish))


class InventsInTrouble(Lamp):
    async def ask(self, wish: str) -> bool:
        try:
            return await super().ask(wish)
        except api.DeviceError:
            return True


class HasNoCure(Lamp):
    async def ask(self, wish: str) -> bool:
        try:
            return await super().ask(wish)
        except api.DeviceError as error:
            raise type(error)(error.part, error.wish, error.fact) from error


class TellsThePasswordInAnError(Lamp):
    async def ask(self, wish: str) -> bool:
        try:
            return await super().ask(wish)
        except api.DeviceError as error:
            raise type(error)(error.part, error.wish, f"asked {self.secret} {wish}", error.cure) from error


class LogsThePassword(Lamp):
    async def ask(self, wish: str) -> bool:
        logging.getLogger("a.vendor").debug("> %s %s", self.secret, wish)
        return await super().ask(wish)


class LogsATraceback(Lamp):
    async def ask(self, wish: str) -> bool:
        try:
            return await super().ask(wish)
        except api.DeviceError:
            try:
                raise ValueError(self.secret) from None
            except ValueError:
                LOG.exception("what now?")
            raise


class TellsThePassword(Lamp):
    async def ask(self, wish: str) -> bool:
        finding = api.Finding(severity=api.Severity.WARNING, text=f"{self.secret} is a weak password")
        self.context.tell("weak", finding)
        return await super().ask(wish)


class StoresThePassword(Lamp):
    async def ask(self, wish: str) -> bool:
        await self.context.store.put("pw", [self.secret])
        return await super().ask(wish)


class LeaksASocket(Lamp):
    held: list[socket.socket] = []  # noqa: RUF012 - what is leaked stays where it is

    async def ask(self, wish: str) -> bool:
        self.held.append(socket.socket())
        return await super().ask(wish)


class LeavesAThread(Lamp):
    ended = threading.Event()

    async def ask(self, wish: str) -> bool:
        threading.Thread(target=self.ended.wait, args=(30.0,), daemon=True, name="left behind").start()
        return await super().ask(wish)


class LeavesATask(Lamp):
    left: set[asyncio.Task[None]] = set()  # noqa: RUF012 - likewise

    async def ask(self, wish: str) -> bool:
        self.left.add(asyncio.create_task(asyncio.sleep(3600.0)))
        return await super().ask(wish)


class LeavesAProcess(Lamp):
    left: list[subprocess.Popen[bytes]] = []  # noqa: RUF012 - likewise

    async def ask(self, wish: str) -> bool:
        self.left.append(subprocess.Popen(["sleep", "30"]))  # noqa: ASYNC220 - that isn't what is broken
        return await super().ask(wish)


class BlocksTheLoop(Lamp):
    async def ask(self, wish: str) -> bool:
        await asyncio.sleep(0.02)
        time.sleep(0.15)  # noqa: ASYNC251 - that is what is broken
        return await super().ask(wish)


class SulksForEver(Lamp):
    hurt = False

    async def ask(self, wish: str) -> bool:
        if self.hurt:
            raise api.Unreachable(self.name, wish, "it was away once", "restart pimgr")
        try:
            return await super().ask(wish)
        except api.DeviceError:
            self.hurt = True
            raise


class SulksAcrossConnections(Lamp):
    async def ask(self, wish: str) -> bool:
        if self.context.store.get("hurt"):
            raise api.Unreachable(self.name, wish, "it was away once", "restart pimgr")
        try:
            return await super().ask(wish)
        except api.DeviceError:
            await self.context.store.put("hurt", True)
            raise
