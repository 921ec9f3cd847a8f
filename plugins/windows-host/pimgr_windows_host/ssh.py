"""A Windows machine with the OpenSSH server that Windows brings along."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pimgr_ssh_host.host import SshHost
from pimgr_ssh_host.systems import System
from pimgr_ssh_host.talk import Said, Session, SilentError, Wanted

from pimgr.api import Context, DeviceError, Finding, Garbled, Refused, Severity
from pimgr_windows_host.config import SshWindowsConfig
from pimgr_windows_host.countdown import Countdown

_LAST_BOOT = "(Get-CimInstance Win32_OperatingSystem).LastBootUpTime.ToFileTimeUtc()"
BOOT_ID = f'powershell -NoProfile -NonInteractive -Command "{_LAST_BOOT}"'
"""The moment of the last start, in 0.1 us since 1601. Sources: Microsoft on Win32_OperatingSystem and ToFileTimeUtc."""
ABORT = "shutdown /a"
_FILE_TIME = re.compile(r"1[0-9]{17}")
_ERROR = re.compile(r"\((\d+)\)\s*$")
_ACCESS_DENIED, _IN_PROGRESS, _SCHEDULED = 5, 1115, 1190
"""Of shutdown.exe, in the brackets at the end. Source: winerror.h."""
_RIGHT = "log in as an administrator, or give the account the right to shut the system down (secpol.msc)"


class AskedBeforeError(Refused):
    """A shutdown is on its way already."""


@asynccontextmanager
async def open_ssh(config: SshWindowsConfig, context: Context) -> AsyncIterator[WindowsSshHost]:
    """A machine; each call has an SSH session of its own."""
    host = WindowsSshHost(config, context)
    try:
        yield host
    finally:
        host.close()


class WindowsSshHost(SshHost):
    """One machine, whose shutdown waits for its warning and can be called off meanwhile."""

    def __init__(self, config: SshWindowsConfig, context: Context) -> None:
        super().__init__(config, context, windows(config))
        self._countdown = Countdown(context, config.warning)

    async def shut_down(self, only_boot: str | None) -> None:
        """Ask for a forced shutdown after the warning. One that was asked for before is an acceptance too."""
        try:
            await super().shut_down(only_boot)
        except AskedBeforeError:
            return
        await self._countdown.begin()

    async def wake(self) -> None:
        """Call our shutdown off while it still counts down; else send the magic packet."""
        if self._countdown.running and await self._called_off():
            await self._countdown.called_off()
            return
        await super().wake()

    async def _called_off(self) -> bool:
        """Whether it stays up. What goes wrong is no reason not to wake it."""
        wanted = self.wanted("its shutdown called off", self.context.deadlines.switch_s)
        try:
            said = await self.in_session(wanted, lambda session: session.run(ABORT))
        except (DeviceError, SilentError):
            return False
        return said.status == 0


def windows(config: SshWindowsConfig) -> System:
    """Windows 10, 11 and Server from 2019; either of cmd.exe and PowerShell may be the shell."""
    return System(_boot_id, f'shutdown /s /f /t {config.warning} /c "{config.message}"', _refusal, _look)


def _boot_id(session: Session, wanted: Wanted) -> str:
    said = session.run(BOOT_ID)
    if said.status == 0 and _FILE_TIME.fullmatch(said.out):
        return f"boot {said.out}"
    if said.status == -1:
        raise SilentError("it was gone before it told its boot time")
    told = " ".join((said.err or said.out or f"status {said.status}").split())[:80]
    raise wanted.error(Garbled, f"it told no boot time ({told})", "it must be Windows, with PowerShell")


def _refusal(said: Said, wanted: Wanted) -> DeviceError:
    found = _ERROR.search(said.words)
    code = int(found[1]) if found else said.status
    if code in (_IN_PROGRESS, _SCHEDULED):
        return wanted.error(AskedBeforeError, "a shutdown is on its way already", "nothing is to be done")
    if code == _ACCESS_DENIED:
        return wanted.error(Refused, f"the account may not shut it down ({said.words})", _RIGHT)
    return wanted.error(Refused, f"its shutdown command failed ({said.words})", "try it there by hand: shutdown /s")


def _look(session: Session, _wanted: Wanted) -> list[Finding]:
    said = session.run("whoami /priv")
    if "SeShutdownPrivilege" in said.out:
        return [Finding(severity=Severity.INFO, text="the account has the right to shut it down")]
    return [Finding(severity=Severity.CRITICAL, text="the account has no right to shut it down", cure=_RIGHT)]
