"""The contract suite on the mail plugin."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pimgr_gmail import MAIL

from pimgr.house import Fault, House
from pimgr.testing import ContractSuite, Subject, Trouble, Vendor

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
                    Trouble.NONE: lambda: house.fault("mail", Fault.NONE),
                    Trouble.UNREACHABLE: lambda: house.fault("mail", Fault.REFUSING),
                    Trouble.SILENT: lambda: house.fault("mail", Fault.SILENT),
                    Trouble.GARBAGE: lambda: house.fault("mail", Fault.GARBAGE),
                },
            )


class TestMail(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return Subject(
            plugin="pimgr_gmail",
            device_type=MAIL,
            vendor=mail_on_loopback,
            secrets={"pw": "the-right-one"},
            wrong_secrets={"pw": "the-wrong-one"},
        )
