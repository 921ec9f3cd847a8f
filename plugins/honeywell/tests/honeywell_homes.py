"""A house with a portal in it, and an account that was not used yet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest
from pimgr_honeywell import ACCOUNT, AccountConfig
from pimgr_honeywell.account import Account, Thermostat

from pimgr.api import Deadlines, DeviceError, Garbled, Refused, Unreachable, Unsupported
from pimgr.house import House
from pimgr.house.honeywell import Portal
from pimgr.testing import FakeClock, FakeContext, FakeStore

PASSWORD = "T0tal-C0mfort"
HALL, BEDROOM = 1234567, 7654321
NOON = 1785524400.0
"""2026-07-31 19:00 UTC, 12:00 in Los Angeles."""
QUICK = Deadlines(cloud_s=1.0)
HOUSE = f"""
version = 1

[[device]]
id = "portal"
kind = "honeywell"
zone = "America/Los_Angeles"
now = {NOON}

[[device.thermostats]]
id = {HALL}
name = "HALL"
mode = "auto"

[[device.thermostats]]
id = {BEDROOM}
name = "BEDROOM"
unit = "C"
mode = "cool"
indoor = 22.5
heat = 19.5
cool = 25.0
heat_limits = [4.5, 32.0]
cool_limits = [10.0, 37.0]
deadband = 1.5
"""


@dataclass
class Home:
    house: House
    portal: Portal
    context: FakeContext
    account: Account

    @property
    def hall(self) -> Thermostat:
        return self.account.thermostats["hall"]

    @property
    def bedroom(self) -> Thermostat:
        return self.account.thermostats["bedroom"]

    def logins(self) -> list[str]:
        return [entry.value for entry in self.house.wire.of("login")]

    def changes(self) -> list[dict[str, Any]]:
        """What the portal was told to change."""
        return [msgspec.json.decode(entry.value) for entry in self.house.wire.of("change")]

    def pass_time(self, seconds: float) -> None:
        """For the portal and for pimgr."""
        self.portal.advance(seconds)
        self.context.clock.advance(seconds)


def config(house: House, **keys: Any) -> AccountConfig:
    table = {
        "username": "owner@example.org",
        "password": {"secret": "pw"},
        "thermostats": {"hall": HALL, "bedroom": BEDROOM},
        "timezone": "America/Los_Angeles",
        "base_url": f"http://127.0.0.1:{house.port('portal')}",
        **keys,
    }
    return msgspec.convert(table, AccountConfig)


@dataclass
class Given:
    """What is there before an account is opened."""

    house: House | None = None
    store: FakeStore | None = None
    clock: FakeClock | None = None
    password: str = PASSWORD
    text: str = HOUSE
    deadlines: Deadlines = QUICK


@asynccontextmanager
async def home(given: Given | None = None, **keys: Any) -> AsyncIterator[Home]:
    """At noon of a summer's day."""
    given = given or Given()
    if given.house is None:
        async with House.from_toml(given.text) as house, home(replace(given, house=house), **keys) as made:
            yield made
        return
    house, clock = given.house, given.clock or FakeClock(NOON - 1000.0)
    context = FakeContext("honeywell", {"pw": given.password}, given.deadlines, clock=clock, store=given.store)
    try:
        async with ACCOUNT.open(config(house, **keys), context) as connection:
            assert isinstance(connection, Account)
            yield Home(house, house.controls("portal"), context, connection)
    finally:
        context.close()


def run(test: Callable[[Home], Coroutine[Any, Any, None]], given: Given | None = None, **keys: Any) -> None:
    async def scene() -> None:
        async with home(given, **keys) as at:
            await test(at)

    asyncio.run(scene())


async def failure(call: Awaitable[object]) -> DeviceError:
    """What a call raises: one of the four errors, complete, without the password."""
    with pytest.raises(DeviceError) as caught:
        await call
    error = caught.value
    assert type(error) in (Unreachable, Refused, Garbled, Unsupported)
    assert error.part.startswith("honeywell")
    assert error.wish
    assert error.fact
    assert error.cure
    assert PASSWORD not in str(error)
    return error
