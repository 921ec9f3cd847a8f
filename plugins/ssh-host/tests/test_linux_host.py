"""The SSH plugin against the house in a box, which can be shut down, woken, and made to misbehave."""

from __future__ import annotations

import asyncio
import base64
import io
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pimgr_ssh_host import LINUX
from pimgr_ssh_host.config import LinuxConfig
from pimgr_ssh_host.host import SshHost
from pimgr_ssh_host.wake import magic_packet

from pimgr.api import Deadlines, DeviceError, Garbled, Refused, Severity, Unreachable, Unsupported
from pimgr.house import Fault, House
from pimgr.testing import FakeContext

pytestmark = pytest.mark.slow

QUICK = Deadlines(read_s=1.2, switch_s=1.0, shut_down_s=1.2)
MAC = "02:00:00:00:00:01"


def key_pair(key: Any) -> tuple[str, str]:
    """Private key as OpenSSH writes it, and its public line."""
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return private, key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


PRIVATE, PUBLIC = key_pair(ed25519.Ed25519PrivateKey.generate())
STRANGER, _ = key_pair(ed25519.Ed25519PrivateKey.generate())


@dataclass
class Home:
    house: House
    context: FakeContext
    host: SshHost


def a_house(public: str = PUBLIC, **keys: Any) -> House:
    lines = "".join(f"{key} = {msgspec.json.encode(value).decode()}\n" for key, value in keys.items())
    return House.from_toml(
        f'version = 1\n[[device]]\nid = "nas"\nkind = "ssh"\nshutdown_s = 0.1\nboot_s = 0.1\nmac = "{MAC}"\n'
        f'authorized_keys = ["{public}"]\n{lines}'
    )


@asynccontextmanager
async def home(house: House, *, private: str = PRIVATE, **keys: Any) -> AsyncIterator[Home]:
    """A connection that has not been used yet, to the host of an open house."""
    context = FakeContext("nas", {"key": private}, QUICK)
    table: dict[str, Any] = {
        "address": "127.0.0.1",
        "port": house.port("nas"),
        "user": "pimgr",
        "key": {"secret": "key"},
        "host_key": house.ssh_host_key("nas"),
        "mac": MAC,
        "wake_address": "127.0.0.1",
        "wake_port": house.port("nas", "wake"),
    }
    try:
        async with LINUX.open(msgspec.convert(table | keys, LinuxConfig), context) as connection:
            assert isinstance(connection, SshHost)
            yield Home(house, context, connection)
    finally:
        context.close()


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


async def failure(call: Awaitable[object]) -> DeviceError:
    """What a call raises: one of the four errors, complete, without the key."""
    with pytest.raises(DeviceError) as caught:
        await call
    error = caught.value
    assert type(error) in (Unreachable, Refused, Garbled, Unsupported)
    assert error.part == "nas"
    assert all((error.wish, error.fact, error.cure))
    assert PRIVATE.splitlines()[1] not in str(error)
    return error


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what the house does by itself."""
    async with asyncio.timeout(5.0):
        while not condition():  # noqa: ASYNC110 - threads and the house tell nobody when they are done
            await asyncio.sleep(0.01)


# ----------------------------------------------------------------------------------------- readings and commands


def test_a_host_is_up_in_its_boot_until_it_was_shut_down_and_again_after_it_was_woken() -> None:
    async def test() -> None:
        async with a_house() as house, home(house) as at:
            reading = await at.host.read_host()
            first = house.host_boot_id("nas")
            assert (reading.up, reading.boot_id, reading.source) == (True, first, "ssh")
            await at.host.shut_down(first)
            assert len(house.wire.of("shut_down")) == 1
            await until(lambda: not house.host_up("nas"))
            reading = await at.host.read_host()
            assert (reading.up, reading.boot_id) == (False, None)
            await at.host.wake()
            await until(lambda: house.host_up("nas"))
            reading = await at.host.read_host()
            assert reading.up
            assert reading.boot_id == house.host_boot_id("nas") != first

    run(test)


def test_a_host_that_booted_since_is_left_alone() -> None:
    async def test() -> None:
        async with a_house() as house, home(house) as at:
            error = await failure(at.host.shut_down("11111111-2222-3333-4444-555555555555"))
            assert type(error) is Refused
            assert "booted since" in error.fact
            assert house.wire.of("shut_down") == []
            await at.host.shut_down(None)
            assert len(house.wire.of("shut_down")) == 1

    run(test)


def test_a_connection_lost_after_the_command_is_an_acceptance() -> None:
    async def test() -> None:
        async with a_house(answers_shutdown=False) as house, home(house) as at:
            await at.host.shut_down(house.host_boot_id("nas"))
            assert len(house.wire.of("shut_down")) == 1

    run(test)


@pytest.mark.parametrize(("sudo", "words"), [("password", "visudo"), ("absent", "by hand")])
def test_a_shutdown_that_is_not_allowed_is_refused_with_its_cure(sudo: str, words: str) -> None:
    async def test() -> None:
        async with a_house(sudo=sudo) as house, home(house) as at:
            error = await failure(at.host.shut_down(None))
            assert type(error) is Refused
            assert words in error.cure
            assert house.host_up("nas")

    run(test)


@pytest.mark.parametrize("off_looks", ["refused", "silent"])
def test_a_host_that_is_off_is_silent_and_not_an_error(off_looks: str) -> None:
    async def test() -> None:
        async with a_house(off_looks=off_looks) as house, home(house) as at:
            await at.host.shut_down(None)
            await until(lambda: not house.host_up("nas"))
            assert (await at.host.read_host()).up is False
            assert type(await failure(at.host.shut_down(None))) is Unreachable

    run(test)


def test_waking_without_a_mac_is_unsupported() -> None:
    async def test() -> None:
        async with a_house() as house, home(house, mac=None) as at:
            assert type(await failure(at.host.wake())) is Unsupported
            assert house.wire.of("wake") == []

    run(test)


def test_a_magic_packet_is_six_bytes_of_ones_and_the_address_sixteen_times() -> None:
    packet = magic_packet("02-00-00-00-00-0A")
    assert packet == b"\xff" * 6 + bytes([2, 0, 0, 0, 0, 10]) * 16


# --------------------------------------------------------------------------------------------------- fault matrix


@pytest.mark.parametrize(
    ("fault", "read", "shut_down"),
    [
        (Fault.REFUSING, None, Unreachable),
        (Fault.SILENT, None, Unreachable),
        (Fault.DEAD, None, Unreachable),
        (Fault.DRIPPING, Unreachable, Unreachable),
        (Fault.CUT, None, Unreachable),
        (Fault.GARBAGE, Garbled, Garbled),
        (Fault.OVERSIZE, Garbled, Garbled),
    ],
)
def test_each_fault_is_silence_or_one_of_the_four_errors_in_time(
    fault: Fault, read: type[DeviceError] | None, shut_down: type[DeviceError]
) -> None:
    async def test() -> None:
        async with a_house() as house, home(house) as at:
            house.fault("nas", fault)
            began = time.monotonic()
            if read is None:
                assert (await at.host.read_host()).up is False
            else:
                assert type(await failure(at.host.read_host())) is read
            assert type(await failure(at.host.shut_down(None))) is shut_down
            assert time.monotonic() - began < 4.5
            assert house.wire.of("shut_down") == []
            house.fault("nas", Fault.NONE)
            assert (await at.host.read_host()).up

    run(test)


def test_a_key_that_is_not_let_in_is_refused_not_silent() -> None:
    async def test() -> None:
        async with a_house() as house, home(house, private=STRANGER) as at:
            error = await failure(at.host.read_host())
            assert type(error) is Refused
            assert "authorized_keys" in error.cure

    run(test)


def test_another_host_key_is_garbled_before_anything_is_said() -> None:
    async def test() -> None:
        async with a_house() as house, home(house) as at:
            assert (await at.host.read_host()).up
            logins = len(house.wire.of("login"))
            house.new_identity("nas")
            error = await failure(at.host.read_host())
            assert type(error) is Garbled
            assert "host_key" in error.cure
            assert len(house.wire.of("login")) == logins

    run(test)


def test_a_host_key_of_another_kind_than_the_pinned_one_is_a_changed_key() -> None:
    async def test() -> None:
        _, other = key_pair(ec.generate_private_key(ec.SECP256R1()))
        async with a_house() as house, home(house, host_key=other) as at:
            error = await failure(at.host.read_host())
            assert type(error) is Garbled
            assert "host_key" in error.cure

    run(test)


@pytest.mark.parametrize(
    "key",
    [
        ed25519.Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["ed25519", "ecdsa", "rsa"],
)
def test_every_kind_of_openssh_key_logs_in(key: Any) -> None:
    async def test() -> None:
        private, public = key_pair(key)
        async with a_house(public) as house, home(house, private=private.replace("\n", "\r\n")) as at:
            assert (await at.host.read_host()).up

    run(test)


def test_a_key_with_a_passphrase_or_no_key_at_all_is_refused_with_its_cure() -> None:
    async def test() -> None:
        text = io.StringIO()
        paramiko.RSAKey.generate(2048).write_private_key(text, password="open sesame")
        async with a_house() as house:
            for private, words in ((text.getvalue(), "passphrase"), ("no key", "no private key")):
                async with home(house, private=private) as at:
                    error = await failure(at.host.read_host())
                    assert type(error) is Refused
                    assert words in error.fact

    run(test)


def test_cancelling_takes_no_second_and_its_thread_ends() -> None:
    async def test() -> None:
        async with a_house() as house, home(house) as at:
            at.context.deadlines = Deadlines(read_s=60.0)
            house.fault("nas", Fault.SILENT)
            read = asyncio.create_task(at.host.read_host())
            await until(lambda: any(isinstance(each, paramiko.Transport) for each in threading.enumerate()))
            (thread,) = [each for each in threading.enumerate() if each.name == "pimgr nas"]
            read.cancel()
            with pytest.raises(asyncio.CancelledError):
                async with asyncio.timeout(1.0):
                    await read
            await asyncio.get_running_loop().run_in_executor(None, thread.join, 2.0)
            assert not thread.is_alive()
            house.fault("nas", Fault.NONE)
            assert (await at.host.read_host()).up

    run(test)


# ---------------------------------------------------------------------------------------------------------- check


def test_check_proves_the_login_and_the_right_without_shutting_down() -> None:
    async def test() -> None:
        async with a_house() as house, home(house) as at:
            findings = await at.host.check()
            assert {finding.severity for finding in findings} == {Severity.INFO}
            assert house.host_boot_id("nas") in findings[0].text
            assert house.wire.of("shut_down") == []

    run(test)


def test_check_names_a_missing_right_and_a_missing_mac() -> None:
    async def test() -> None:
        async with a_house(sudo="password") as house, home(house, mac=None) as at:
            findings = await at.host.check()
            assert [finding.severity for finding in findings[2:]] == [Severity.CRITICAL, Severity.WARNING]
            assert "visudo" in findings[2].cure
            house.fault("nas", Fault.REFUSING)
            (finding,) = await at.host.check()
            assert finding.severity is Severity.CRITICAL

    run(test)


@pytest.mark.parametrize(
    "table",
    [
        {"address": "nas:22"},
        {"user": "a b"},
        {"port": 0},
        {"mac": "02:00"},
        {"wake_address": "everybody"},
        {"host_key": "ssh-ed25519"},
        {"host_key": "ssh-ed25519 AAAA"},
        {"host_key": "ssh-dss " + base64.b64encode(b"\0\0\0\7ssh-dss123").decode()},
        {"shutdown_command": "a\nb"},
        {"shutdown_command": " "},
        {"password": {"secret": "x"}},
    ],
)
def test_a_config_that_can_not_work_is_refused(table: dict[str, object]) -> None:
    good: dict[str, object] = {"address": "nas", "user": "pimgr", "key": {"secret": "key"}, "host_key": PUBLIC}
    assert msgspec.convert(good, LinuxConfig).wake_port == 9
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(good | table, LinuxConfig)
