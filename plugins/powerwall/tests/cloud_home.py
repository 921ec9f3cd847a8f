"""A house with a Tesla cloud, and a connection to it, for the tests of powerwall.cloud."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from pimgr_powerwall import CLOUD
from pimgr_powerwall.cloud import CloudConfig
from pimgr_powerwall.cloud.site import Cloud

from pimgr.api import Deadlines, DeviceError, Garbled, Refused, Unreachable, Unsupported
from pimgr.house import House
from pimgr.house.tesla import Tesla
from pimgr.testing import FakeContext, FakeStore

FIRST = "first-refresh-token"
CLIENT = "H0use-s3cret"
HOUSE = """
version = 1
charge = 42.0
solar_w = 1500.0
base_load_w = 400.0

[[device]]
id = "tesla"
kind = "tesla"
"""
QUICK = Deadlines(cloud_s=1.0)
OFTEN = 5000
"""A budget with which every read asks the cloud."""
HALF_LIFE_S = 14_500.0
"""A little more than half of an access token's life."""


@dataclass
class Home:
    house: House
    context: FakeContext
    cloud: Cloud

    @property
    def tesla(self) -> Tesla:
        tesla: Tesla = self.house.controls("tesla")
        return tesla

    def refreshes(self) -> list[str]:
        return [entry.value for entry in self.house.wire.of("refresh")]

    def queries(self, page: str = "") -> int:
        return sum(entry.value.endswith(page) for entry in self.house.wire.of("query"))


def config_for(house: House, **keys: Any) -> CloudConfig:
    url = f"http://127.0.0.1:{house.port('tesla')}"
    table = {
        "base_url": url,
        "auth_url": url,
        "client_id": "house-client",
        "client_secret": {"secret": "client"},
        "refresh_token": {"secret": "first"},
        "calls_a_day": OFTEN,
    }
    return msgspec.convert(table | keys, CloudConfig)


def context_for(store: FakeStore | None = None, kind: type[FakeContext] = FakeContext, **more: Any) -> FakeContext:
    return kind("cloud", {"first": FIRST, "client": CLIENT}, QUICK, store=store, **more)


@asynccontextmanager
async def joined(house: House, context: FakeContext, **keys: Any) -> AsyncIterator[Home]:
    """A connection to a house that stands already."""
    try:
        async with CLOUD.open(config_for(house, **keys), context) as connection:
            assert isinstance(connection, Cloud)
            yield Home(house, context, connection)
    finally:
        context.close()


@asynccontextmanager
async def home(text: str = HOUSE, **keys: Any) -> AsyncIterator[Home]:
    """A house of its own, and a connection that has not been used yet."""
    async with House.from_toml(text) as house, joined(house, context_for(), **keys) as at:
        yield at


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


async def failure(call: Awaitable[object]) -> DeviceError:
    """What a call raises: one of the four errors, complete, without a secret."""
    with pytest.raises(DeviceError) as caught:
        await call
    error = caught.value
    assert type(error) in (Unreachable, Refused, Garbled, Unsupported)
    assert error.part == "cloud"
    assert error.wish
    assert error.fact
    assert error.cure
    assert FIRST not in str(error)
    assert CLIENT not in str(error)
    return error
