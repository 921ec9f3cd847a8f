"""A Linux machine as a host that is shut down and woken."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from pimgr.api import (
    Context,
    DeviceError,
    Finding,
    Garbled,
    HostReading,
    Parts,
    Refused,
    Severity,
    Unreachable,
    Unsupported,
)
from pimgr_ssh_host import LinuxConfig
from pimgr_ssh_host.session import Said, Session, SilentError, Wanted
from pimgr_ssh_host.wire import broadcast, magic_packet

T = TypeVar("T")

_BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_PATIENCE, _LAST = 0.85, 0.95
"""Shares of the host's deadline: when a session ends itself, and when it is left behind (in a look-up of a name)."""
_SUDO_ASKS = ("a password is required", "a terminal is required", "no tty present")
_SUDO_FORBIDS = ("not allowed", "may not run", "not in the sudoers")


@asynccontextmanager
async def open_host(config: LinuxConfig, context: Context) -> AsyncIterator[LinuxHost]:
    """A machine; each call has an SSH session of its own, so that silence is always the machine's own."""
    host = LinuxHost(config, context)
    try:
        yield host
    finally:
        host.close()


class LinuxHost:
    """One machine; it is its own and only part."""

    def __init__(self, config: LinuxConfig, context: Context) -> None:
        self._config, self._context = config, context
        self._live: set[Session] = set()
        self.parts: Parts = {"": self}

    def close(self) -> None:
        """End every session. Safe to repeat."""
        for session in list(self._live):
            session.abort()

    async def read_host(self) -> HostReading:
        """Up with its boot id, or silent: nobody listens, who listens says nothing, or it is gone in mid-session."""
        at = self._context.now()
        wanted = self._wanted("whether it is up", self._context.deadlines.read_s)
        try:
            boot_id = await self._in_session(wanted, lambda session: _boot_id(session, wanted))
        except SilentError:
            return HostReading(at=at, source="ssh", up=False)
        return HostReading(at=at, source="ssh", up=True, boot_id=boot_id)

    async def shut_down(self, only_boot: str | None) -> None:
        """Ask for a shutdown in the session that saw the boot id. A connection lost afterwards is an acceptance."""
        wanted = self._wanted("a shutdown", self._context.deadlines.shut_down_s)
        try:
            said = await self._in_session(wanted, lambda session: self._ask(session, only_boot, wanted))
        except SilentError as silence:
            fact = f"{silence} ({wanted.where})"
            raise Unreachable(wanted.part, wanted.wish, fact, "check its power and its network") from None
        if said.status not in (0, -1):
            raise _refusal(said, self._config, wanted)

    async def wake(self) -> None:
        """Send the magic packet. Whether it was heard is told by the next readings."""
        wanted = self._wanted("to wake it", self._context.deadlines.switch_s)
        config = self._config
        if config.mac is None:
            raise Unsupported(wanted.part, wanted.wish, "its mac is not in the config", 'add mac = "..." to wake it')
        try:
            broadcast(magic_packet(config.mac), config.wake_address, config.wake_port)
        except OSError as error:
            fact = f"no packet could be sent to {config.wake_address} ({error.strerror})"
            raise Unreachable(wanted.part, wanted.wish, fact, "check the network of this box") from None

    async def check(self) -> list[Finding]:
        """The key login, the boot id, the right to shut it down, and whether it can be woken. Nothing is shut down."""
        wanted = self._wanted("a look at it", self._context.deadlines.read_s)
        try:
            findings = await self._in_session(wanted, lambda session: _look(session, self._config, wanted))
        except SilentError as silence:
            text = f"{wanted.part}: {silence} ({wanted.where})"
            cure = "switch it on; if it is on, check its address and that its SSH server runs"
            return [Finding(severity=Severity.CRITICAL, text=text, cure=cure)]
        except DeviceError as error:
            return [Finding(severity=Severity.CRITICAL, text=str(error), cure=error.cure)]
        if self._config.mac is None:
            text, cure = (
                "it can't be woken when the power is back",
                'add mac = "..." and enable wake-on-LAN in its BIOS',
            )
            findings.append(Finding(severity=Severity.WARNING, text=text, cure=cure))
        return findings

    # ------------------------------------------------------------------------------------------------------ inside

    def _wanted(self, wish: str, deadline_s: float) -> Wanted:
        where = f"{self._config.address}:{self._config.port}"
        return Wanted(self._context.connection, wish, where, deadline_s * _PATIENCE)

    async def _in_session(self, wanted: Wanted, work: Callable[[Session], T]) -> T:
        """Do `work` in a new session on the worker thread; when this is cancelled, the thread ends by itself."""
        session = Session(self._config, self._context.secret(self._config.key), wanted)
        self._live.add(session)
        try:
            async with asyncio.timeout(wanted.deadline_s * _LAST / _PATIENCE):
                return await self._context.call(_work_in, session, work)
        except TimeoutError:
            fact = f"no answer in {wanted.deadline_s:.1f} s ({wanted.where})"
            cure = "check the network of this box and its name server"
            raise Unreachable(wanted.part, wanted.wish, fact, cure) from None
        finally:
            session.abort()
            self._live.discard(session)

    def _ask(self, session: Session, only_boot: str | None, wanted: Wanted) -> Said:
        if only_boot is not None and (boot_id := _boot_id(session, wanted)) != only_boot:
            fact = f"it has booted since (now in boot {boot_id})"
            raise Refused(wanted.part, wanted.wish, fact, "it is left alone: somebody started it again")
        return session.run(self._config.shutdown_command)


def _work_in(session: Session, work: Callable[[Session], T]) -> T:
    with session:
        return work(session)


def _boot_id(session: Session, wanted: Wanted) -> str:
    said = session.run(_BOOT_ID)
    if said.status == 0 and _UUID.fullmatch(said.out):
        return said.out
    if said.status == -1:
        raise SilentError("it was gone before it told its boot id")
    fact = f"it told no boot id ({said.err[:80] or said.out[:80] or f'status {said.status}'})"
    raise Garbled(wanted.part, wanted.wish, fact, "it must be Linux, and the user must have a shell")


def _refusal(said: Said, config: LinuxConfig, wanted: Wanted) -> DeviceError:
    """Why a shutdown command failed."""
    words = said.err.splitlines()[-1][:120] if said.err else f"status {said.status}"
    if any(each in said.err for each in _SUDO_ASKS):
        rule = f"{config.user} ALL=(root) NOPASSWD: /usr/sbin/shutdown -h now"
        return Refused(wanted.part, wanted.wish, "sudo asks for a password", f"add with visudo: {rule}")
    if any(each in said.err for each in _SUDO_FORBIDS):
        cure = f"allow the command to {config.user!r} with visudo"
        return Refused(wanted.part, wanted.wish, f"sudo forbids it ({words})", cure)
    cure = f"try it there by hand: {config.shutdown_command}"
    return Refused(wanted.part, wanted.wish, f"its shutdown command failed ({words})", cure)


def _look(session: Session, config: LinuxConfig, wanted: Wanted) -> list[Finding]:
    boot_id = _boot_id(session, wanted)
    findings = [Finding(severity=Severity.INFO, text=f"it lets {config.user!r} in; it is in boot {boot_id}")]
    if not config.shutdown_command.startswith("sudo "):
        text = f"its shutdown command ({config.shutdown_command}) can only be proven by a real shutdown"
        return [*findings, Finding(severity=Severity.INFO, text=text)]
    rights = session.run("sudo -n -l")
    if rights.status != 0:
        problem = _refusal(rights, config, wanted)
        return [*findings, Finding(severity=Severity.CRITICAL, text=problem.fact, cure=problem.cure)]
    if "NOPASSWD" in rights.out:
        text = "sudo lets it run commands without a password"
        return [*findings, Finding(severity=Severity.INFO, text=text)]
    text, cure = "sudo shows no NOPASSWD rule", f"allow the shutdown to {config.user!r} without a password with visudo"
    return [*findings, Finding(severity=Severity.WARNING, text=text, cure=cure)]
