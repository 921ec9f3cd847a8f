"""A Linux host as its SSH clients see it, with wake-on-LAN: it lets known keys in and understands a few commands.

Built on asyncssh. Once shut down it looks dead until a magic packet wakes it into another boot id.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal, cast

import asyncssh
from msgspec import Meta

from pimgr.house.faults import Fault, Line
from pimgr.house.gate import LOOPBACK
from pimgr.house.house import House
from pimgr.house.kinds import DeviceSpec, Port, Power, Seconds, ServerKind
from pimgr.house.machine import Machine, MachineTimes, Phase
from pimgr.house.relay import relay
from pimgr.house.shell import BOOT_ID_FILE, Personality, Shell, Sudo

MAC_REPEATS = 16
BUSY = b"Not allowed at this time\r\n"
"""What OpenSSH says to an address with a penalty, and nothing else. Source: sshd.c, `drop_connection`, since 9.8."""
_SHUTDOWNS = {
    Personality.LINUX: "sudo -n shutdown -h now",
    Personality.SOLARIS: "pfexec /usr/sbin/shutdown -y -i5 -g0",
    Personality.WINDOWS: "shutdown /s /f /t 0",
}
_BOOT_IDS = {
    Personality.LINUX: f"cat {BOOT_ID_FILE}",
    Personality.SOLARIS: "kstat -p unix:0:system_misc:boot_time",
    Personality.WINDOWS: "wmic os get lastbootuptime",
}


class SshSpec(DeviceSpec, kw_only=True):
    """A host. `authorized_keys`: public keys that may log in, as lines "ssh-ed25519 AAAA...".

    `host_key`: its private key in OpenSSH's format, so that a pinned key stays; made anew where empty. `watts`: what it
    draws while it isn't off, from `outlet` ("strip/2") or the wall. `shutdown_s`, `boot_s`: real seconds. `off_looks`:
    what a client meets while it is off. `answers_shutdown`: False is a host whose network is gone before its answer.
    `personality`: the operating system it plays. `forced`: its keys run nothing but a script that knows pimgr's words.
    `countdown`: real seconds that it takes for a second of a Windows countdown.
    """

    user: str = "pimgr"
    authorized_keys: tuple[str, ...] = ()
    host_key: str = ""
    sudo: Sudo = Sudo.NOPASSWD
    watts: Power = 60.0
    outlet: str = ""
    mac: Annotated[str, Meta(pattern="^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$")] = "02:00:00:00:00:01"
    wake_port: Port = 0
    shutdown_s: Seconds = 2.0
    boot_s: Seconds = 2.0
    off_looks: Literal["refused", "silent"] = "refused"
    answers_shutdown: bool = True
    personality: Personality = Personality.LINUX
    forced: bool = False
    countdown: Annotated[float, Meta(ge=0.0, le=1.0)] = 1.0


class Host:
    """One host's server."""

    def __init__(self, spec: SshSpec, house: House) -> None:
        self.spec = spec
        self.busy = False
        """It sends everybody away for a while, as a server does that was asked too often."""
        self._house = house
        self._key = asyncssh.import_private_key(spec.host_key) if spec.host_key else _new_key()
        self._former = self._key
        self._known = {asyncssh.import_public_key(text).public_data for text in spec.authorized_keys}
        times = MachineTimes(shutdown_s=spec.shutdown_s, boot_s=spec.boot_s)
        self.machine = house.world.add_host(spec.id, times, spec.watts, spec.outlet)
        self.machine.watchers.append(self._phase_changed)
        self._phase_changed(self.machine, "")

    @property
    def host_key(self) -> str:
        """Its public host key as one line, without a comment."""
        return " ".join(self._key.export_public_key("openssh").decode().split()[:2])

    def new_identity(self) -> None:
        """Show another host key to every new connection."""
        self._former, self._key = self._key, _new_key()

    def former_identity(self) -> None:
        """Show the host key again that was there before the last new one."""
        self._key = self._former

    def authorize(self, public_key: str) -> None:
        """Let one more key in."""
        self._known.add(asyncssh.import_public_key(public_key).public_data)

    def forget_keys(self) -> None:
        """Let nobody in any more."""
        self._known.clear()

    def knows(self, user: str, key: asyncssh.SSHKey) -> bool:
        """Whether this user may log in with this key; a no is logged."""
        known = user == self.spec.user and key.public_data in self._known
        if not known:
            self.note("login", "refused", f"user {user}")
        return known

    def note(self, what: str, value: str, raw: str) -> None:
        """Tell the wire log."""
        self._house.wire.note(self.spec.id, "", what, value, raw=raw)

    async def serve(self, line: Line) -> None:
        """One connection."""
        if self.busy:
            self.note("refused", "busy", "")
            await line.send(BUSY)
            line.close()
            return
        await relay(line, self._attach)

    async def _attach(self, end: socket.socket) -> None:
        """The server's side of one connection, until it is over or cancelled."""
        try:
            connection = await asyncssh.run_server(
                end,
                config=None,
                server_factory=lambda: _Door(self),
                server_host_keys=[self._key],
                process_factory=self._process,
                allow_scp=False,
                agent_forwarding=False,
            )
        except (asyncssh.Error, OSError):  # no such key, or not SSH at all: asyncssh has closed it
            return
        except asyncio.CancelledError:  # asyncssh may not have taken it over yet
            end.close()
            raise
        try:
            await connection.wait_closed()
        finally:
            connection.abort()

    async def _process(self, process: asyncssh.SSHServerProcess[str]) -> None:
        """One command of a session."""
        command = self._let_through(process.command or "")
        machine, spec = self.machine, self.spec
        shell = Shell(spec.user, machine.boot_id, spec.sudo, spec.personality, machine.booted, machine.counting_down)
        said = shell.run(command)
        if said.shut_down:
            self.note("shut_down", machine.boot_id, command)
            machine.shut_down(said.delay_s * spec.countdown)
            if not spec.answers_shutdown:
                await process.wait_closed()
                return
        elif said.abort:
            self.note("abort", machine.boot_id, command)
            machine.stay_up()
        else:
            self.note("query" if said.status == 0 else "refused", command, said.err)
        process.stdout.write(said.out)
        process.stderr.write(said.err)
        process.exit(said.status)

    def _let_through(self, command: str) -> str:
        """What the key's forced command makes of what was asked, if it has one."""
        if not self.spec.forced:
            return command
        shut_down = _SHUTDOWNS[self.spec.personality]
        words = {
            "pimgr boot-id": _BOOT_IDS[self.spec.personality],
            "pimgr shutdown": shut_down,
            "pimgr check": shut_down.replace("sudo -n", "sudo -n -l") if "sudo" in shut_down else "true",
        }
        return words.get(command, "false")

    def _phase_changed(self, machine: Machine, _why: str) -> None:
        looks = Fault.REFUSING if self.spec.off_looks == "refused" else Fault.SILENT
        self._house.gate(self.spec.id).set_power(Fault.NONE if machine.up else looks)


class _Door(asyncssh.SSHServer):
    """Who may come in: a known key, nothing else."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def auth_completed(self) -> None:
        self._host.note("login", "ok", f"user {self._host.spec.user}")

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return self._host.knows(username, key)


class Wake(asyncio.DatagramProtocol):
    """The network card, which listens for its magic packet while the rest is off."""

    def __init__(self, host: Host, house: House) -> None:
        self._host, self._house = host, house

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        machine = self._host.machine
        if self._house.gate(self._host.spec.id).set_by_hand is Fault.DEAD:
            return
        if not machine.powered:
            self._host.note("refused", "wake", "no power")
            return
        if data[:102] != magic_packet(self._host.spec.mac):
            self._host.note("refused", "wake", f"{len(data)} bytes that are not its magic packet")
            return
        self._host.note("wake", machine.phase, "")
        if machine.phase is Phase.OFF:
            machine.wake()


def magic_packet(mac: str) -> bytes:
    """The packet that wakes the card of this address: six bytes of ones, then the address 16 times."""
    return b"\xff" * 6 + bytes.fromhex(mac.replace(":", "")) * MAC_REPEATS


def _new_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


@asynccontextmanager
async def _serve(spec: SshSpec, house: House) -> AsyncIterator[None]:
    host = Host(spec, house)
    house.offer(spec.id, host)
    loop = asyncio.get_running_loop()
    udp, _ = await loop.create_datagram_endpoint(lambda: Wake(host, house), local_addr=(LOOPBACK, spec.wake_port))
    house.name_port(spec.id, "wake", cast(int, udp.get_extra_info("sockname")[1]))
    try:
        async with house.listening(spec.id, spec.port, host.serve):
            yield
    finally:
        udp.close()


KIND = ServerKind(kind="ssh", config=SshSpec, serve=_serve)
