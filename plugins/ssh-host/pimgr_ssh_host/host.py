"""A machine that is shut down over SSH, and woken by a magic packet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from pimgr.api import (
    Context,
    DeviceError,
    Finding,
    HostReading,
    Parts,
    Refused,
    Severity,
    Unreachable,
)
from pimgr_ssh_host.config import SshConfig, Transport
from pimgr_ssh_host.keys import fingerprint
from pimgr_ssh_host.systems import System
from pimgr_ssh_host.talk import Opens, Said, Session, SilentError, Target, Wanted
from pimgr_ssh_host.wake import send_wake_up

T = TypeVar("T")

_PATIENCE, _LAST = 0.85, 0.95
"""Shares of the host's deadline: when a session ends itself, and when it is left behind (in a look-up of a name)."""
_PIN = "host_key"
"""Where the store keeps the key that was seen first."""


@asynccontextmanager
async def open_host(config: SshConfig, context: Context, system: System) -> AsyncIterator[SshHost]:
    """A machine; each call has an SSH session of its own, so that silence is always the machine's own."""
    host = SshHost(config, context, system)
    try:
        yield host
    finally:
        host.close()


def opens(transport: Transport) -> Opens:
    """What makes sessions of this transport; brings its library in."""
    if transport is Transport.OPENSSH:
        from pimgr_ssh_host.openssh import SystemSession

        return SystemSession
    from pimgr_ssh_host.session import ParamikoSession

    return ParamikoSession


class SshHost:
    """One machine; it is its own and only part."""

    def __init__(self, config: SshConfig, context: Context, system: System) -> None:
        self.config, self.context, self.system = config, context, system
        self._opens = opens(config.transport)
        self._live: set[Session] = set()
        self.parts: Parts = {"": self}

    def close(self) -> None:
        """End every session. Safe to repeat."""
        for session in list(self._live):
            session.abort()

    async def read_host(self) -> HostReading:
        """Up with its boot id, or silent: nobody listens, who listens says nothing, or it is gone in mid-session."""
        at = self.context.now()
        wanted = self.wanted("whether it is up", self.context.deadlines.read_s)
        try:
            boot_id = await self.in_session(wanted, lambda session: self.system.read_boot_id(session, wanted))
        except SilentError:
            return HostReading(at=at, source="ssh", up=False)
        return HostReading(at=at, source="ssh", up=True, boot_id=boot_id)

    async def shut_down(self, only_boot: str | None) -> None:
        """Ask for a shutdown in the session that saw the boot id. A connection lost afterwards is an acceptance."""
        wanted = self.wanted("a shutdown", self.context.deadlines.shut_down_s)
        try:
            said = await self.in_session(wanted, lambda session: self._ask(session, only_boot, wanted))
        except SilentError as silence:
            fact = f"{silence} ({wanted.where})"
            raise wanted.error(Unreachable, fact, "check its power and its network") from None
        if said.status not in (0, -1):
            raise self.system.refusal(said, wanted)

    async def wake(self) -> None:
        """Send the magic packet. Whether it was heard is told by the next readings."""
        config = self.config
        wanted = self.wanted("to wake it", self.context.deadlines.switch_s)
        send_wake_up(config.mac, config.wake_address, config.wake_port, wanted)

    async def check(self) -> list[Finding]:
        """The key login, the host key, the boot id, the right to shut it down, the waking. Nothing is shut down."""
        wanted = self.wanted("a look at it", self.context.deadlines.read_s)
        try:
            findings = await self.in_session(wanted, lambda session: self._look(session, wanted))
        except SilentError as silence:
            text = f"{wanted.part}: {silence} ({wanted.where})"
            cure = "switch it on; if it is on, check its address and that its SSH server runs"
            return [Finding(severity=Severity.CRITICAL, text=text, cure=cure)]
        except DeviceError as error:
            return [Finding(severity=Severity.CRITICAL, text=str(error), cure=error.cure)]
        findings.insert(1, self._pin_finding())
        if self.config.mac is None:
            text = "it can't be woken when the power is back"
            cure = 'add mac = "..." and enable wake-on-LAN in its BIOS'
            findings.append(Finding(severity=Severity.WARNING, text=text, cure=cure))
        return findings

    # ----------------------------------------------------------------------------------------- for machines of others

    def wanted(self, wish: str, deadline_s: float) -> Wanted:
        """A wish of this machine; a session for it ends itself well before `deadline_s`, so that it can say why."""
        where = f"{self.config.address}:{self.config.port}"
        return Wanted(self.context.connection, wish, where, deadline_s * _PATIENCE)

    async def in_session(self, wanted: Wanted, work: Callable[[Session], T]) -> T:
        """Do `work` in a new session on the worker thread; when this is cancelled, the thread ends by itself.

        The key of a machine that is seen for the first time is pinned once it let us in.
        """
        target = self._target()
        session = self._opens(target, wanted)
        self._live.add(session)
        try:
            async with asyncio.timeout(wanted.deadline_s * _LAST / _PATIENCE):
                result = await self.context.call(_work_in, session, work)
        except TimeoutError:
            fact = f"no answer in {wanted.deadline_s:.1f} s ({wanted.where})"
            cure = "check the network of this box and its name server"
            raise wanted.error(Unreachable, fact, cure) from None
        finally:
            session.abort()
            self._live.discard(session)
        if target.host_key is None:
            await self.context.store.put(_PIN, session.host_key)
            self.context.record(f"its host key {fingerprint(session.host_key)} was seen first, and is pinned")
        return result

    # ------------------------------------------------------------------------------------------------------ inside

    def _target(self) -> Target:
        config = self.config
        pinned = config.host_key or self.context.store.get(_PIN)
        key = self.context.secret(config.key)
        return Target(config.address, config.port, config.user, key, None if pinned is None else str(pinned))

    def _ask(self, session: Session, only_boot: str | None, wanted: Wanted) -> Said:
        """Shut it down, if it is still in the boot that was meant."""
        if only_boot is not None and (boot_id := self.system.read_boot_id(session, wanted)) != only_boot:
            fact = f"it has booted since (now in {_boot(boot_id)})" if boot_id else "it tells no boot id to compare"
            raise wanted.error(Refused, fact, "it is left alone: somebody started it again")
        return session.run(self.system.shutdown)

    def _look(self, session: Session, wanted: Wanted) -> list[Finding]:
        boot_id = self.system.read_boot_id(session, wanted)
        where = f"; it is in {_boot(boot_id)}" if boot_id else ""
        login = Finding(severity=Severity.INFO, text=f"it lets {self.config.user!r} in{where}")
        return [login, *self.system.look(session, wanted)]

    def _pin_finding(self) -> Finding:
        if self.config.host_key is not None:
            return Finding(severity=Severity.INFO, text=f"its host key is {fingerprint(self.config.host_key)}")
        seen = str(self.context.store.get(_PIN))
        text = f"its host key is {fingerprint(seen)}, pinned when it was seen first"
        cure = f'compare it there (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub); to keep it, add host_key = "{seen}"'
        return Finding(severity=Severity.INFO, text=text, cure=cure)


def _work_in(session: Session, work: Callable[[Session], T]) -> T:
    with session:
        return work(session)


def _boot(boot_id: str) -> str:
    return boot_id if boot_id.startswith("boot ") else f"boot {boot_id}"
