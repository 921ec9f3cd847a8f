"""The contract suite and the fault matrix on every device type of the SSH plugin; Solaris by the system's `ssh`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pimgr_ssh_host import CUSTOM, LINUX, SOLARIS

from pimgr.api import Deadlines, DeviceType, Unreachable
from pimgr.house import Fault, House
from pimgr.testing import ContractSuite, FaultMatrixSuite, Subject, Trouble, Vendor

pytestmark = pytest.mark.slow

KEY, STRANGER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
SILENT: Mapping[Trouble, tuple[type[Unreachable], ...]] = {
    # the contract of `read_host`: a machine that doesn't listen, speak or stay is silent, and that is a reading
    Trouble.UNREACHABLE: (),
    Trouble.SILENT: (),
    Trouble.CUT: (),
}
LINUX_COMMANDS = {
    "shutdown_command": "sudo -n shutdown -h now",
    "boot_id_command": "cat /proc/sys/kernel/random/boot_id",
    "check_command": "sudo -n -l shutdown -h now",
}


def text(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def machine(personality: str, **keys: Any) -> Callable[[], AbstractAsyncContextManager[Vendor]]:
    """A machine of the house in a box, with every trouble that it can have."""
    spec = f"""
version = 1
faults = {{ slow_s = 0.05 }}
[[device]]
id = "nas"
kind = "ssh"
personality = "{personality}"
shutdown_s = 0.1
boot_s = 0.1
authorized_keys = ["{PUBLIC}"]
"""

    @asynccontextmanager
    async def on_loopback() -> AsyncIterator[Vendor]:
        async with House.from_toml(spec) as house:
            await asyncio.to_thread(str)  # the server's library keeps a thread of the loop's own, not the plugin's
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
                    **keys,
                },
                troubles=_troubles(house),
            )

    return on_loopback


def _troubles(house: House) -> dict[Trouble, Callable[[], object]]:
    host = house.controls("nas")

    def faulty(fault: Fault) -> Callable[[], None]:
        return lambda: house.fault("nas", fault)

    def well() -> None:
        house.fault("nas", Fault.NONE)
        host.busy = False
        host.authorize(PUBLIC)
        host.former_identity()

    return {
        Trouble.NONE: well,
        Trouble.UNREACHABLE: faulty(Fault.REFUSING),
        Trouble.SILENT: faulty(Fault.SILENT),
        Trouble.GARBAGE: faulty(Fault.GARBAGE),
        Trouble.DRIPPING: faulty(Fault.DRIPPING),
        Trouble.CUT: faulty(Fault.CUT),
        Trouble.OVERSIZE: faulty(Fault.OVERSIZE),
        Trouble.SLOW: faulty(Fault.SLOW),
        Trouble.WRONG_CREDENTIALS: host.forget_keys,
        Trouble.CHANGED_IDENTITY: lambda: house.new_identity("nas"),
        Trouble.RATE_LIMITED: lambda: setattr(host, "busy", True),
    }


def a_subject(
    device_type: DeviceType[Any], vendor: Callable[[], AbstractAsyncContextManager[Vendor]], deadline_s: float = 1.0
) -> Subject:
    return Subject(
        plugin="pimgr_ssh_host",
        device_type=device_type,
        vendor=vendor,
        secrets={"key": text(KEY)},
        wrong_secrets={"key": text(STRANGER)},
        deadlines=Deadlines(read_s=deadline_s, switch_s=deadline_s, shut_down_s=deadline_s),
        faults=SILENT,
    )


class OfLinux:
    @pytest.fixture
    def subject(self) -> Subject:
        return a_subject(LINUX, machine("linux"))


class OfSolarisBySystemSsh:
    @pytest.fixture
    def subject(self) -> Subject:
        return a_subject(SOLARIS, machine("solaris", transport="openssh"), deadline_s=2.0)


class OfCustom:
    @pytest.fixture
    def subject(self) -> Subject:
        return a_subject(CUSTOM, machine("linux", **LINUX_COMMANDS))


class TestLinux(OfLinux, ContractSuite):
    pass


class TestSolaris(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return a_subject(SOLARIS, machine("solaris"))


class TestLinuxBySystemSsh(ContractSuite):
    """Those rules in which a transport can fail; the rest is the same for either."""

    @pytest.fixture
    def subject(self, rule: str) -> Subject:
        if rule not in ("cancelling_takes_no_second", "hung_device_is_left_and_reopened", "nothing_is_left"):
            pytest.skip("by paramiko")
        return a_subject(LINUX, machine("linux", transport="openssh"), deadline_s=2.0)


class TestCustom(OfCustom, ContractSuite):
    pass


class TestLinuxInTrouble(OfLinux, FaultMatrixSuite):
    pass


class TestSolarisBySystemSshInTrouble(OfSolarisBySystemSsh, FaultMatrixSuite):
    pass


class TestCustomInTrouble(OfCustom, FaultMatrixSuite):
    pass
