"""The contract suite on the apprise plugin, against a server of ntfy."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pimgr_apprise import URL

from pimgr.api import Deadlines
from pimgr.house import Fault, House
from pimgr.house.faults import FaultTimes
from pimgr.testing import ContractSuite, FaultMatrixSuite, Subject, Trouble, Vendor

pytestmark = pytest.mark.slow

TOKEN = "tk_agQdq7mVBoFD37zQVN29RhuMzNIz2"
HOUSE = f'version = 1\n[[device]]\nid = "push"\nkind = "ntfy"\nport = {{port}}\ntoken = "{TOKEN}"\n'


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


DEADLINE_S = 10.0
"""Each message starts a process that imports apprise: a second of work, which a busy machine spreads over many."""
PORT = _free_port()
"""Written into the URL, which is a secret and so is known before the server is."""


@asynccontextmanager
async def ntfy_on_loopback() -> AsyncIterator[Vendor]:
    async with House.from_toml(HOUSE.format(port=PORT)) as house:
        house.gate("push").times = FaultTimes(slow_s=0.4 * DEADLINE_S)

        def well() -> None:
            house.controls("push").token = TOKEN
            house.fault("push", Fault.NONE)

        def be(fault: Fault) -> object:
            return lambda: house.fault("push", fault)

        def another_token() -> None:
            house.controls("push").token = "tk_another"

        yield Vendor(
            config={"url": {"secret": "url"}},
            troubles={
                Trouble.NONE: well,
                Trouble.UNREACHABLE: be(Fault.REFUSING),
                Trouble.SILENT: be(Fault.SILENT),
                Trouble.GARBAGE: be(Fault.GARBAGE),
                Trouble.DRIPPING: be(Fault.DRIPPING),
                Trouble.CUT: be(Fault.CUT),
                Trouble.OVERSIZE: be(Fault.OVERSIZE),
                Trouble.SLOW: be(Fault.SLOW),
                Trouble.WRONG_CREDENTIALS: another_token,
                Trouble.RATE_LIMITED: be(Fault.HTTP_429),
            },
        )


SUBJECT = Subject(
    plugin="pimgr_apprise",
    device_type=URL,
    vendor=ntfy_on_loopback,
    secrets={"url": f"ntfy://{TOKEN}@127.0.0.1:{PORT}/the-house"},
    wrong_secrets={"url": f"ntfy://tk_wr0ngdq7mVBoFD37zQVN29RhuMzNIz2@127.0.0.1:{PORT}/the-house"},
    deadlines=Deadlines(read_s=DEADLINE_S, switch_s=DEADLINE_S, cloud_s=DEADLINE_S, shut_down_s=DEADLINE_S),
    spared={Trouble.CHANGED_IDENTITY: "a service is who its certificate says; there is nothing else to know it by"},
)


class TestUrl(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return SUBJECT


class TestUrlInTrouble(FaultMatrixSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return SUBJECT
