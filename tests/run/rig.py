"""A whole supervisor to put into trouble: in this process and virtual time, or as the process that systemd starts."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pimgr import snapshot
from pimgr.api import Grid, Message, hookimpl
from pimgr.control import Reply, Request
from pimgr.journal import Journal
from pimgr.supervise import Options, Supervisor
from pimgr.testing import FakeClock, World, run_virtual, scripted

ROOT = Path(__file__).parents[2]
TIERS = """
[[tiers]]
name = "at once"
at_once = true
loads = ["pump", "boiler"]
[[tiers]]
name = "low"
below = 50
loads = ["heater"]
"""
LOADS = ("pump", "boiler", "heater")
_numbers = itertools.count(1)
DEVICE_TYPES = tuple(replace(kind, floor_s=0.1) for kind in scripted.DEVICE_TYPES)
"""As in a house, where every look takes some time; in virtual time an instant one would be repeated for ever."""


def table(id: str, kind: str, **values: object) -> str:
    """One connection of the config."""
    lines = [f"{key} = {_toml(value)}" for key, value in {"type": kind, **values}.items()]
    return "\n".join([f"[connections.{id}]", *lines, ""])


def _toml(value: object) -> str:
    return (
        value
        if isinstance(value, str) and value.startswith("{")
        else repr(value).lower()
        if isinstance(value, bool)
        else f'"{value}"'
        if isinstance(value, str)
        else repr(value)
    )


def config(world: str, *more: str, grid: str = 'sources = ["gateway"]', tiers: str = TIERS, mail: bool = True) -> str:
    """A house of a gateway, three loads, and somebody who takes mail. The defaults of pimgr hold unless `grid` says."""
    parts = [table("gateway", "scripted.gateway", world=world)]
    parts += [table(load, "scripted.load", world=world) for load in LOADS]
    if mail:
        parts.append(table("mail", "scripted.notifier", world=world))
    return "\n".join(["version = 1", "[grid]", grid, tiers, *parts, *more])


def plugin(*types: Any) -> Any:
    """A plugin that brings these device types."""
    return SimpleNamespace(pimgr_device_types=hookimpl(lambda: types))


class Box:
    """A supervisor in this process. `notices`: what systemd was told, where `NOTIFY_SOCKET` is given by `listening`."""

    def __init__(self, folder: Path, text: str = "", *, plugins: Mapping[str, object] | None = None) -> None:
        self.clock = FakeClock()
        self.world = World(f"box-{next(_numbers)}", now=lambda: self.clock.now().instant)
        self.folder, self.file = folder, folder / "pimgr.toml"
        self.state, self.run = folder / "state", folder / "run"
        self.plugins = {"scripted": plugin(*DEVICE_TYPES), **(plugins or {})}
        for each in (self.state, self.run):
            each.mkdir(exist_ok=True)
        self.write(text or config(self.world.name))

    def write(self, text: str) -> None:
        self.file.write_text(text.replace("WORLD", self.world.name), encoding="utf-8")

    async def start(self, before_commit: Callable[[], None] = lambda: None) -> None:
        self.journal = await Journal.open(self.state, self.run, before_commit=before_commit)
        options = Options(config=self.file, state=self.state, run=self.run, extra=self.plugins, clock=self.clock)
        self.supervisor = Supervisor(options, self.journal)
        await self.supervisor.prepare()
        self.running = asyncio.create_task(self.supervisor.run())
        await self.until((self.run / snapshot.NAME).exists, 10.0)

    async def stop(self) -> int:
        """As by SIGTERM; gives the exit status."""
        self.supervisor.stop.set()
        try:
            return await self.running
        finally:
            await self.journal.close()

    @asynccontextmanager
    async def on(self, before_commit: Callable[[], None] = lambda: None) -> AsyncIterator[Box]:
        await self.start(before_commit)
        try:
            yield self
        finally:
            await self.stop()

    async def until(self, fact: Callable[[], bool], timeout_s: float = 60.0) -> float:
        """Wait until something is so; the seconds that took. Fails where it never becomes so."""
        loop = asyncio.get_running_loop()
        began, step_s = loop.time(), 0.01
        while not fact():
            assert loop.time() - began < timeout_s, f"it never came to that: {self.supervisor.trouble}, {self.view()}"
            assert not hasattr(self, "running") or not self.running.done(), "the supervisor ended"
            await asyncio.sleep(step_s)
            step_s = min(0.25, 1.2 * step_s)
        return loop.time() - began

    async def outage(self) -> float:
        """The grid fails; until all that goes off at once is seen off."""
        self.world.set_grid(Grid.DOWN)
        return await self.until(lambda: self.taken("pump", "boiler"))

    async def reload(self) -> Reply:
        return await self.supervisor.handle(Request(do="reload"))

    def view(self) -> snapshot.Snapshot:
        return snapshot.read(self.run)

    def claims(self) -> dict[str, str]:
        return {claim.part: claim.status.value for claim in self.supervisor.loop.state.claims}

    def taken(self, *parts: str) -> bool:
        return all(self.claims().get(part) == "taken" for part in parts)

    def wishes(self, part: str) -> list[str]:
        return [command.wish for command in self.world.commands(part)]

    def mails(self) -> list[str]:
        return [message.subject for message in self.world.messages()]

    def turns(self) -> list[str]:
        """What the mails are about, without their figures."""
        return [subject.split(":")[0] for subject in self.mails()]

    def trouble(self) -> str:
        return "\n".join(self.view().trouble)


def virtually(main: Coroutine[Any, Any, None]) -> None:
    run_virtual(main)


async def waiting(journal: Journal) -> list[Message]:
    return [mail.message for mail in await journal.pending_mail()]


class Init:
    """systemd's end of the notify socket: a thread that reads, since a full socket would hold up who writes."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._marks = threading.Semaphore(0)
        self.heard: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while (said := self._socket.recv(65536)) != b"end":
            if said == b"mark":
                self._marks.release()
            else:
                self.heard.append(said.decode())

    def _say(self, what: bytes) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.sendto(what, str(self.path))

    def listen(self) -> list[str]:
        """Everything that was said up to now."""
        self._say(b"mark")
        assert self._marks.acquire(timeout=10.0)
        return self.heard

    def wait_for(self, fact: Callable[[list[str]], bool], timeout_s: float) -> bool:
        return eventually(lambda: fact(self.heard), timeout_s)

    def close(self) -> None:
        self._say(b"end")
        self._reader.join(10.0)
        self._socket.close()


def eventually(fact: Callable[[], bool], timeout_s: float) -> bool:
    """Whether it came to that, in real time."""
    end = time.monotonic() + timeout_s
    while not fact():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


class Service:
    """`pimgr run` as a process of its own. Scripted devices are installed there, and what `install` adds."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "pimgr.toml"
        self.state, self.run, self.site = folder / "state", folder / "run", folder / "site"
        for each in (self.state, self.run, self.site):
            each.mkdir()
        self.world = World(folder=folder / "world")
        self.init = Init(folder)
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self.install("scripted", "pimgr.testing.scripted")

    def install(self, name: str, module: str, code: str = "") -> None:
        """A distribution with one entry point, and its module unless that is there already."""
        if code:
            (self.site / f"{module}.py").write_text(code)
        info = self.site / f"pimgr_{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: pimgr-{name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[pimgr]\n{name} = {module}\n")

    def write(self, text: str) -> None:
        self.file.write_text(text.replace("WORLD", str(self.folder / "world")), encoding="utf-8")

    def begin(self, *more: str, wrapped: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
        folders = ("--config", str(self.file), "--state", str(self.state), "--run", str(self.run))
        self.init.listen()
        self.init.heard.clear()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*wrapped, sys.executable, "-m", "pimgr.cli", "run", *folders, *more],
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join([str(self.site), str(ROOT)]),
                    "NOTIFY_SOCKET": str(self.init.path),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self.process

    def start(self, *more: str) -> None:
        self.begin(*more)
        assert self.init.wait_for(lambda heard: "READY=1" in heard, 30.0), self.text()

    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def ended(self, timeout_s: float = 20.0) -> int:
        assert self.process is not None
        return self.process.wait(timeout_s)

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def view(self) -> snapshot.Snapshot:
        return snapshot.read(self.run)

    def pimgr(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command line, as a person uses it on this house."""
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PIMGR_STATE": str(self.state), "PIMGR_RUN": str(self.run)}
        command = [sys.executable, "-m", "pimgr.cli", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10.0)
        self.init.close()
        self.world.close()
