"""The contract suite and the fault matrix on powerwall.gateway, against the gateway of the house in a box."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from pimgr_powerwall import GATEWAY

from pimgr.house import Fault, House
from pimgr.house.gateway import Gateway
from pimgr.testing import ContractSuite, FaultMatrixSuite, Subject, Trouble, Vendor

pytestmark = pytest.mark.slow

PASSWORD = "the-right-one"
HOUSE = f"""
version = 1

[[device]]
id = "gateway"
kind = "gateway"
password = "{PASSWORD}"
"""


class Troubled:
    """The gateway's side of each trouble."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._gateway: Gateway = house.controls("gateway")
        self._identity = self._gateway.identity

    def none(self) -> None:
        self._house.fault("gateway", Fault.NONE)
        self._password(PASSWORD)
        self._gateway.show(self._identity)

    def fault(self, fault: Fault) -> None:
        self._house.fault("gateway", fault)

    def slow(self) -> None:
        self._house.gate("gateway").times = msgspec.structs.replace(self._house.spec.faults, slow_s=0.2)
        self.fault(Fault.SLOW)

    def another_password(self) -> None:
        """The owner changed it; whoever was logged in is out."""
        self._password("another")
        self._gateway.expire_sessions()

    def another_certificate(self) -> None:
        self._gateway.new_identity()
        self._house.fault("gateway", Fault.REFUSING)  # a gateway that is exchanged takes its connections along
        self._house.fault("gateway", Fault.NONE)

    def _password(self, password: str) -> None:
        self._gateway.spec = msgspec.structs.replace(self._gateway.spec, password=password)


@asynccontextmanager
async def gateway_on_loopback() -> AsyncIterator[Vendor]:
    async with House.from_toml(HOUSE) as house:
        does = Troubled(house)
        yield Vendor(
            config={"address": f"127.0.0.1:{house.port('gateway')}", "password": {"secret": "pw"}},
            troubles={
                Trouble.NONE: does.none,
                Trouble.UNREACHABLE: lambda: does.fault(Fault.REFUSING),
                Trouble.SILENT: lambda: does.fault(Fault.SILENT),
                Trouble.GARBAGE: lambda: does.fault(Fault.GARBAGE),
                Trouble.DRIPPING: lambda: does.fault(Fault.DRIPPING),
                Trouble.CUT: lambda: does.fault(Fault.CUT),
                Trouble.OVERSIZE: lambda: does.fault(Fault.OVERSIZE),
                Trouble.SLOW: does.slow,
                Trouble.WRONG_CREDENTIALS: does.another_password,
                Trouble.CHANGED_IDENTITY: does.another_certificate,
                Trouble.RATE_LIMITED: lambda: does.fault(Fault.HTTP_429),
            },
        )


def gateway() -> Subject:
    return Subject(
        plugin="pimgr_powerwall",
        device_type=GATEWAY,
        vendor=gateway_on_loopback,
        secrets={"pw": PASSWORD},
        wrong_secrets={"pw": "the-wrong-one"},
    )


class TestGateway(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return gateway()


class TestGatewayInTrouble(FaultMatrixSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return gateway()
