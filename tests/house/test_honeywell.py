"""The portal answers as AIOSomecomfort expects it to, and that library itself finds its way about in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from aiosomecomfort import AIOSomeComfort
from aiosomecomfort.exceptions import AuthError, UnauthorizedError, UnexpectedResponse

from pimgr.house import House
from pimgr.house.honeywell import COOKIE, Portal

pytestmark = pytest.mark.slow

NOON = datetime(2026, 7, 31, 19, tzinfo=UTC).timestamp()
USER, PASSWORD = "owner@example.org", "T0tal-C0mfort"
TEXT = f"""
version = 1
[[device]]
id = "portal"
kind = "honeywell"
zone = "America/Los_Angeles"
now = {NOON}
logins = 2
[[device.thermostats]]
id = 11
mode = "cool"
[[device.thermostats]]
id = 22
name = "ATTIC"
unit = "C"
indoor = 22.0
heat = 19.0
cool = 25.0
heat_limits = [5.0, 32.0]
cool_limits = [10.0, 37.0]
deadband = 1.5
"""
Ask = Callable[..., Coroutine[Any, Any, tuple[int, dict[str, str], str]]]
LOGIN = {"UserName": USER, "Password": PASSWORD, "RememberMe": "false", "timeOffset": "480"}


def scene(test: Callable[[House, Portal, Ask], Coroutine[Any, Any, None]]) -> None:
    """A client of twenty lines that keeps no cookies and follows nobody."""

    async def play() -> None:
        async with House.from_toml(TEXT) as house:

            async def ask(method: str, path: str, token: str = "", body: str = "") -> tuple[int, dict[str, str], str]:
                reader, writer = await asyncio.open_connection("127.0.0.1", house.port("portal"))
                cookie = f"Cookie: other=1; {COOKIE}={token}\r\n" if token else ""
                head = f"{method} {path} HTTP/1.1\r\nHost: p\r\nConnection: close\r\n{cookie}"
                writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
                try:
                    said, _, text = (await asyncio.wait_for(reader.read(), 3.0)).partition(b"\r\n\r\n")
                finally:
                    writer.close()
                first, *lines = said.decode().split("\r\n")
                return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), text.decode()

            await test(house, house.controls("portal"), ask)

    asyncio.run(play())


async def token_of(ask: Ask) -> str:
    status, headers, _ = await ask("POST", "/portal", body=urlencode(LOGIN))
    assert status == 200
    return headers["Set-Cookie"].partition("=")[2].partition(";")[0]


def with_library(test: Callable[[Portal, AIOSomeComfort], Coroutine[Any, Any, None]], password: str = PASSWORD) -> None:
    async def play() -> None:
        async with House.from_toml(TEXT) as house:
            jar = aiohttp.CookieJar(unsafe=True)
            async with aiohttp.ClientSession(cookie_jar=jar) as session:
                client = AIOSomeComfort(USER, password, timeout=3, session=session)
                client._baseurl = f"http://127.0.0.1:{house.port('portal')}"
                await test(house.controls("portal"), client)

    asyncio.run(play())


def test_the_library_logs_in_finds_the_thermostats_and_sets_one() -> None:
    async def test(portal: Portal, client: AIOSomeComfort) -> None:
        await client.login()
        await client.discover()
        hall, attic = client.get_device(11), client.get_device(22)
        assert (hall.name, hall.system_mode, hall.temperature_unit, hall.setpoint_cool) == ("HALL", "cool", "F", 76.0)
        assert (attic.name, attic.temperature_unit, attic.current_temperature) == ("ATTIC", "C", 22.0)
        assert hall.is_alive
        await hall.set_hold_cool(datetime(2026, 7, 31, 20, 15, tzinfo=UTC).time(), 80)
        await hall.refresh()
        assert (hall.setpoint_cool, str(hall.hold_cool)) == (80.0, "20:15:00")
        portal.stats[11].lost = True
        await hall.refresh()
        assert not hall.is_alive

    with_library(test)


def test_the_library_knows_a_wrong_password_and_an_ended_session() -> None:
    async def wrong(_portal: Portal, client: AIOSomeComfort) -> None:
        with pytest.raises(AuthError):
            await client.login()

    async def ended(portal: Portal, client: AIOSomeComfort) -> None:
        await client.login()
        portal.expire_sessions()
        with pytest.raises(UnauthorizedError):
            await client.get_thermostat_data("11")
        await client.login()
        portal.html = True
        with pytest.raises(UnexpectedResponse):
            await client.get_thermostat_data("11")

    with_library(wrong, "wrong")
    with_library(ended)


def test_a_login_gives_a_cookie_whose_expiry_nobody_can_read() -> None:
    async def test(_house: House, _portal: Portal, ask: Ask) -> None:
        status, headers, _ = await ask("POST", "/portal", body=urlencode(LOGIN))
        assert status == 200
        assert headers["Set-Cookie"].startswith(f"{COOKIE}=")
        assert "31-Feb" in headers["Set-Cookie"]
        status, headers, _ = await ask("GET", "/portal")
        assert (status, headers["Set-Cookie"].partition(";")[0]) == (200, f"{COOKIE}=")

    scene(test)


def test_who_is_not_logged_in_is_told_nothing_and_sets_nothing() -> None:
    async def test(house: House, portal: Portal, ask: Ask) -> None:
        for path in ("CheckDataSession/11", "SubmitControlScreenChanges", "Menu/GetData?deviceID=11"):
            assert (await ask("POST", f"/portal/Device/{path}", "forged", "{}"))[0] == 401
        portal.redirects = True
        status, headers, _ = await ask("GET", "/portal/Device/CheckDataSession/11")
        assert (status, headers["Location"]) == (302, "/portal/Account/Login")
        assert house.wire.of("change") == []

    scene(test)


def test_the_third_login_in_ten_minutes_locks_the_account_until_nobody_tried_for_as_long() -> None:
    async def test(_house: House, portal: Portal, ask: Ask) -> None:
        for _ in range(2):
            await ask("POST", "/portal", body=urlencode({**LOGIN, "Password": "wrong"}))
        for _ in range(3):
            status, headers, text = await ask("POST", "/portal", body=urlencode(LOGIN))
            assert (status, "Set-Cookie" in headers) == (200, False)
            assert "Too many attempts" in text
            portal.advance(300.0)
        assert (await ask("GET", "/portal/Device/CheckDataSession/11"))[0] == 403
        portal.advance(301.0)
        assert await token_of(ask)

    scene(test)


def submit(**changed: Any) -> str:
    return json.dumps({"DeviceID": 11, "SystemSwitch": None, "HeatSetpoint": None, "CoolSetpoint": None, **changed})


def test_a_temporary_hold_ends_at_its_quarter_hour_of_the_local_day() -> None:
    async def test(_house: House, portal: Portal, ask: Ask) -> None:
        token, path = await token_of(ask), "/portal/Device/SubmitControlScreenChanges"

        async def ui() -> dict[str, Any]:
            _, _, text = await ask("GET", "/portal/Device/CheckDataSession/11?_=1", token)
            found: dict[str, Any] = json.loads(text)["latestData"]["uiData"]
            return found

        hold = {"StatusHeat": 1, "StatusCool": 1, "HeatNextPeriod": 2, "CoolNextPeriod": 2, "CoolSetpoint": 82}
        assert json.loads((await ask("POST", path, token, submit(**hold)))[2]) == {"success": 1}
        assert [(await ui())[key] for key in ("CoolSetpoint", "StatusCool", "CoolNextPeriod")] == [82.0, 1, 2]
        portal.advance(12.4 * 3600.0)  # 00:24
        assert (await ui())["StatusCool"] == 1
        portal.advance(0.2 * 3600.0)
        assert [(await ui())[key] for key in ("CoolSetpoint", "StatusCool", "CoolNextPeriod")] == [76.0, 0, 24]

    scene(test)


@pytest.mark.parametrize(
    "wrong",
    [{"CoolSetpoint": 100}, {"HeatSetpoint": 39}, {"CoolSetpoint": 70}],
    ids=["limit", "limit", "dead band"],
)
def test_a_set_point_beyond_its_limits_or_within_the_dead_band_is_rejected(wrong: dict[str, int]) -> None:
    async def test(_house: House, portal: Portal, ask: Ask) -> None:
        token, path = await token_of(ask), "/portal/Device/SubmitControlScreenChanges"
        said = await ask("POST", path, token, submit(StatusHeat=2, StatusCool=2, **wrong))
        assert json.loads(said[2]) == {"success": 0}
        assert (portal.stats[11].cool, portal.stats[11].heat) == (76.0, 68.0)

    scene(test)


def test_while_it_is_disconnected_its_old_values_are_repeated_and_nothing_is_set() -> None:
    async def test(_house: House, portal: Portal, ask: Ask) -> None:
        token, stat = await token_of(ask), portal.stats[11]
        _, _, before = await ask("GET", "/portal/Device/CheckDataSession/11", token)
        stat.lost = True
        stat.indoor = 99.0
        _, _, lost = await ask("GET", "/portal/Device/CheckDataSession/11", token)
        assert json.loads(lost)["communicationLost"]
        assert json.loads(lost)["latestData"] == json.loads(before)["latestData"]
        await ask("POST", "/portal/Device/SubmitControlScreenChanges", token, submit(CoolSetpoint=80))
        assert stat.cool == 76.0

    scene(test)


def test_without_the_internet_it_is_gone() -> None:
    async def test(house: House, _portal: Portal, ask: Ask) -> None:
        house.internet_up(False)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask("GET", "/portal"), 0.3)
        house.internet_up(True)
        assert (await ask("GET", "/portal"))[0] == 200

    scene(test)
