"""The forecast service answers as Open-Meteo documents it, to a client that knows nothing but HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from pimgr.house import House
from pimgr.house.weather import Weather

NOON = datetime(2026, 7, 31, 19, tzinfo=UTC).timestamp()
TEXT = f'version = 1\n[[device]]\nid = "weather"\nkind = "weather"\nnow = {NOON}\n'
HOURLY = "temperature_2m,cloud_cover,shortwave_radiation,wind_gusts_10m"
ASKED = {"latitude": 37.77, "longitude": -122.42, "hourly": HOURLY, "daily": "temperature_2m_max"}
ASKED |= {"timeformat": "unixtime", "timezone": "auto", "forecast_days": 3, "wind_speed_unit": "ms"}
Get = Callable[..., Coroutine[Any, Any, tuple[int, Any]]]


def scene(test: Callable[[House, Weather, Get], Coroutine[Any, Any, None]]) -> None:
    async def play() -> None:
        async with House.from_toml(TEXT) as house:

            async def get(**changed: Any) -> tuple[int, Any]:
                query = urlencode({name: value for name, value in {**ASKED, **changed}.items() if value is not None})
                reader, writer = await asyncio.open_connection("127.0.0.1", house.port("weather"))
                writer.write(f"GET /v1/forecast?{query} HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n".encode())
                try:
                    head, _, body = (await asyncio.wait_for(reader.read(), 3.0)).partition(b"\r\n\r\n")
                finally:
                    writer.close()
                return int(head.split()[1]), json.loads(body)

            await test(house, house.controls("weather"), get)

    asyncio.run(play())


def test_three_days_by_the_hour_begin_at_local_midnight() -> None:
    async def test(_house: House, _weather: Weather, get: Get) -> None:
        status, said = await get()
        midnight = datetime(2026, 7, 31, 7, tzinfo=UTC).timestamp()
        assert (status, said["utc_offset_seconds"]) == (200, -25200)
        assert said["hourly"]["time"] == [midnight + 3600 * hour for hour in range(72)]
        assert said["daily"]["time"] == [midnight, midnight + 86400, midnight + 2 * 86400]
        assert {len(column) for column in said["hourly"].values()} == {72}

    scene(test)


def test_a_hot_and_stormy_day_can_be_set() -> None:
    async def test(_house: House, weather: Weather, get: Get) -> None:
        weather.high, weather.gust = 44.0, 30.0
        _, said = await get()
        assert max(said["hourly"]["temperature_2m"]) == 44.0
        assert said["hourly"]["temperature_2m"].index(44.0) == 16
        assert said["daily"]["temperature_2m_max"] == [44.0] * 3
        assert set(said["hourly"]["wind_gusts_10m"]) == {30.0}
        assert said["hourly_units"]["wind_gusts_10m"] == "m/s"
        _, said = await get(wind_speed_unit=None)
        assert said["hourly"]["wind_gusts_10m"][0] == pytest.approx(108.0)
        assert said["hourly_units"]["wind_gusts_10m"] == "km/h"

    scene(test)


def test_clouds_take_the_sun_away_and_nights_are_dark() -> None:
    async def test(_house: House, weather: Weather, get: Get) -> None:
        clear = (await get())[1]["hourly"]["shortwave_radiation"]
        weather.cloud = 100.0
        grey = (await get())[1]["hourly"]["shortwave_radiation"]
        assert clear[3] == grey[3] == 0.0
        assert clear[12] > 3 * grey[12] > 0.0

    scene(test)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"latitude": 100.0}, "Latitude must be in range"),
        ({"longitude": None}, "longitude"),
        ({"timezone": "Nowhere/At_All"}, "timezone"),
        ({"hourly": "temperature_2m,moon_cheese"}, "moon_cheese"),
    ],
)
def test_a_wrong_question_is_answered_400_with_a_reason(changed: dict[str, Any], reason: str) -> None:
    async def test(_house: House, _weather: Weather, get: Get) -> None:
        status, said = await get(**changed)
        assert (status, said["error"]) == (400, True)
        assert reason in said["reason"]

    scene(test)


def test_without_the_internet_it_is_gone_and_comes_back() -> None:
    async def test(house: House, _weather: Weather, get: Get) -> None:
        house.internet_up(False)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(get(), 0.3)
        house.internet_up(True)
        assert (await get())[0] == 200
        assert [entry.what for entry in house.wire.of("query", "weather")] == ["query"]

    scene(test)
