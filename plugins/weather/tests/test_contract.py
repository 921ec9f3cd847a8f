"""The contract suite on the forecast."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pimgr_weather import OPEN_METEO

from pimgr.house import Fault, House
from pimgr.testing import ContractSuite, FaultMatrixSuite, Subject, Trouble, Vendor
from pimgr.testing.time import FakeClock

pytestmark = pytest.mark.slow

HOUSE = f"""
version = 1

[faults]
slow_s = 0.5

[[device]]
id = "weather"
kind = "weather"
now = {FakeClock().now().wall}
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
async def forecast_on_loopback() -> AsyncIterator[Vendor]:
    async with House.from_toml(HOUSE) as house:
        weather = house.controls("weather")

        def bring(fault: Fault, elsewhere: float = 0.0) -> None:
            weather.elsewhere = elsewhere
            house.fault("weather", fault)

        yield Vendor(
            config={
                "latitude": 37.77,
                "longitude": -122.42,
                "base_url": f"http://127.0.0.1:{house.port('weather')}",
            },
            troubles={
                Trouble.NONE: lambda: bring(Fault.NONE),
                Trouble.CHANGED_IDENTITY: lambda: bring(Fault.NONE, elsewhere=3.0),
                **{trouble: lambda fault=fault: bring(fault) for trouble, fault in WIRE.items()},
            },
        )


SUBJECT = Subject(
    plugin="pimgr_weather",
    device_type=OPEN_METEO,
    vendor=forecast_on_loopback,
    spared={Trouble.WRONG_CREDENTIALS: "the service asks for no key, password or token"},
)


class TestForecast(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return SUBJECT


class TestForecastInTrouble(FaultMatrixSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return SUBJECT
