"""windows-host.ssh against the house's SSH server, which plays cmd.exe. No real Windows was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pimgr_windows_host import SSH, SshWindowsConfig
from pimgr_windows_host.ssh import WindowsSshHost

from pimgr.api import Deadlines, Refused, Severity
from pimgr.house import House
from pimgr.testing import FakeContext

pytestmark = pytest.mark.slow

KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
HOUSE = """
version = 1
[[device]]
id = "pc"
kind = "ssh"
personality = "windows"
sudo = "{sudo}"
mac = "02:00:00:00:00:01"
shutdown_s = 0.1
boot_s = 0.1
authorized_keys = ["{key}"]
"""


@asynccontextmanager
async def machine(sudo: str = "nopasswd", **keys: Any) -> AsyncIterator[tuple[House, WindowsSshHost, FakeContext]]:
    async with House.from_toml(HOUSE.format(key=PUBLIC, sudo=sudo)) as house:
        text = KEY.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
        context = FakeContext("pc", {"key": text}, Deadlines())
        table = {
            "address": "127.0.0.1",
            "port": house.port("pc"),
            "user": "pimgr",
            "key": {"secret": "key"},
            "mac": "02:00:00:00:00:01",
            "wake_address": "127.0.0.1",
            "wake_port": house.port("pc", "wake"),
        }
        async with SSH.open(msgspec.convert(table | keys, SshWindowsConfig), context) as connection:
            assert isinstance(connection, WindowsSshHost)
            yield house, connection, context
        context.close()


def test_it_tells_its_boot_and_is_shut_down_in_that_boot_only() -> None:
    async def main() -> None:
        async with machine(warning=0) as (house, host, _):
            reading = await host.read_host()
            assert reading.up
            assert (reading.boot_id or "").startswith("boot 1")
            with pytest.raises(Refused, match="booted since"):
                await host.shut_down("boot 133600000000000000")
            await host.shut_down(reading.boot_id)
            await house.wire.wait_for(lambda entry: entry.what == "truth" and entry.value == "off", 5.0)

    asyncio.run(main())


def test_the_power_that_comes_back_in_time_calls_the_shutdown_off() -> None:
    async def main() -> None:
        async with machine(warning=60) as (house, host, context):
            before = house.host_boot_id("pc")
            await host.shut_down(None)
            await host.shut_down(None)
            await host.wake()
            assert "called off" in context.recorded[-1]
            assert house.host_up("pc")
            assert house.host_boot_id("pc") == before

    asyncio.run(main())


def test_an_account_without_the_right_is_told_with_its_cure_by_request_and_check() -> None:
    async def main() -> None:
        async with machine("password") as (_, host, _):
            with pytest.raises(Refused, match="may not shut it down") as caught:
                await host.shut_down(None)
            assert "secpol.msc" in caught.value.cure
            assert [f.severity for f in await host.check()].count(Severity.CRITICAL) == 1
        async with machine() as (house, host, _):
            assert all(finding.severity is not Severity.CRITICAL for finding in await host.check())
            assert house.host_up("pc")

    asyncio.run(main())
