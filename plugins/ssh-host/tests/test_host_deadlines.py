"""A machine that hangs, babbles or is gone keeps neither us nor a thread of ours, wherever in a session it does so."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pimgr_ssh_host import LINUX
from pimgr_ssh_host.config import LinuxConfig
from pimgr_ssh_host.host import SshHost
from pimgr_ssh_host.session import ParamikoSession, _drain
from pimgr_ssh_host.talk import SilentError, Target, Wanted
from pimgr_ssh_host.wire import connected

from pimgr.api import Deadlines, DeviceError, Unreachable
from pimgr.house import Fault, House
from pimgr.testing import FakeContext

KEY = Ed25519PrivateKey.generate()
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
PUBLIC = KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
HOUSE = f'version = 1\n[[device]]\nid = "nas"\nkind = "ssh"\nauthorized_keys = ["{PUBLIC}"]\n'
DEADLINE_S = 1.0
SOON_S = 3.0
"""Well above the deadline, well below the library's own time-outs."""


def config(house: House, **keys: Any) -> LinuxConfig:
    table = {
        "address": "127.0.0.1",
        "port": house.port("nas"),
        "user": "pimgr",
        "key": {"secret": "key"},
        "host_key": house.ssh_host_key("nas"),
    }
    return msgspec.convert({**table, **keys}, LinuxConfig)


def target(house: House) -> Target:
    return Target("127.0.0.1", house.port("nas"), "pimgr", PRIVATE, house.ssh_host_key("nas"))


def with_host(use: Callable[[House, SshHost, FakeContext], Any], **keys: Any) -> None:
    async def main() -> None:
        context = FakeContext("nas", {"key": PRIVATE}, Deadlines(read_s=DEADLINE_S, shut_down_s=DEADLINE_S))
        async with House.from_toml(HOUSE) as house, LINUX.open(config(house, **keys), context) as host:
            assert isinstance(host, SshHost)
            await use(house, host, context)
        context.close()

    asyncio.run(main())


Fail = Callable[[Fault], None]


def with_session(use: Callable[[ParamikoSession, Fail], object]) -> object:
    """What `use` gives, on a thread beside the house, within SOON_S. It is given a way to put the machine at fault."""

    async def main() -> object:
        async with House.from_toml(HOUSE) as house:
            loop = asyncio.get_running_loop()
            # each byte well within the library's own patience, so that only a deadline for all of them ends it
            house.gate("nas").times = msgspec.structs.replace(house.spec.faults, drip_s=0.3)
            session = ParamikoSession(target(house), Wanted("nas", "a test", "nas:22", DEADLINE_S))
            result: asyncio.Future[object] = loop.create_future()

            def fail(fault: Fault) -> None:
                done = threading.Event()
                loop.call_soon_threadsafe(lambda: (house.fault("nas", fault), done.set()))
                assert done.wait(SOON_S)

            def work() -> None:
                try:
                    found = use(session, fail)
                except Exception as raised:  # the test wants to see it
                    answer, what = result.set_exception, raised
                else:
                    answer, what = result.set_result, found  # type: ignore[assignment]
                loop.call_soon_threadsafe(lambda: result.done() or answer(what))

            threading.Thread(target=work, daemon=True).start()
            try:
                async with asyncio.timeout(SOON_S):
                    return await result
            finally:
                session.abort()

    return asyncio.run(main())


@contextmanager
def black_hole() -> Iterator[int]:
    """A port on which connecting never ends: its queue is full, and nobody takes from it."""
    with ExitStack() as open_ones:
        server = open_ones.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            filler = open_ones.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        yield server.getsockname()[1]


@pytest.fixture
def dead_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No name server answers."""
    over = threading.Event()

    def look_up(*_: Any, **__: Any) -> Any:
        over.wait(20.0)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield
    over.set()


def test_a_name_that_no_server_knows_of_is_waited_for_no_longer_than_a_machine(dead_names: None) -> None:
    async def use(house: House, host: SshHost, context: FakeContext) -> None:
        async with asyncio.timeout(SOON_S):
            with pytest.raises(Unreachable, match="no answer in"):
                await host.read_host()

    with_host(use, address="nas.example.org")


def test_what_a_slow_machine_told_is_dated_when_it_was_asked() -> None:
    async def use(house: House, host: SshHost, context: FakeContext) -> None:
        context.deadlines = Deadlines(read_s=8.0)
        house.gate("nas").times = msgspec.structs.replace(house.spec.faults, slow_s=0.3)
        house.fault("nas", Fault.SLOW)
        asked = context.now()
        reading = await host.read_host()
        assert reading.up
        assert reading.at.mono_s < asked.mono_s + 0.2
        assert context.now().mono_s > asked.mono_s + 0.25

    with_host(use)


def test_a_network_that_swallows_connections_is_silence_at_the_deadline() -> None:
    with black_hole() as port:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            connected("127.0.0.1", port, began + 0.3)
        assert time.monotonic() - began < SOON_S


def test_a_connection_ends_by_itself_at_its_deadline_for_reading_and_for_writing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        line = connected("127.0.0.1", server.getsockname()[1], time.monotonic() + 0.05)
        with line:
            assert line.send(b"in time") == 7
            line.settimeout(0.2)
            with pytest.raises(TimeoutError):
                line.recv(1)
            for late in (lambda: line.recv(1), lambda: line.send(b"too late")):
                with pytest.raises(EOFError):
                    late()


def test_a_banner_that_drips_is_not_waited_for() -> None:
    def use(session: ParamikoSession, fail: Fail) -> None:
        fail(Fault.DRIPPING)
        with session:
            pass

    with pytest.raises((DeviceError, SilentError)):
        with_session(use)


def test_a_machine_that_falls_silent_at_the_login_is_unreachable_at_the_deadline() -> None:
    def use(session: ParamikoSession, fail: Fail) -> None:
        key = session._private_key()
        session._connect()
        session._shake_hands()
        fail(Fault.SILENT)
        session._log_in(key)

    with pytest.raises(Unreachable, match=r"no answer in 1\.0 s"):
        with_session(use)


def test_a_machine_that_falls_silent_before_the_command_is_unreachable_at_the_deadline() -> None:
    def use(session: ParamikoSession, fail: Fail) -> None:
        with session:
            fail(Fault.SILENT)
            session.run("shutdown -h now")

    with pytest.raises(Unreachable, match=r"no answer in 1\.0 s"):
        with_session(use)


class Babbler:
    """The library's channel on which a command says more than anybody wants, or nothing at all."""

    def __init__(self, says: int) -> None:
        self.left = {"out": says, "err": says}
        self.status_event = threading.Event()

    def _some(self, name: str, most: int) -> bytes:
        size = min(most, self.left[name]) if most >= 0 else self.left[name]
        self.left[name] -= size
        return b"x" * size

    def recv(self, most: int) -> bytes:
        return self._some("out", most)

    def recv_stderr_ready(self) -> bool:
        return self.left["err"] > 0

    def recv_stderr(self, most: int) -> bytes:
        return self._some("err", most)


def test_of_a_command_that_babbles_only_the_beginning_is_kept() -> None:
    channel, out, err = Babbler(100_000), bytearray(), bytearray()
    for _ in range(30):
        _drain(channel, out, err)  # type: ignore[arg-type]
    assert (len(out), len(err)) == (4096, 4096)
    assert channel.left == {"out": 0, "err": 0}, "the rest is thrown away, so that the command can end"


def test_a_command_that_says_nothing_any_more_is_looked_at_again_soon() -> None:
    channel = Babbler(0)
    draining = threading.Thread(target=_drain, args=(channel, bytearray(), bytearray()), daemon=True)
    draining.start()
    draining.join(SOON_S)
    assert not draining.is_alive()
    channel.status_event.set()


def test_a_transport_that_does_not_end_does_not_keep_the_session_from_closing() -> None:
    over = threading.Event()

    class Stuck(threading.Thread):
        def close(self) -> None:
            pass

    def use(session: ParamikoSession, fail: Fail) -> None:
        stuck = Stuck(target=over.wait, args=(20.0,), daemon=True)
        stuck.start()
        session._transport = stuck  # type: ignore[assignment]
        session.__exit__(None, None, None)

    try:
        with_session(use)
    finally:
        over.set()


def test_a_machine_that_resets_the_connection_before_our_first_word_has_ended_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        line = connected("127.0.0.1", listening.getsockname()[1], time.monotonic() + SOON_S)
        accepted, _ = listening.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        with line:
            assert select.select([line], [], [], SOON_S)[0], "the reset is here"
            with pytest.raises(EOFError):
                line.send(b"SSH-2.0-pimgr")
            assert line.ended, "so it hung up, and isn't something that speaks no SSH"
