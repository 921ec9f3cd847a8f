"""The contract suite on the gateway plugin."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pimgr_powerwall import GATEWAY

from pimgr.house import Fault, House
from pimgr.testing import ContractSuite, Subject, Trouble, Vendor

pytestmark = pytest.mark.slow

HOUSE = """
version = 1

[[device]]
id = "gateway"
kind = "gateway"
password = "the-right-one"
"""


@asynccontextmanager
async def gateway_on_loopback() -> AsyncIterator[Vendor]:
    async with House.from_toml(HOUSE) as house:
        yield Vendor(
            config={"address": f"127.0.0.1:{house.port('gateway')}", "password": {"secret": "pw"}},
            troubles={
                Trouble.NONE: lambda: house.fault("gateway", Fault.NONE),
                Trouble.UNREACHABLE: lambda: house.fault("gateway", Fault.REFUSING),
                Trouble.SILENT: lambda: house.fault("gateway", Fault.SILENT),
                Trouble.GARBAGE: lambda: house.fault("gateway", Fault.GARBAGE),
            },
        )


class TestGateway(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return Subject(
            plugin="pimgr_powerwall",
            device_type=GATEWAY,
            vendor=gateway_on_loopback,
            secrets={"pw": "the-right-one"},
            wrong_secrets={"pw": "the-wrong-one"},
        )
