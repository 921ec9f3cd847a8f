"""The contract suite and the fault matrix on powerwall.cloud, against the Tesla cloud of the house in a box."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec
import pytest
from pimgr_powerwall import CLOUD

from pimgr.api import Deadlines
from pimgr.house import Fault, House
from pimgr.house.tesla import SITE, Tesla
from pimgr.house.tesla_pages import Product
from pimgr.testing import ContractSuite, FaultMatrixSuite, Subject, Trouble, Vendor

pytestmark = pytest.mark.slow

HOUSE = """
version = 1
charge = 42.0

[[device]]
id = "tesla"
kind = "tesla"
"""
SECRETS = {"first": "first-refresh-token", "client": "H0use-s3cret"}


class Troubled:
    """The cloud's side of each trouble."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._tesla: Tesla = house.controls("tesla")
        self._current = ""

    def none(self) -> None:
        self._house.fault("tesla", Fault.NONE)
        self._tesla.sites = (Product(SITE, "House in a box"),)
        if self._current:
            self._tesla.authority.current, self._current = self._current, ""

    def fault(self, fault: Fault) -> None:
        self._house.fault("tesla", fault)

    def slow(self) -> None:
        self._house.gate("tesla").times = msgspec.structs.replace(self._house.spec.faults, slow_s=0.3)
        self.fault(Fault.SLOW)

    def revoked(self) -> None:
        """The owner changed the password: no token works any more."""
        self._current = self._tesla.authority.current
        self._tesla.authority.revoke()

    def another_site(self) -> None:
        self._tesla.sites = (Product(4711, "Another house"),)


@asynccontextmanager
async def cloud_on_loopback() -> AsyncIterator[Vendor]:
    async with House.from_toml(HOUSE) as house:
        url = f"http://127.0.0.1:{house.port('tesla')}"
        does = Troubled(house)
        yield Vendor(
            config={
                "base_url": url,
                "auth_url": url,
                "client_id": "house-client",
                "client_secret": {"secret": "client"},
                "refresh_token": {"secret": "first"},
                "calls_a_day": 5000,
            },
            troubles={
                Trouble.NONE: does.none,
                Trouble.UNREACHABLE: lambda: does.fault(Fault.REFUSING),
                Trouble.SILENT: lambda: does.fault(Fault.SILENT),
                Trouble.GARBAGE: lambda: does.fault(Fault.GARBAGE),
                Trouble.DRIPPING: lambda: does.fault(Fault.DRIPPING),
                Trouble.CUT: lambda: does.fault(Fault.CUT),
                Trouble.OVERSIZE: lambda: does.fault(Fault.OVERSIZE),
                Trouble.SLOW: does.slow,
                Trouble.WRONG_CREDENTIALS: does.revoked,
                Trouble.CHANGED_IDENTITY: does.another_site,
                Trouble.RATE_LIMITED: lambda: does.fault(Fault.HTTP_429),
            },
        )


def cloud() -> Subject:
    return Subject(
        plugin="pimgr_powerwall",
        device_type=CLOUD,
        vendor=cloud_on_loopback,
        secrets=SECRETS,
        wrong_secrets=SECRETS | {"first": "nobody-gave-this-refresh-token"},
        stores_secrets="a refresh token changes with each use: what comes of the first one is known to the store alone",
        rest_s=2000.0,
        unsupported=(("", "set_reserve", (90.0,)), ("", "set_reserve", (float("nan"),))),
    )


class TestCloud(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return replace(cloud(), deadlines=Deadlines(cloud_s=0.5))


class TestCloudInTrouble(FaultMatrixSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return cloud()
