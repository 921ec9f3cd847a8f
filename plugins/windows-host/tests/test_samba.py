"""windows-host.rpc against a real peer: Samba's smbd, whose accounts, rights and scripts are really asked."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pimgr_windows_host import RPC, RpcConfig
from pimgr_windows_host.rpc import RpcHost
from pimgr_windows_host.smb import NotSmbError, answers

from pimgr.api import Deadlines, DeviceError, Refused, Severity, Unreachable
from pimgr.house import Fault, House
from pimgr.testing import FakeContext, FakeStore

sys.path.insert(0, str(Path(__file__).parent))
from samba import PASSWORD, Samba, samba

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
    with samba(tmp_path_factory.mktemp("samba")) as running:
        yield running


@pytest.fixture
def well(server: Samba) -> Iterator[Samba]:
    """The server as it should be, also after a test that spoilt it."""
    (server.folder / "asked").unlink(missing_ok=True)
    yield server
    server.obeys(True)
    server.right(True)
    server.flags("")


@asynccontextmanager
async def machine(server: Samba, **keys: Any) -> AsyncIterator[tuple[RpcHost, FakeContext]]:
    password, store = keys.pop("pw", PASSWORD), keys.pop("store", None)
    patient, quick = Deadlines(shut_down_s=20.0, switch_s=10.0), Deadlines(read_s=1.0, shut_down_s=1.0)
    deadlines = quick if keys.pop("quick", False) else patient
    context = FakeContext("pc", {"pw": password}, deadlines, store=store)
    table = {"address": "127.0.0.1", "port": server.port, "user": server.user, "password": {"secret": "pw"}}
    async with RPC.open(msgspec.convert(table | keys, RpcConfig), context) as connection:
        assert isinstance(connection, RpcHost)
        yield connection, context
    context.close()


async def failure(host: RpcHost) -> DeviceError:
    with pytest.raises(DeviceError) as caught:
        await host.shut_down(None)
    assert all((caught.value.fact, caught.value.cure))
    assert PASSWORD not in str(caught.value)
    return caught.value


def test_a_real_server_is_seen_up_and_shuts_down_when_asked(well: Samba) -> None:
    async def main() -> None:
        async with machine(well) as (host, _):
            reading = await host.read_host()
            assert (reading.up, reading.boot_id) == (True, None)
            await host.shut_down(None)
            assert well.asked() == ["shutdown -f"]

    asyncio.run(main())


def test_a_shutdown_is_called_off_while_it_counts_down_and_not_later(well: Samba) -> None:
    async def main() -> None:
        store = FakeStore()
        async with machine(well, store=store, mac="02:00:00:00:00:09", wake_address="127.0.0.1") as (host, _):
            await host.shut_down(None)
        async with machine(well, store=store, mac="02:00:00:00:00:09", wake_address="127.0.0.1") as (host, context):
            context.clock.advance(20.0)
            await host.wake()
            assert well.asked() == ["shutdown -f", "abort "]
            assert "called off" in context.recorded[0]
            await host.wake()
            await host.shut_down(None)
            context.clock.advance(31.0)
            await host.wake()
            assert well.asked() == ["shutdown -f", "abort ", "shutdown -f"]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("trouble", "words", "cure"),
    [
        ("wrong password", "refuses the user or the password (NT_STATUS_LOGON_FAILURE)", "check user, password"),
        ("D", "disabled (NT_STATUS_ACCOUNT_DISABLED)", "enable it"),
        ("L", "locked, after too many wrong passwords (NT_STATUS_ACCOUNT_LOCKED_OUT)", "unlock"),
        ("no right", "may not shut it down from afar (WERR_ACCESS_DENIED)", "LocalAccountTokenFilterPolicy"),
        ("must change", "(NT_STATUS_PASSWORD_MUST_CHANGE)", "log in there once"),
        ("script fails", "may not shut it down from afar (WERR_ACCESS_DENIED)", "secpol.msc"),
    ],
)
def test_what_a_real_server_refuses_is_told_apart_with_its_cure(
    well: Samba, trouble: str, words: str, cure: str
) -> None:
    if trouble in ("D", "L"):
        well.flags(trouble)
    if trouble == "must change":
        well.must_change()
    if trouble == "no right":
        well.right(False)
    well.obeys(trouble != "script fails")

    async def main() -> None:
        async with machine(well, pw="wrong" if trouble == "wrong password" else PASSWORD) as (host, _):
            error = await failure(host)
            assert type(error) is Refused
            assert words in error.fact
            assert cure in error.cure
            finding = (await host.check())[0]
            assert finding.severity is Severity.CRITICAL

    asyncio.run(main())
    well.add() if trouble == "must change" else None


def test_nobody_on_the_port_is_a_silent_machine_and_an_unreachable_one(well: Samba) -> None:
    async def main() -> None:
        async with machine(well, port=9) as (host, _):
            assert not (await host.read_host()).up
            error = await failure(host)
            assert type(error) is Unreachable
            assert "NT_STATUS_CONNECTION_REFUSED" in error.fact

    asyncio.run(main())


@asynccontextmanager
async def behind_the_house(server: Samba, fault: Fault) -> AsyncIterator[int]:
    """The server with a fault of the house's; gives the port."""
    spec = f'version = 1\nfaults = {{ slow_s = 0.3 }}\n[[device]]\nid = "pc"\nkind = "peer"\nto = {server.port}\n'
    async with House.from_toml(spec) as house:
        house.fault("pc", fault)
        yield house.port("pc")


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.DRIPPING])
def test_a_machine_that_never_answers_is_given_up_at_the_deadline(well: Samba, fault: Fault) -> None:
    async def main() -> None:
        async with behind_the_house(well, fault) as port, machine(well, port=port, quick=True) as (host, _):
            began = time.monotonic()
            assert type(await failure(host)) is Unreachable
            assert time.monotonic() - began < 2.0
            assert running() == []

    asyncio.run(main())


def test_a_machine_that_listens_and_says_nothing_is_silent_by_the_deadline(well: Samba) -> None:
    async def main() -> None:
        async with behind_the_house(well, Fault.SILENT) as port, machine(well, port=port, quick=True) as (host, _):
            async with asyncio.timeout(1.0):
                assert not (await host.read_host()).up

    asyncio.run(main())


def test_what_a_slow_machine_tells_is_dated_when_it_was_asked(well: Samba) -> None:
    async def main() -> None:
        async with behind_the_house(well, Fault.SLOW) as port, machine(well, port=port) as (host, context):
            asked = context.now()
            reading = await host.read_host()
            assert reading.up
            assert reading.at.since(asked) < 0.2
            assert context.now().since(asked) > 0.25

    asyncio.run(main())


def test_an_answer_that_is_too_long_or_too_short_is_not_waited_for() -> None:
    async def ask(length: int) -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            began = time.monotonic()
            asking = asyncio.ensure_future(answers("127.0.0.1", listener.getsockname()[1], 5.0))
            line, _ = await loop.sock_accept(listener)
            with line:
                await loop.sock_sendall(line, length.to_bytes(4, "big"))
                with pytest.raises(NotSmbError):
                    await asking
        assert time.monotonic() - began < 2.0

    for length in (10, 10_000_000):
        asyncio.run(ask(length))


def test_the_check_tells_that_it_would_obey_and_shuts_nothing_down(well: Samba) -> None:
    async def main() -> None:
        async with machine(well) as (host, _):
            login, waking = await host.check()
            assert (login.severity, waking.severity) == (Severity.INFO, Severity.WARNING)
            assert f"lets '{well.user}' shut it down" in login.text
            assert well.asked() == ["abort "]

    asyncio.run(main())


def test_a_password_is_in_no_argument_environment_or_log(well: Samba, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        caplog.set_level(logging.DEBUG)
        (well.folder / "shutdown").write_text("#!/bin/sh\nsleep 0.3\n")
        async with machine(well) as (host, context):
            seen: list[bytes] = []
            asking = asyncio.ensure_future(host.shut_down(None))
            while not asking.done():
                seen += running()
                await asyncio.sleep(0.005)
            await asking
            assert any(b"-A\0/proc/self/fd/" in line for line in seen)
            assert not any(PASSWORD.encode() in line for line in seen)
            assert PASSWORD not in caplog.text + context.store.texts()

    asyncio.run(main())


def running() -> list[bytes]:
    """Arguments and environment of every `net` of this test."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line, parent = (
                (process / "cmdline").read_bytes(),
                (process / "stat").read_text().rpartition(")")[2].split()[1],
            )
            if b"/net\0rpc\0" in line and int(parent) == os.getpid():
                found += [line, (process / "environ").read_bytes()]
        except OSError:
            continue
    return found
