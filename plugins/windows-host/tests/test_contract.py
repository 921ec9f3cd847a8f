"""The contract suite and the fault matrix on Windows machines: a real Samba behind the house's faults, and SSH."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pimgr_windows_host import RPC, SSH

from pimgr.api import Deadlines, DeviceError, Garbled
from pimgr.house import Fault, House
from pimgr.testing import ContractSuite, FaultMatrixSuite, Subject, Trouble, Vendor

sys.path.insert(0, str(Path(__file__).parent))
from samba import PASSWORD, Samba, samba

pytestmark = pytest.mark.slow

SILENT: Mapping[Trouble, tuple[type[DeviceError], ...]] = {
    # the contract of `read_host`: a machine that doesn't listen, speak or stay is silent, and that is a reading
    Trouble.UNREACHABLE: (),
    Trouble.SILENT: (),
    Trouble.CUT: (),
}
NO_ACCOUNT = "whether a machine is up is asked without an account; test_samba.py shows what a request is answered"
NO_IDENTITY = "SMB tells a client nothing that a Windows machine is sure to keep; a wrong one refuses the account"


def _faults(house: House, device: str) -> dict[Trouble, Callable[[], object]]:
    def faulty(fault: Fault) -> Callable[[], None]:
        return lambda: house.fault(device, fault)

    return {
        Trouble.NONE: faulty(Fault.NONE),
        Trouble.UNREACHABLE: faulty(Fault.REFUSING),
        Trouble.SILENT: faulty(Fault.SILENT),
        Trouble.GARBAGE: faulty(Fault.GARBAGE),
        Trouble.DRIPPING: faulty(Fault.DRIPPING),
        Trouble.CUT: faulty(Fault.CUT),
        Trouble.OVERSIZE: faulty(Fault.OVERSIZE),
        Trouble.SLOW: faulty(Fault.SLOW),
    }


class _Card(asyncio.DatagramProtocol):
    """A network card that starts its machine."""

    def __init__(self, house: House) -> None:
        self._house = house

    def datagram_received(self, data: bytes, addr: object) -> None:
        if data == b"\xff" * 6 + bytes.fromhex("020000000001") * 16:
            self._house.fault("pc", Fault.NONE)


@asynccontextmanager
async def goes_and_comes(server: Samba, house: House) -> AsyncIterator[int]:
    """The machine is gone once its shutdown script ran (Samba itself stays), and back when woken; gives that port."""

    async def watch() -> None:
        while not any(line.startswith("shutdown") for line in server.asked()):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
        house.fault("pc", Fault.REFUSING)

    loop = asyncio.get_running_loop()
    card, _ = await loop.create_datagram_endpoint(lambda: _Card(house), local_addr=("127.0.0.1", 0))
    watching = asyncio.create_task(watch())
    try:
        yield card.get_extra_info("sockname")[1]
    finally:
        card.close()
        watching.cancel()
        await asyncio.wait({watching})


class OfRpc:
    @pytest.fixture(scope="class")
    def server(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
        with samba(tmp_path_factory.mktemp("samba")) as running:
            yield running

    @pytest.fixture
    def subject(self, server: Samba) -> Subject:
        @asynccontextmanager
        async def on_loopback() -> AsyncIterator[Vendor]:
            spec = (
                f'version = 1\nfaults = {{ slow_s = 0.4 }}\n[[device]]\nid = "pc"\nkind = "peer"\nto = {server.port}\n'
            )
            (server.folder / "asked").unlink(missing_ok=True)
            async with House.from_toml(spec) as house, goes_and_comes(server, house) as wake_port:
                yield Vendor(
                    config={
                        "address": "127.0.0.1",
                        "port": house.port("pc"),
                        "user": server.user,
                        "password": {"secret": "pw"},
                        "mac": "02:00:00:00:00:01",
                        "wake_address": "127.0.0.1",
                        "wake_port": wake_port,
                        "warning": 0,
                    },
                    troubles=_faults(house, "pc"),
                )

        return Subject(
            plugin="pimgr_windows_host",
            device_type=RPC,
            vendor=on_loopback,
            secrets={"pw": PASSWORD},
            faults={**SILENT, Trouble.DRIPPING: (), Trouble.OVERSIZE: (Garbled,)},
            spared={
                Trouble.WRONG_CREDENTIALS: NO_ACCOUNT,
                Trouble.RATE_LIMITED: NO_ACCOUNT,
                Trouble.CHANGED_IDENTITY: NO_IDENTITY,
            },
        )


class TestRpc(OfRpc, ContractSuite):
    pass


class TestRpcInTrouble(OfRpc, FaultMatrixSuite):
    pass


KEY, STRANGER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
HOUSE = f"""
version = 1
faults = {{ slow_s = 0.05 }}
[[device]]
id = "pc"
kind = "ssh"
personality = "windows"
shutdown_s = 0.1
boot_s = 0.1
authorized_keys = ["{PUBLIC}"]
"""


def text(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


@asynccontextmanager
async def windows_over_ssh() -> AsyncIterator[Vendor]:
    async with House.from_toml(HOUSE) as house:
        await asyncio.to_thread(str)  # the server's library keeps a thread of the loop's own, not the plugin's
        host = house.controls("pc")

        def well() -> None:
            house.fault("pc", Fault.NONE)
            host.busy = False
            host.authorize(PUBLIC)
            host.former_identity()

        yield Vendor(
            config={
                "address": "127.0.0.1",
                "port": house.port("pc"),
                "user": "pimgr",
                "key": {"secret": "key"},
                "host_key": house.ssh_host_key("pc"),
                "mac": "02:00:00:00:00:01",
                "wake_address": "127.0.0.1",
                "wake_port": house.port("pc", "wake"),
                "warning": 0,
            },
            troubles={
                **_faults(house, "pc"),
                Trouble.NONE: well,
                Trouble.WRONG_CREDENTIALS: host.forget_keys,
                Trouble.CHANGED_IDENTITY: lambda: house.new_identity("pc"),
                Trouble.RATE_LIMITED: lambda: setattr(host, "busy", True),
            },
        )


class OfSsh:
    @pytest.fixture
    def subject(self) -> Subject:
        return Subject(
            plugin="pimgr_windows_host",
            device_type=SSH,
            vendor=windows_over_ssh,
            secrets={"key": text(KEY)},
            wrong_secrets={"key": text(STRANGER)},
            deadlines=Deadlines(read_s=1.2, switch_s=1.2, shut_down_s=1.2),
            faults=SILENT,
        )


class TestSsh(OfSsh, ContractSuite):
    pass


class TestSshInTrouble(OfSsh, FaultMatrixSuite):
    pass
