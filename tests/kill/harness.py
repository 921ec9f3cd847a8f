"""Kill the supervisor again and again, at random moments, while a house loses and regains the grid; then look at it.

Judged by the house's wire log and truth, joined to the journal: every command must belong to an action whose intent was
stored; no relay may go to and fro; at the end everything is as it was. The supervisor's own word counts for nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pimgr.house import House, WireEntry, read_spec
from pimgr.journal import StoredAction, read_actions
from pimgr.policy.model import HostPower, Switch
from tests.kill.evening import CONFIG, HOUSE

COMMANDS = ("switch", "shut_down", "wake")
FULL_EVERY = 20
"""One start in so many is a whole new interpreter."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`kills` in all, `per_phase` of them in each outage and each return. `wrong_order`: the deliberate mistake."""

    kills: int
    seed: int
    per_phase: int = 5
    wrong_order: bool = False
    slow_s: float = 0.03
    patience_s: float = 60.0
    """What the house gets to reach its final state once the killing has stopped."""


@dataclass
class Findings:
    """What went wrong, and how much was tried. Nothing wrong: all four lists are empty."""

    kills: int = 0
    full_starts: int = 0
    outages: int = 0
    commands: int = 0
    wrong_states: list[str] = field(default_factory=list)
    double_transitions: list[str] = field(default_factory=list)
    without_intent: list[str] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        return self.wrong_states + self.double_transitions + self.without_intent + self.deaths


class Killer:
    """Starts supervisors, by fork or afresh, and kills them."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        self.random = random.Random(plan.seed)
        self.findings = Findings()
        self.pid: int | None = None
        self._starts = 0
        self._fresh: asyncio.subprocess.Process | None = None
        self._pidfd = -1

    async def open(self) -> None:
        for name in ("state", "run", "secrets"):
            (self.folder / name).mkdir(mode=0o700)
        self.zygote = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.kill.zygote",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self.zygote.stdout is not None
        await self.zygote.stdout.readline()

    async def close(self) -> None:
        if self.pid is not None:
            await self.kill(count=False)
        self.zygote.kill()
        await self.zygote.wait()

    async def start(self) -> None:
        """A new supervisor; one in twenty in a new interpreter."""
        self._starts += 1
        env = {"CREDENTIALS_DIRECTORY": str(self.folder / "secrets")}
        if self._starts % FULL_EVERY == 0 and not self.plan.wrong_order:
            self.findings.full_starts += 1
            with (self.folder / "log").open("ab") as log:
                self._fresh = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *("-m", "pimgr.cli", "run", "--config", str(self.folder / "pimgr.toml")),
                    *("--state", str(self.folder / "state"), "--run", str(self.folder / "run")),
                    env={**os.environ, **env},
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            self.pid = self._fresh.pid
        else:
            order: dict[str, Any] = {
                "config": str(self.folder / "pimgr.toml"),
                "state": str(self.folder / "state"),
                "run": str(self.folder / "run"),
                "log": str(self.folder / "log"),
                "env": env,
                "wrong_order": self.plan.wrong_order,
                "slow_s": self.plan.slow_s,
            }
            assert self.zygote.stdin is not None
            assert self.zygote.stdout is not None
            self.zygote.stdin.write(json.dumps(order).encode() + b"\n")
            self.pid = int(await self.zygote.stdout.readline())
        self._pidfd = os.pidfd_open(self.pid)

    async def kill(self, *, count: bool = True) -> None:
        """SIGKILL, and wait until it is gone. A supervisor that was gone already is a finding."""
        assert self.pid is not None
        try:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        except ProcessLookupError:
            self.findings.deaths.append(f"supervisor {self.pid} had ended by itself")
        await _readable(self._pidfd)
        os.close(self._pidfd)
        if self._fresh is not None:
            await self._fresh.wait()
            self._fresh = None
        self.pid = None
        self.findings.kills += count


async def _readable(fd: int) -> None:
    """Until a pidfd says that its process is gone."""
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(fd, gone.set)
    try:
        await asyncio.wait_for(gone.wait(), 10.0)
    finally:
        loop.remove_reader(fd)


def _key() -> tuple[str, str]:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return private, key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


async def hunt(folder: Path, plan: Plan) -> Findings:
    """Outages with kills in them until there were enough; then the verdict."""
    private, public = _key()
    house = House(read_spec(HOUSE.replace("{key}", public)))
    killer = Killer(folder, plan)
    async with house:
        await killer.open()
        try:
            _write_config(folder, house, private)
            await killer.start()
            await _one_look(house)
            while killer.findings.kills < plan.kills and not killer.findings.wrong:
                await _outage(house, killer)
        finally:
            await killer.close()
        killer.findings.without_intent += unpromised(house.wire, read_actions(folder / "state"))
        killer.findings.commands = sum(e.what in COMMANDS for e in house.wire)
    return killer.findings


def _write_config(folder: Path, house: House, private: str) -> None:
    ports = {name: house.port(name) for name in ("gateway", "pump", "boiler", "lamp", "strip", "nas")}
    text = CONFIG.format(**ports, host_key=house.ssh_host_key("nas"), wake=house.port("nas", "wake"))
    (folder / "pimgr.toml").write_text(text, encoding="utf-8")
    for name, secret in (("gateway-password", "S3cr3t"), ("nas-key", private)):
        path = folder / "secrets" / name
        path.touch(mode=0o600)
        path.write_text(secret, encoding="utf-8")


async def _one_look(house: House) -> None:
    """Until the first supervisor has asked the gateway: before that there is nothing to kill."""
    await house.wire.wait_for(lambda e: e.device == "gateway" and e.what == "query", 20.0)


async def _outage(house: House, killer: Killer) -> None:
    """One outage and its end, with kills in both; each half must reach its state once the killing stops."""
    before, since = _states(house), len(house.wire)
    killer.findings.outages += 1
    house.grid_up(False)
    await _kills(house, killer)
    await _reach(house, killer, dict.fromkeys(before, False), "shed")
    house.grid_up(True)
    await _kills(house, killer)
    await _reach(house, killer, before, "given back")
    changes = Counter((_part(e), e.value) for e in house.wire[since:] if e.what == "truth" and e.device != "house")
    killer.findings.double_transitions += [
        f"{part} went {value} {n} times" for (part, value), n in changes.items() if n > 1
    ]


async def _kills(house: House, killer: Killer) -> None:
    for _ in range(killer.plan.per_phase):
        if killer.random.random() < 0.5:
            await asyncio.sleep(killer.random.uniform(0.0, 0.9))
        else:
            await _at_next_command(house, killer.random.uniform(0.0, 0.012))
        await killer.kill()
        await killer.start()


async def _at_next_command(house: House, delay_s: float) -> None:
    """Just after something reached the wire: where intent, act and acknowledgement lie close together."""
    try:
        await house.wire.wait_for(lambda e: e.what in COMMANDS, 1.5, since=len(house.wire))
    except TimeoutError:
        return
    await asyncio.sleep(delay_s)


async def _reach(house: House, killer: Killer, wanted: dict[str, bool], what: str) -> None:
    """Wait for the state of the house, and that it stays for a moment."""
    end = time.monotonic() + killer.plan.patience_s
    while time.monotonic() < end:
        if _states(house) == wanted:
            await asyncio.sleep(0.3)
            if _states(house) == wanted:
                return
        await asyncio.sleep(0.02)
    states = _states(house)
    killer.findings.wrong_states += [f"not {what}: {p} is {states[p]}" for p in wanted if states[p] != wanted[p]]


def _states(house: House) -> dict[str, bool]:
    return {load.id: load.on for load in house.world.loads()} | {"nas": house.host_up("nas")}


def _part(entry: WireEntry) -> str:
    return f"{entry.device}/{entry.part}" if entry.part else entry.device


def unpromised(wire: Sequence[WireEntry], actions: Sequence[StoredAction]) -> list[str]:
    """Commands on the wire that no stored action stands for.

    Each command is joined to an action of its own: same part, same wish, promised before. A command has the action's id
    then; one that is left over was never promised.
    """
    open_actions = sorted(actions, key=lambda action: action.id)
    found = []
    for entry in wire:
        if entry.what not in COMMANDS:
            continue
        match = next((a for a in open_actions if _stands_for(a, entry)), None)
        if match is None:
            found.append(f"{_part(entry)} {entry.what} {entry.value} at {entry.mono_s:.3f} was never promised")
        else:
            open_actions.remove(match)
    return found


def _stands_for(action: StoredAction, entry: WireEntry) -> bool:
    if action.part != _part(entry) or action.at.mono_s > entry.mono_s:
        return False
    match action.value:
        case Switch(on):
            return entry.what == "switch" and entry.value == ("on" if on else "off")
        case HostPower(up):
            return entry.what == ("wake" if up else "shut_down")
