"""A Windows machine that is shut down by its own remote shutdown ([MS-RSP]), through Samba's `net`."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pimgr_ssh_host.talk import Wanted
from pimgr_ssh_host.wake import send_wake_up
from pimgr_ssh_host.wire import SILENT

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
from pimgr_windows_host.config import RpcConfig
from pimgr_windows_host.countdown import Countdown
from pimgr_windows_host.net import Account, ClosedError, Net, NoProgramError, TooLateError
from pimgr_windows_host.smb import GoneError, NotSmbError, answers
from pimgr_windows_host.words import NONE_GOING, SHUTTING, codes, refusal

_PATIENCE = 0.85
_LOOK_UP = 0.5
"""Share of the time in which a name must be found, so that the machine has some left to answer in."""
_BOX = "check the network of this box"
_NET_S = 30.0
"""`net` itself gives a silent machine up after 40 s; one that is well answers within 2."""


@asynccontextmanager
async def open_rpc(config: RpcConfig, context: Context) -> AsyncIterator[RpcHost]:
    """A machine; each request has a process of its own."""
    host = RpcHost(config, context)
    try:
        yield host
    finally:
        await host.close()


class RpcHost:
    """One machine; it is its own and only part. It has no boot id: remote shutdown tells none."""

    def __init__(self, config: RpcConfig, context: Context) -> None:
        self._config, self._context = config, context
        self._net = Net()
        self._countdown = Countdown(context, config.warning)
        self.parts: Parts = {"": self}

    async def close(self) -> None:
        """End whatever runs. Safe to repeat."""
        await self._net.close()

    async def read_host(self) -> HostReading:
        """Up if it speaks SMB; silent if nobody listens or no answer comes, which a firewall does too.

        Raises Unreachable where this box has no network, or its name server no answer: that is no silence.
        """
        at = self._context.now()
        wanted = self._wanted("whether it is up", self._context.deadlines.read_s)
        began_s = asyncio.get_running_loop().time()
        address = await self._numeric(wanted)
        left_s = wanted.deadline_s - (asyncio.get_running_loop().time() - began_s)
        try:
            await answers(address, self._config.port, left_s)
        except NotSmbError:
            fact = f"it answered what no Windows says ({wanted.where})"
            raise wanted.error(Garbled, fact, "check address and port") from None
        except GoneError:
            return HostReading(at=at, source="smb", up=False)
        except OSError as error:
            if error.errno in SILENT:
                return HostReading(at=at, source="smb", up=False)
            raise wanted.error(Unreachable, f"no connection to {wanted.where} ({error.strerror})", _BOX) from None
        return HostReading(at=at, source="smb", up=True)

    async def shut_down(self, only_boot: str | None) -> None:
        """Ask for a forced shutdown after the warning. One that was asked for before is an acceptance too."""
        wanted = self._wanted("a shutdown", self._context.deadlines.shut_down_s)
        if only_boot is not None:
            raise await self._of_another_boot(wanted)
        config = self._config
        status, said = await self._ask("shutdown", "-f", "-t", str(config.warning), "-C", config.message, wanted=wanted)
        if status != 0 and not SHUTTING & set(codes(said)):
            raise refusal(said, wanted)
        await self._countdown.begin()

    async def wake(self) -> None:
        """Call our shutdown off while it still counts down; then send the magic packet, which harms no running one."""
        wanted = self._wanted("to wake it", self._context.deadlines.switch_s)
        if self._countdown.running and await self._called_off(wanted):
            await self._countdown.called_off()
            return
        send_wake_up(self._config.mac, self._config.wake_address, self._config.wake_port, wanted)

    async def check(self) -> list[Finding]:
        """Whether it answers, lets the account in, and would obey: a shutdown is called off that nobody asked for."""
        wanted = self._wanted("a look at it", 3 * self._context.deadlines.read_s)
        findings = [self._waking()]
        try:
            reading = await self.read_host()
            if not reading.up:
                cure = "switch it on; if it is on, allow file and printer sharing (TCP 445) in its firewall"
                text = f"it does not answer on {wanted.where}"
                return [Finding(severity=Severity.CRITICAL, text=text, cure=cure), *findings]
            findings.insert(0, await self._right(wanted))
        except DeviceError as error:
            return [Finding(severity=Severity.CRITICAL, text=error.fact, cure=error.cure), *findings]
        return findings

    # ------------------------------------------------------------------------------------------------------ inside

    async def _numeric(self, wanted: Wanted) -> str:
        """Its address as a number. Names are looked up on the connection's own thread: dead DNS fills the loop's."""
        address = self._config.address
        try:
            return str(ipaddress.ip_address(address))
        except ValueError:
            pass
        try:
            async with asyncio.timeout(wanted.deadline_s * _LOOK_UP):
                found = await self._context.call(socket.getaddrinfo, address, None, type=socket.SOCK_STREAM)
        except TimeoutError:
            fact = f"no name server told where {address!r} is"
            raise wanted.error(Unreachable, fact, f"{_BOX}, or write its IP address") from None
        except socket.gaierror as error:
            fact = f"no machine is called {address!r} ({error.strerror})"
            raise wanted.error(Unreachable, fact, "check the name, or write its IP address") from None
        return str(found[0][4][0])

    async def _of_another_boot(self, wanted: Wanted) -> DeviceError:
        """It can't be told whether it is still in a boot, only whether it is there."""
        if not (await self.read_host()).up:
            return wanted.error(Unreachable, f"no answer ({wanted.where})", "check its power and its network")
        fact = "it tells no boot id, so nobody knows whether it has booted since"
        return wanted.error(Refused, fact, "it is left alone: somebody may have started it again")

    async def _right(self, wanted: Wanted) -> Finding:
        """Calling a shutdown off needs the same right as asking for one."""
        if self._countdown.running:
            return Finding(severity=Severity.INFO, text="it is being shut down just now, so its rights aren't asked")
        status, said = await self._ask("abortshutdown", wanted=wanted)
        if status == 0 or NONE_GOING & set(codes(said)):
            return Finding(severity=Severity.INFO, text=f"it lets {self._config.user!r} shut it down")
        raise refusal(said, wanted)

    def _waking(self) -> Finding:
        if self._config.mac is None:
            cure = 'add mac = "..." and enable wake-on-LAN in its BIOS and its network card'
            return Finding(severity=Severity.WARNING, text="it can't be woken when the power is back", cure=cure)
        return Finding(severity=Severity.INFO, text=f"it is woken by a magic packet to {self._config.mac}")

    async def _called_off(self, wanted: Wanted) -> bool:
        """Whether it stays up. What goes wrong is no reason not to wake it."""
        try:
            status, _ = await self._ask("abortshutdown", wanted=wanted)
        except DeviceError:
            return False
        return status == 0

    async def _ask(self, *arguments: str, wanted: Wanted) -> tuple[int, str]:
        config = self._config
        password = self._context.secret(config.password)
        account = Account(config.address, config.port, config.user, password, config.domain)
        try:
            return await self._net.run(account, arguments, min(wanted.deadline_s, _NET_S))
        except NoProgramError:
            fact = "the program net isn't installed on this box"
            raise wanted.error(Unsupported, fact, "sudo apt install samba-common-bin") from None
        except ClosedError:
            raise wanted.error(Unreachable, "its connection was closed meanwhile", "pimgr asks again") from None
        except TooLateError:
            fact = f"no answer in {min(wanted.deadline_s, _NET_S):.0f} s ({wanted.where})"
            cure = "switch it on; if it is on, allow file and printer sharing (TCP 445) in its firewall"
            raise wanted.error(Unreachable, fact, cure) from None

    def _wanted(self, wish: str, deadline_s: float) -> Wanted:
        where = f"{self._config.address}:{self._config.port}"
        return Wanted(self._context.connection, wish, where, deadline_s * _PATIENCE)
