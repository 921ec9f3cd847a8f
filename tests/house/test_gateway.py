"""The gateway answers as a Powerwall 2's does, to a client that knows nothing but HTTPS."""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pimgr.house import Fault, House
from tests.house.clients import Browser

GATEWAY = """
version = 1
base_load_w = 800.0
charge = 40.0
[grid]
return_s = 0.05
[[device]]
id = "gateway"
kind = "gateway"
password = "right"
"""


@asynccontextmanager
async def logged_in(text: str = GATEWAY) -> AsyncIterator[tuple[House, Browser]]:
    async with House.from_toml(text) as house:
        browser = Browser(house.port("gateway"))
        assert await browser.log_in("right") == 200
        yield house, browser


def test_the_charge_is_raw_and_the_powers_have_their_signs() -> None:
    async def scene() -> None:
        async with logged_in() as (house, browser):
            assert (await browser.get("/api/system_status/soe"))["percentage"] == pytest.approx(0.95 * 40 + 5, abs=0.01)
            house.world.set_power(solar_w=300.0)
            on_grid = await browser.get("/api/meters/aggregates")
            assert (on_grid["site"]["instant_power"], on_grid["battery"]["instant_power"]) == (500.0, 0.0)
            house.grid_up(False)
            islanded = await browser.get("/api/meters/aggregates")
            assert (islanded["site"]["instant_power"], islanded["battery"]["instant_power"]) == (0.0, 500.0)
            assert (islanded["solar"]["instant_power"], islanded["load"]["instant_power"]) == (300.0, 800.0)

    asyncio.run(scene())


@pytest.mark.parametrize(
    "status",
    [
        "SystemGridConnected",
        "SystemIslandedActive",
        "SystemIslandedReady",
        "SystemTransitionToGrid",
        "SystemTransitionToIsland",
        "SystemMicroGridFaulted",
        "SystemWaitForUser",
        "SystemOnTheMoon",
    ],
)
def test_any_grid_status_is_said_as_it_was_given(status: str) -> None:
    async def scene() -> None:
        async with logged_in() as (house, browser):
            house.set_grid(status)
            assert (await browser.get("/api/system_status/grid_status"))["grid_status"] == status

    asyncio.run(scene())


def test_the_grid_returns_by_way_of_its_passing_states() -> None:
    async def scene() -> None:
        async with logged_in() as (house, _browser):
            house.grid_up(False)
            house.grid_up(True)
            await house.wire.wait_for(lambda entry: entry.value == "SystemGridConnected", 2.0)
            assert [(entry.value, entry.raw) for entry in house.wire.of("truth")] == [
                ("SystemIslandedActive", "down"),
                ("SystemIslandedReady", "down"),
                ("SystemTransitionToGrid", "down"),
                ("SystemGridConnected", "up"),
            ]

    asyncio.run(scene())


def test_a_blip_ends_a_return() -> None:
    async def scene() -> None:
        async with logged_in() as (house, _browser):
            house.grid_up(False)
            house.grid_up(True)
            house.grid_up(False)
            with pytest.raises(TimeoutError):
                await house.wire.wait_for(lambda entry: entry.value == "SystemGridConnected", 0.2)
            assert house.state().grid == "SystemIslandedActive"

    asyncio.run(scene())


def test_only_the_right_password_opens_it_and_none_is_logged() -> None:
    async def scene() -> None:
        async with House.from_toml(GATEWAY) as house:
            browser = Browser(house.port("gateway"))
            assert (await browser.call("GET", "/api/system_status/soe"))[0] == 403
            assert await browser.log_in("wrong-password") == 401
            assert (await browser.call("GET", "/api/system_status/soe"))[0] == 403
            assert await browser.log_in("right") == 200
            await browser.get("/api/system_status/soe")
            assert [entry.value for entry in house.wire.of("login")] == ["refused", "ok"]
            assert not [entry for entry in house.wire if "right" in entry.raw or "wrong" in entry.raw]

    asyncio.run(scene())


def test_sessions_expire_when_told_and_after_their_time() -> None:
    async def scene() -> None:
        async with logged_in() as (house, browser):
            house.expire_sessions()
            assert (await browser.call("GET", "/api/operation"))[0] == 403
            assert await browser.log_in("right") == 200
            await browser.get("/api/operation")
        async with logged_in(GATEWAY + "session_s = 0.000001") as (_house, browser):
            assert (await browser.call("GET", "/api/operation"))[0] == 403

    asyncio.run(scene())


def test_too_many_logins_are_answered_429() -> None:
    async def scene() -> None:
        async with House.from_toml(GATEWAY + "logins = 2") as house:
            browser = Browser(house.port("gateway"))
            assert [await browser.log_in("right") for _ in range(3)] == [200, 200, 429]

    asyncio.run(scene())


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 502, 503])
def test_it_answers_with_the_status_it_was_told(status: int) -> None:
    async def scene() -> None:
        async with logged_in() as (house, browser):
            house.gateway_answers(status)
            assert (await browser.call("GET", "/api/operation"))[0] == status
            house.gateway_answers(None)
            await browser.get("/api/operation")

    asyncio.run(scene())


def test_meters_fail_alone() -> None:
    async def scene() -> None:
        async with logged_in() as (house, browser):
            house.meters_broken(True)
            assert (await browser.call("GET", "/api/meters/aggregates"))[0] == 500
            await browser.get("/api/system_status/grid_status")
            await browser.get("/api/system_status/soe")

    asyncio.run(scene())


@pytest.mark.parametrize("body", [b'{"percentage": NaN}', b"null", b"[]", b"", b"<html>"])
def test_a_page_can_say_anything(body: bytes) -> None:
    async def scene() -> None:
        async with logged_in() as (house, browser):
            house.gateway_says("/api/system_status/soe", body)
            assert (await browser.call("GET", "/api/system_status/soe"))[1].encode() == body
            house.gateway_says("/api/system_status/soe", None)
            assert "percentage" in await browser.get("/api/system_status/soe")

    asyncio.run(scene())


def test_what_is_not_http_is_dropped_and_the_next_client_served() -> None:
    async def scene() -> None:
        async with logged_in() as (house, browser):
            assert await browser.raw(b"\x00\xff what\r\n\r\n") == b""
            await browser.get("/api/operation")
            assert [entry.raw for entry in house.wire.of("refused") if entry.raw.startswith("not HTTP")]

    asyncio.run(scene())


def test_a_body_cut_in_half_still_claims_its_length() -> None:
    async def scene() -> None:
        async with logged_in() as (house, browser):
            whole = (await browser.call("GET", "/api/status"))[1]
            house.fault("gateway", Fault.CUT)
            status, half = await browser.call("GET", "/api/status")
            assert status == 200
            assert 0 < len(half) < len(whole)

    asyncio.run(scene())


def shown_certificate(port: int) -> str:
    der = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port), timeout=3.0))
    return hashlib.sha256(der).hexdigest()


def test_the_certificate_stays_with_its_pem_and_changes_when_told() -> None:
    async def scene() -> None:
        async with House.from_toml(GATEWAY) as first:
            pem = first.pem("gateway")
            fingerprint = first.fingerprint("gateway")
            assert await asyncio.to_thread(shown_certificate, first.port("gateway")) == fingerprint
        async with House.from_toml(GATEWAY + f"certificate_pem = '''{pem}'''") as second:
            assert await asyncio.to_thread(shown_certificate, second.port("gateway")) == fingerprint
            second.new_identity("gateway")
            shown = await asyncio.to_thread(shown_certificate, second.port("gateway"))
            assert shown == second.fingerprint("gateway") != fingerprint

    asyncio.run(scene())


def test_two_gateways_tell_of_one_house_and_fail_each_alone() -> None:
    async def scene() -> None:
        two = GATEWAY + '[[device]]\nid = "other"\nkind = "gateway"\npassword = "right"\n'
        async with House.from_toml(two) as house:
            house.set_grid("SystemIslandedActive")
            house.fault("gateway", Fault.REFUSING)
            with pytest.raises(ConnectionError):
                await Browser(house.port("gateway")).log_in("right")
            browser = Browser(house.port("other"))
            await browser.log_in("right")
            assert (await browser.get("/api/system_status/grid_status"))["grid_status"] == "SystemIslandedActive"

    asyncio.run(scene())


def test_every_page_is_json_of_finite_numbers() -> None:
    async def scene() -> None:
        from pimgr.house.gateway_pages import PAGES

        async with logged_in() as (_house, browser):
            for path in PAGES:
                page = await browser.get(path)
                json.dumps(page, allow_nan=False)

    asyncio.run(scene())
