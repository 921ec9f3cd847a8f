"""The contract suite on the mail plugin."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from pimgr_gmail import MAIL

from pimgr.house import Fault, House
from pimgr.house.faults import FaultTimes
from pimgr.testing import ContractSuite, FaultMatrixSuite, Subject, Trouble, Vendor

pytestmark = pytest.mark.slow

HOUSE = """
version = 1

[[device]]
id = "mail"
kind = "mail"
password = "the-right-one"
"""


@asynccontextmanager
async def mail_on_loopback() -> AsyncIterator[Vendor]:
    async with House.from_toml(HOUSE) as house:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as ca:
            ca.write(house.ca_pem)
            ca.flush()
            server = house.controls("mail")
            house.gate("mail").times = FaultTimes(slow_s=0.05)  # of each of a session's ten answers

            def well() -> None:
                server.show(house.authority.issue("mail.example.org"))
                server.password = "the-right-one"
                house.fault("mail", Fault.NONE)

            def be(fault: Fault) -> Callable[[], object]:
                return lambda: house.fault("mail", fault)

            def another_password() -> None:
                server.password = "another"

            yield Vendor(
                config={
                    "user": "house@example.org",
                    "password": {"secret": "pw"},
                    "to": ["me@example.com"],
                    "host": "127.0.0.1",
                    "port": house.port("mail"),
                    "ca_file": ca.name,
                },
                troubles={
                    Trouble.NONE: well,
                    Trouble.UNREACHABLE: be(Fault.REFUSING),
                    Trouble.SILENT: be(Fault.SILENT),
                    Trouble.GARBAGE: be(Fault.GARBAGE),
                    Trouble.DRIPPING: be(Fault.DRIPPING),
                    Trouble.CUT: be(Fault.CUT),
                    Trouble.OVERSIZE: be(Fault.OVERSIZE),
                    Trouble.SLOW: be(Fault.SLOW),
                    Trouble.WRONG_CREDENTIALS: another_password,
                    Trouble.CHANGED_IDENTITY: lambda: house.new_identity("mail"),
                    Trouble.RATE_LIMITED: be(Fault.MAIL_PERMANENT),
                },
            )


SUBJECT = Subject(
    plugin="pimgr_gmail",
    device_type=MAIL,
    vendor=mail_on_loopback,
    secrets={"pw": "the-right-one"},
    wrong_secrets={"pw": "the-wrong-one"},
)


class TestMail(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return SUBJECT


class TestMailInTrouble(FaultMatrixSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return SUBJECT
