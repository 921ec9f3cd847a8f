"""The contract suite and the fault matrix on the account and its thermostats."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pimgr_honeywell import ACCOUNT

from pimgr.api import Hold
from pimgr.house import Fault, House
from pimgr.testing import ContractSuite, FaultMatrixSuite, Subject, Trouble, Vendor

pytestmark = pytest.mark.slow

RIGHT, WRONG = "the-right-one", "the-wrong-one"
HOUSE = f"""
version = 1

[faults]
slow_s = 0.12

[[device]]
id = "portal"
kind = "honeywell"
password = "{RIGHT}"

[[device.thermostats]]
id = 1234567
mode = "auto"

[[device.thermostats]]
id = 7654321
unit = "C"
indoor = 22.5
heat = 19.5
cool = 25.0
heat_limits = [4.5, 32.0]
cool_limits = [10.0, 37.0]
deadband = 1.5
"""
WIRE = {
    Trouble.UNREACHABLE: Fault.REFUSING,
    Trouble.SILENT: Fault.SILENT,
    Trouble.GARBAGE: Fault.GARBAGE,
    Trouble.DRIPPING: Fault.DRIPPING,
    Trouble.CUT: Fault.CUT,
    Trouble.OVERSIZE: Fault.OVERSIZE,
    Trouble.SLOW: Fault.SLOW,
    Trouble.RATE_LIMITED: Fault.HTTP_429,
}


@asynccontextmanager
async def portal_on_loopback() -> AsyncIterator[Vendor]:
    async with House.from_toml(HOUSE) as house:
        portal = house.controls("portal")

        def bring(fault: Fault = Fault.NONE, *, swapped: bool = False, password: str = RIGHT) -> None:
            if portal.password != password:
                portal.expire_sessions()
            portal.swapped, portal.password = swapped, password
            house.fault("portal", fault)

        yield Vendor(
            config={
                "username": "owner@example.org",
                "password": {"secret": "pw"},
                "thermostats": {"hall": 1234567, "bedroom": 7654321},
                "base_url": f"http://127.0.0.1:{house.port('portal')}",
            },
            troubles={
                Trouble.NONE: bring,
                Trouble.WRONG_CREDENTIALS: lambda: bring(password="changed-meanwhile"),
                Trouble.CHANGED_IDENTITY: lambda: bring(swapped=True),
                **{trouble: lambda fault=fault: bring(fault) for trouble, fault in WIRE.items()},
            },
        )


SUBJECT = Subject(
    plugin="pimgr_honeywell",
    device_type=ACCOUNT,
    vendor=portal_on_loopback,
    secrets={"pw": RIGHT},
    wrong_secrets={"pw": WRONG},
    unsupported=(
        ("hall", "hold", (Hold(cool=60.0, permanent=True),)),
        ("bedroom", "hold", (Hold(heat=-5.0, permanent=True),)),
    ),
    rest_s=3700.0,
)


class TestAccount(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return SUBJECT


class TestAccountInTrouble(FaultMatrixSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return SUBJECT
