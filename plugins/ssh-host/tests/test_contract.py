"""The contract suite on the SSH plugin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pimgr_ssh_host import LINUX

from pimgr.api import Deadlines
from pimgr.house import Fault, House
from pimgr.testing import ContractSuite, Subject, Trouble, Vendor

pytestmark = pytest.mark.slow

KEY, STRANGER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
HOUSE = f"""
version = 1

[[device]]
id = "nas"
kind = "ssh"
shutdown_s = 0.1
boot_s = 0.1
authorized_keys = ["{KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()}"]
"""


def text(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


@asynccontextmanager
async def host_on_loopback() -> AsyncIterator[Vendor]:
    async with House.from_toml(HOUSE) as house:
        await asyncio.to_thread(str)  # the server's library keeps a thread of the loop's own, which isn't the plugin's
        yield Vendor(
            config={
                "address": "127.0.0.1",
                "port": house.port("nas"),
                "user": "pimgr",
                "key": {"secret": "key"},
                "host_key": house.ssh_host_key("nas"),
                "mac": "02:00:00:00:00:01",
                "wake_address": "127.0.0.1",
                "wake_port": house.port("nas", "wake"),
            },
            troubles={
                Trouble.NONE: lambda: house.fault("nas", Fault.NONE),
                Trouble.UNREACHABLE: lambda: house.fault("nas", Fault.REFUSING),
                Trouble.SILENT: lambda: house.fault("nas", Fault.SILENT),
                Trouble.GARBAGE: lambda: house.fault("nas", Fault.GARBAGE),
            },
        )


class TestLinuxHost(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return Subject(
            plugin="pimgr_ssh_host",
            device_type=LINUX,
            vendor=host_on_loopback,
            secrets={"key": text(KEY)},
            wrong_secrets={"key": text(STRANGER)},
            deadlines=Deadlines(read_s=1.5, switch_s=1.5, shut_down_s=1.5),
        )
