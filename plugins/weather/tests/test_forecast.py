"""The forecast against the house's service: what an hour and a day mean, and what is not believed."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
from pimgr_weather import OPEN_METEO, ForecastConfig
from pimgr_weather.forecast import Forecast
from pimgr_weather.wire import MOST_BYTES, fetch

from pimgr.api import Deadlines, DeviceError, Garbled, Refused, Severity, Unreachable, Unsupported
from pimgr.house import Fault, House
from pimgr.house.weather import Weather
from pimgr.testing import FakeClock, FakeContext

pytestmark = pytest.mark.slow

MORNING = datetime(2026, 7, 31, 16, 20, tzinfo=UTC).timestamp()
"""09:20 where the house is (7 h behind UTC)."""
QUICK = Deadlines(cloud_s=1.0)


@dataclass
class Home:
    house: House
    weather: Weather
    context: FakeContext
    forecast: Forecast


@asynccontextmanager
async def home(**keys: Any) -> AsyncIterator[Home]:
    """A house with a forecast service in the morning of a summer's day, and a connection that was not used yet."""
    text = f'version = 1\n[[device]]\nid = "weather"\nkind = "weather"\nnow = {MORNING}\nhigh = 41.0\ngust = 22.0\n'
    async with House.from_toml(text) as house:
        context = FakeContext("forecast", deadlines=QUICK, clock=FakeClock(MORNING - 1000.0))
        base_url = f"http://127.0.0.1:{house.port('weather')}"
        table = {"latitude": 37.77, "longitude": -122.42, "base_url": base_url, **keys}
        try:
            async with OPEN_METEO.open(msgspec.convert(table, ForecastConfig), context) as connection:
                assert isinstance(connection, Forecast)
                yield Home(house, house.controls("weather"), context, connection)
        finally:
            context.close()


def run(test: Callable[[Home], Coroutine[Any, Any, None]], **keys: Any) -> None:
    async def scene() -> None:
        async with home(**keys) as at:
            await test(at)

    asyncio.run(scene())


async def failure(at: Home) -> DeviceError:
    """What a reading raises: one of the four errors, complete."""
    with pytest.raises(DeviceError) as caught:
        await at.forecast.read_forecast()
    error = caught.value
    assert type(error) in (Unreachable, Refused, Garbled, Unsupported)
    assert error.part == "forecast"
    assert error.wish
    assert error.fact
    assert error.cure
    return error


async def reply_of(at: Home) -> dict[str, Any]:
    """What the service answers, to be bent."""
    at.weather.says = None
    await at.forecast.read_forecast()
    reply: dict[str, Any] = at.weather._forecast(
        {"latitude": "37.77", "longitude": "-122.42", "timezone": "auto", "wind_speed_unit": "ms"}
        | {"hourly": "temperature_2m,cloud_cover,shortwave_radiation,wind_gusts_10m", "forecast_days": "3"}
    )
    return reply


def test_the_hottest_of_each_day_and_the_gusts_are_told_in_house_units() -> None:
    async def test(at: Home) -> None:
        reading = await at.forecast.read_forecast()
        days = [(day.date, day.high) for day in reading.days]
        assert days == [("2026-07-31", 41.0), ("2026-08-01", 41.0), ("2026-08-02", 41.0)]
        assert {hour.gust_m_s for hour in reading.hours} == {22.0}
        assert max(hour.temperature for hour in reading.hours) == 41.0
        assert (reading.source, reading.at.wall) == ("open-meteo", pytest.approx(MORNING, abs=5.0))

    run(test)


def test_the_hour_that_runs_is_the_first_and_what_is_over_is_left_out() -> None:
    async def test(at: Home) -> None:
        hours = (await at.forecast.read_forecast()).hours
        assert hours[0].start == MORNING - 20 * 60
        assert [b.start - a.start for a, b in itertools.pairwise(hours)] == [3600.0] * (len(hours) - 1)
        assert len(hours) == 72 - 9 - 1  # the last hour's sun and gust would be told by the day after

    run(test)


def test_the_sun_of_an_hour_is_that_of_the_hour_itself_though_it_is_told_at_its_end() -> None:
    async def test(at: Home) -> None:
        hours = (await at.forecast.read_forecast()).hours
        sun = {(hour.start - 7 * 3600) % 86400 / 3600: hour.solar_w_m2 for hour in hours}
        assert sun[5.0] == 0.0
        assert sun[6.0] > 0.0
        assert sun[17.0] == pytest.approx(sun[6.0])  # symmetric around noon
        assert sun[11.0] == pytest.approx(sun[12.0])
        assert sun[18.0] == 0.0

    run(test)


def test_an_hour_of_which_anything_is_missing_is_left_out_not_made_up() -> None:
    async def test(at: Home) -> None:
        reply = await reply_of(at)
        reply["hourly"]["cloud_cover"][20] = None
        reply["hourly"]["wind_gusts_10m"][30] = None  # told at the end of hour 29
        reply["daily"]["temperature_2m_max"][1] = None
        at.weather.says = json.dumps(reply).encode()
        reading = await at.forecast.read_forecast()
        first = reply["hourly"]["time"][0]
        gone = {9, *range(9, 71)} - {(hour.start - first) / 3600 for hour in reading.hours}
        assert gone == {20, 29}
        assert [day.date for day in reading.days] == ["2026-07-31", "2026-08-02"]

    run(test)


BENT: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("hourly.temperature_2m", lambda r: r["hourly"]["temperature_2m"].__setitem__(3, 412.0)),
    ("hourly.cloud_cover", lambda r: r["hourly"]["cloud_cover"].__setitem__(3, -1)),
    ("hourly.cloud_cover", lambda r: r["hourly"]["cloud_cover"].__setitem__(3, True)),
    ("hourly.shortwave_radiation", lambda r: r["hourly"]["shortwave_radiation"].__setitem__(3, "12")),
    ("hourly.wind_gusts_10m", lambda r: r["hourly"]["wind_gusts_10m"].pop()),
    ("hourly.wind_gusts_10m", lambda r: r["hourly"].pop("wind_gusts_10m")),
    ("daily.temperature_2m_max", lambda r: r["daily"]["temperature_2m_max"].__setitem__(0, 99.0)),
    ("hourly.time", lambda r: r["hourly"]["time"].__setitem__(5, r["hourly"]["time"][4])),
    ("hourly.time", lambda r: r["hourly"]["time"].__setitem__(0, "2026-07-31T00:00")),
    ("hourly.time", lambda r: r["hourly"]["time"].reverse()),
    ("daily.time", lambda r: r["daily"]["time"].reverse()),
    ("hourly_units.wind_gusts_10m", lambda r: r["hourly_units"].__setitem__("wind_gusts_10m", "km/h")),
    ("hourly_units.temperature_2m", lambda r: r.pop("hourly_units")),
    ("utc_offset_seconds", lambda r: r.pop("utc_offset_seconds")),
    ("latitude", lambda r: r.__setitem__("latitude", 47.0)),
    ("longitude", lambda r: r.__setitem__("longitude", None)),
]


@pytest.mark.parametrize(("field", "bend"), BENT, ids=[f"{n}-{field}" for n, (field, _) in enumerate(BENT)])
def test_a_bad_value_is_garbled_and_named(field: str, bend: Callable[[dict[str, Any]], object]) -> None:
    async def test(at: Home) -> None:
        reply = await reply_of(at)
        bend(reply)
        at.weather.says = json.dumps(reply).encode()
        error = await failure(at)
        assert type(error) is Garbled
        assert f"{field} = " in error.fact

    run(test)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"<html>", b'{"latitude": NaN}', b"[" * 200_000, b"\xff\xfe"])
def test_what_is_no_json_object_is_garbled(body: bytes) -> None:
    async def test(at: Home) -> None:
        at.weather.says = body
        assert type(await failure(at)) is Garbled

    run(test)


def test_a_service_that_ignores_the_unit_does_not_turn_a_breeze_into_a_storm() -> None:
    async def test(at: Home) -> None:
        at.weather.ignores_units = True
        error = await failure(at)
        assert type(error) is Garbled
        assert "km/h" in error.fact

    run(test)


def test_a_forecast_that_lies_in_the_past_tells_to_check_the_clock() -> None:
    async def test(at: Home) -> None:
        at.context.clock.advance(5 * 86400.0)
        error = await failure(at)
        assert type(error) is Garbled
        assert "clock" in error.cure

    run(test)


def test_the_house_beyond_the_date_line_is_the_same_place() -> None:
    async def test(at: Home) -> None:
        reply = await reply_of(at)
        reply["longitude"] = 179.9
        at.weather.says = json.dumps(reply).encode()
        assert (await at.forecast.read_forecast()).hours

    run(test, longitude=-180.0)


def test_a_question_that_the_service_refuses_brings_its_reason() -> None:
    async def test(at: Home) -> None:
        error = await failure(at)
        assert type(error) is Unsupported
        assert "Invalid timezone" in error.fact

    run(test, timezone="Nowhere/At_All")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.HTTP_401, Refused),
        (Fault.HTTP_403, Refused),
        (Fault.HTTP_404, Garbled),
        (Fault.HTTP_429, Refused),
        (Fault.HTTP_500, Unreachable),
        (Fault.HTTP_502, Unreachable),
        (Fault.HTTP_503, Unreachable),
        (Fault.REFUSING, Unreachable),
        (Fault.SILENT, Unreachable),
        (Fault.DEAD, Unreachable),
        (Fault.DRIPPING, Unreachable),
        (Fault.CUT, Garbled),
        (Fault.GARBAGE, Garbled),
        (Fault.NONSENSE, Garbled),
        (Fault.OVERSIZE, Garbled),
    ],
)
def test_each_fault_is_one_of_the_four_errors_in_time(fault: Fault, kind: type[DeviceError]) -> None:
    async def test(at: Home) -> None:
        at.house.fault("weather", fault)
        began = time.monotonic()
        assert type(await failure(at)) is kind
        assert time.monotonic() - began < 1.3

    run(test)


def test_an_answer_without_end_is_not_collected() -> None:
    async def test(at: Home) -> None:
        at.house.fault("weather", Fault.OVERSIZE)
        tracemalloc.start()
        try:
            assert "large" in (await failure(at)).fact
            assert tracemalloc.get_traced_memory()[1] < 8 * MOST_BYTES
        finally:
            tracemalloc.stop()

    run(test)


def test_a_refused_connection_is_told_from_an_answer_that_is_late() -> None:
    async def test(at: Home) -> None:
        at.house.fault("weather", Fault.REFUSING)
        assert "no connection to 127.0.0.1 (Connection refused)" in (await failure(at)).fact
        at.house.fault("weather", Fault.SILENT)
        assert "no complete answer in" in (await failure(at)).fact

    run(test)


def test_the_thread_of_a_dripping_reply_ends_by_itself_at_the_deadline() -> None:
    async def test(at: Home) -> None:
        at.house.gate("weather").times = msgspec.structs.replace(at.house.spec.faults, drip_s=0.05)
        at.house.fault("weather", Fault.DRIPPING)
        before = set(threading.enumerate())
        task = asyncio.create_task(at.forecast.read_forecast())
        await asyncio.wait({task}, timeout=0.2)
        mine = set(threading.enumerate()) - before
        assert mine
        began = time.monotonic()
        task.cancel()
        await asyncio.wait({task})
        for thread in mine:
            await asyncio.to_thread(thread.join, 3.0)
        assert not any(thread.is_alive() for thread in mine)
        assert time.monotonic() - began < 1.5

    run(test)


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")

    async def test(at: Home) -> None:
        assert (await at.forecast.read_forecast()).hours

    run(test)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_nobody_sends_us_elsewhere(status: int) -> None:
    async def scene() -> None:
        asked: list[bytes] = []

        async def moved(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            there = f"http://127.0.0.1:{port}/v1/forecast"
            head = f"HTTP/1.1 {status} Moved\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n"
            writer.write(head.encode())
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(moved, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with home(base_url=f"http://127.0.0.1:{port}") as at:
                error = await failure(at)
        assert type(error) is Garbled
        assert "another address" in error.fact
        assert len(asked) == 1

    asyncio.run(scene())


def test_the_words_of_a_hostile_server_are_made_harmless() -> None:
    async def scene() -> None:
        reason = json.dumps({"error": True, "reason": "\x1b[2J\r\n" + "x" * 5000})

        async def hostile(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 400 Bad\r\nContent-Length: {len(reason)}\r\n\r\n{reason}".encode())
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(hostile, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with home(base_url=f"http://127.0.0.1:{port}") as at:
                error = await failure(at)
        assert str(error).isprintable()
        assert len(str(error)) < 500

    asyncio.run(scene())


def test_check_tells_how_far_the_forecast_reaches() -> None:
    async def test(at: Home) -> None:
        (finding,) = await at.forecast.check()
        assert finding.severity is Severity.INFO
        assert "2026-08-01 41" in finding.text
        at.house.fault("weather", Fault.REFUSING)
        (finding,) = await at.forecast.check()
        assert finding.severity is Severity.CRITICAL
        assert finding.cure

    run(test)


def test_an_endless_reply_is_named_as_such() -> None:
    async def test(at: Home) -> None:
        at.house.fault("weather", Fault.OVERSIZE)
        assert "far too large" in (await failure(at)).fact

    run(test)


def test_reading_is_dated_no_later_than_its_question() -> None:
    async def test(at: Home) -> None:
        at.house.gate("weather").times = msgspec.structs.replace(at.house.spec.faults, slow_s=0.4)
        at.house.fault("weather", Fault.SLOW)
        asked = at.context.now()
        assert (await at.forecast.read_forecast()).at.since(asked) < 0.3

    run(test)


def test_a_network_that_swallows_connections_is_given_up_in_time() -> None:
    with socket.socket() as full, socket.socket() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting.connect(full.getsockname())  # the kernel takes no more of them and says nothing
        began = time.monotonic()
        outcome: list[BaseException] = []

        def ask() -> None:
            try:
                fetch(f"http://127.0.0.1:{full.getsockname()[1]}/", {}, 0.5)
            except requests.ConnectTimeout as error:
                outcome.append(error)

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(3.0)
        assert not asking.is_alive()
        assert len(outcome) == 1
        assert time.monotonic() - began < 1.0


# ----------------------------------------------------------------------------------------------------------------- TLS


@asynccontextmanager
async def behind_tls(house: House) -> AsyncIterator[int]:
    """The house's service behind a certificate of the house's authority, as a port on loopback."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", house.port("weather"))
        outer.write(await reader.readuntil(b"\r\n\r\n"))
        try:
            while some := await inner.read(4096):
                writer.write(some)
                await writer.drain()
        except OSError:
            pass  # the client went away
        finally:
            outer.close()
            writer.close()

    tls = house.authority.issue("weather.example.org").server_context()
    server = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


def test_by_tls_it_is_the_same_and_its_deadline_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def test(at: Home) -> None:
        (tmp_path / "ca.pem").write_text(at.house.ca_pem, encoding="ascii")
        monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(tmp_path / "ca.pem"))
        async with behind_tls(at.house) as port:
            keys = {"latitude": 37.77, "longitude": -122.42, "base_url": f"https://localhost:{port}"}
            async with OPEN_METEO.open(msgspec.convert(keys, ForecastConfig), at.context) as forecast:
                assert isinstance(forecast, Forecast)
                assert (await forecast.read_forecast()).hours
                at.house.gate("weather").times = msgspec.structs.replace(at.house.spec.faults, drip_s=0.05)
                at.house.fault("weather", Fault.DRIPPING)
                began = time.monotonic()
                with pytest.raises(Unreachable, match="no complete answer"):
                    await forecast.read_forecast()
                assert time.monotonic() - began < 1.3

    run(test)


def test_a_certificate_that_nobody_vouches_for_is_garbled() -> None:
    async def test(at: Home) -> None:
        async with behind_tls(at.house) as port:
            keys = {"latitude": 37.77, "longitude": -122.42, "base_url": f"https://localhost:{port}"}
            async with OPEN_METEO.open(msgspec.convert(keys, ForecastConfig), at.context) as forecast:
                assert isinstance(forecast, Forecast)
                with pytest.raises(Garbled, match="its certificate is not localhost's"):
                    await forecast.read_forecast()

    run(test)
