"""The Tesla cloud of the house: tokens that work once, settings that have an effect, and its ways to let one down."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any
from urllib.parse import urlencode

import pytest

from pimgr.api import SiteMode, replace
from pimgr.house import Fault, House, SpecError, read_spec
from pimgr.house.tesla import RETRY_AFTER_S, SITE, Tesla
from pimgr.house.tesla_tokens import Authority, Refusal

from .clients import DEADLINE_S

HOUSE = """
version = 1
charge = 42.0
base_load_w = 400.0

[[device]]
id = "tesla"
kind = "tesla"
"""
SITE_PATH = f"/api/1/energy_sites/{SITE}"


class Client:
    """Plain HTTP, a connection a request. Each answer is (status, headers, body)."""

    def __init__(self, house: House) -> None:
        self._port = house.port("tesla")
        self.access = ""

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, str], Any]:
        head = f"{method} {path} HTTP/1.1\r\nHost: tesla\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        head += f"Authorization: Bearer {self.access}\r\n\r\n"
        async with asyncio.timeout(DEADLINE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                writer.write(head.encode() + body)
                answer = await reader.read()
            finally:
                writer.close()
        top, _, text = answer.partition(b"\r\n\r\n")
        first, *lines = top.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return int(first.split()[1]) if answer else 0, headers, json.loads(text) if text else None

    async def refresh(self, token: str = "first-refresh-token", **more: str) -> tuple[int, Any]:
        form = {"grant_type": "refresh_token", "client_id": "house-client", "refresh_token": token, **more}
        status, _, body = await self.ask("POST", "/oauth2/v3/token", urlencode(form).encode())
        if status == 200:
            self.access = body["access_token"]
        return status, body

    async def get(self, page: str) -> Any:
        status, _, body = await self.ask("GET", f"{SITE_PATH}/{page}")
        assert status == 200
        return body["response"]

    async def tell(self, command: str, **body: Any) -> int:
        status, _, _ = await self.ask("POST", f"{SITE_PATH}/{command}", json.dumps(body).encode())
        return status


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


async def signed_in(house: House) -> Client:
    client = Client(house)
    await client.refresh()
    return client


# -------------------------------------------------------------------------------------------------------------- tokens


def test_each_refresh_token_works_once_and_gives_the_next() -> None:
    authority = Authority(("c", "s"), 100.0, 0.0, lambda: 0.0)
    first = authority.authorise("first")
    form = urlencode({"grant_type": "refresh_token", "client_id": "c", "refresh_token": first}).encode()
    given = authority.refresh(form)
    assert not isinstance(given, Refusal)
    assert given["refresh_token"] == authority.current != first
    assert authority.valid(given["access_token"])


def test_a_used_token_is_taken_once_more_for_a_while_until_its_successor_is_used() -> None:
    now = [0.0]
    authority = Authority(("c", "s"), 100.0, 60.0, lambda: now[0])

    def use(token: str) -> Any:
        return authority.refresh(
            urlencode({"grant_type": "refresh_token", "client_id": "c", "refresh_token": token}).encode()
        )

    first = authority.authorise("first")
    second = use(first)["refresh_token"]
    third = use(first)["refresh_token"]
    assert use(second) == Refusal(401, "login_required"), "what the lost answer gave is worth nothing now"
    now[0] = 61.0
    assert use(first) == Refusal(401, "login_required")
    fourth = use(third)["refresh_token"]
    assert use(first) == Refusal(401, "login_required")
    assert authority.current == fourth
    authority.revoke()
    assert use(fourth) == Refusal(401, "login_required")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_id": "x"}, "invalid_client"),
        ({"client_secret": "x"}, "invalid_client"),
        ({"refresh_token": ""}, "login_required"),
    ],
)
def test_a_wrong_request_for_tokens_is_refused_and_uses_nothing_up(wrong: dict[str, str], error: str) -> None:
    async def test() -> None:
        async with House.from_toml(HOUSE) as house:
            client = Client(house)
            token = wrong.get("refresh_token", "first-refresh-token")
            status, body = await client.refresh(
                **{"token": token, **{k: v for k, v in wrong.items() if k != "refresh_token"}}
            )
            assert (status >= 400, body["error"]) == (True, error)
            assert (await client.refresh())[0] == 200

    run(test())


def test_a_lost_answer_has_used_the_token_up() -> None:
    async def test() -> None:
        async with House.from_toml(HOUSE) as house:
            tesla: Tesla = house.controls("tesla")
            tesla.be(drops=1)
            client = Client(house)
            status, _, _ = await client.ask(
                "POST",
                "/oauth2/v3/token",
                b"grant_type=refresh_token&client_id=house-client&refresh_token=first-refresh-token",
            )
            assert status == 0, "no answer"
            assert tesla.authority.current != "first-refresh-token"
            assert [entry.value for entry in house.wire.of("refresh")] == ["dropped"]

    run(test())


def test_access_tokens_end() -> None:
    async def test() -> None:
        async with House.from_toml(HOUSE) as house:
            client = await signed_in(house)
            assert (await client.ask("GET", "/api/1/products"))[0] == 200
            house.controls("tesla").authority.expire_access()
            assert (await client.ask("GET", "/api/1/products"))[0] == 401

    run(test())


# --------------------------------------------------------------------------------------------------- what it tells


def test_the_live_status_is_the_worlds() -> None:
    async def test() -> None:
        async with House.from_toml(HOUSE) as house:
            client = await signed_in(house)
            live, state = await client.get("live_status"), house.state()
            assert live["percentage_charged"] == pytest.approx(42.0, abs=0.1)
            assert (live["island_status"], live["grid_power"]) == ("on_grid", state.grid_w)
            house.grid_up(False)
            live = await client.get("live_status")
            assert (live["island_status"], live["battery_power"]) == ("off_grid_unintentional", 400.0)

    run(test())


def test_products_hold_a_car_that_is_no_site() -> None:
    async def test() -> None:
        async with House.from_toml(HOUSE) as house:
            client = await signed_in(house)
            _, headers, body = await client.ask("GET", "/api/1/products")
            assert [each.get("energy_site_id") for each in body["response"]] == [None, SITE]
            assert headers["date"].endswith("GMT")

    run(test())


def test_a_stale_cloud_tells_the_same_for_minutes_with_its_old_date() -> None:
    async def test() -> None:
        async with House.from_toml(HOUSE) as house:
            house.controls("tesla").be(stale_s=300.0)
            client = await signed_in(house)
            before = await client.get("live_status")
            house.grid_up(False)
            assert await client.get("live_status") == before
            house.controls("tesla").be(stale_s=0.0)
            assert (await client.get("live_status"))["island_status"] != "on_grid"

    run(test())


# ------------------------------------------------------------------------------------------------- what it is told


def test_what_is_written_takes_effect_in_the_world_and_stands_in_the_log() -> None:
    async def test() -> None:
        async with House.from_toml(HOUSE) as house:
            client = await signed_in(house)
            assert await client.tell("backup", backup_reserve_percent=60) == 200
            assert await client.tell("operation", default_real_mode="backup") == 200
            assert await client.tell("storm_mode", enabled=True) == 200
            assert await client.tell("grid_import_export", disallow_charge_from_grid_with_solar_installed=False) == 200
            now = house.world.settings
            assert (now.reserve, now.mode, now.storm_watch, now.grid_charging) == (60.0, SiteMode.BACKUP, True, True)
            assert house.state().battery_w == -5_000.0
            info = await client.get("site_info")
            assert (info["backup_reserve_percent"], info["default_real_mode"]) == (60.0, "backup")
            assert "disallow_charge_from_grid_with_solar_installed" not in info["components"]
            (entry,) = house.wire.of("reserve", "tesla")
            assert entry.value == "60"

    run(test())


@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("backup", {"backup_reserve_percent": 101}),
        ("backup", {"backup_reserve_percent": "30"}),
        ("operation", {"default_real_mode": "moon"}),
        ("storm_mode", {}),
        ("grid_import_export", {"disallow_charge_from_grid_with_solar_installed": None}),
    ],
)
def test_a_wrong_command_changes_nothing(command: str, body: dict[str, Any]) -> None:
    async def test() -> None:
        async with House.from_toml(HOUSE) as house:
            client = await signed_in(house)
            before = house.world.settings
            assert await client.tell(command, **body) == 400
            assert house.world.settings == before

    run(test())


def test_it_can_ignore_what_it_accepts_and_clamp_what_is_too_high() -> None:
    async def test() -> None:
        async with House.from_toml(HOUSE) as house:
            client, tesla = await signed_in(house), house.controls("tesla")
            tesla.be(ignores=True)
            assert await client.tell("backup", backup_reserve_percent=60) == 200
            assert house.world.settings.reserve == 20.0
            tesla.be(ignores=False, most_reserve=50.0)
            assert await client.tell("backup", backup_reserve_percent=60) == 200
            assert house.world.settings.reserve == 50.0

    run(test())


def test_it_refuses_calls_that_are_too_many_with_the_time_to_wait() -> None:
    async def test() -> None:
        async with House.from_toml(HOUSE) as house:
            client = await signed_in(house)
            house.controls("tesla").be(calls=1)
            assert (await client.ask("GET", "/api/1/products"))[0] == 200
            status, headers, _ = await client.ask("GET", "/api/1/products")
            assert (status, headers["retry-after"]) == (429, str(RETRY_AFTER_S))

    run(test())


def test_every_http_fault_and_a_lost_internet_take_the_whole_cloud_away() -> None:
    async def test() -> None:
        async with House.from_toml(HOUSE) as house:
            client = await signed_in(house)
            house.fault("tesla", Fault.HTTP_403)
            assert (await client.ask("GET", "/api/1/products"))[0] == 403
            assert (await client.refresh())[0] == 403
            house.fault("tesla", Fault.NONE)
            house.internet_up(False)
            assert house.gate("tesla").fault is Fault.DEAD

    run(test())


def test_gateway_and_cloud_tell_of_the_same_settings() -> None:
    async def test() -> None:
        text = HOUSE.replace('kind = "tesla"', 'kind = "tesla"\nreserve = 35.0\nmode = "autonomous"')
        async with House.from_toml(text + '[[device]]\nid = "gateway"\nkind = "gateway"\n') as house:
            now = house.world.settings
            assert (now.reserve, now.mode) == (35.0, SiteMode.AUTONOMOUS)
            house.world.set_site(replace(now, storm=True, storm_watch=True))
            assert house.world.settings.kept == 100.0
            assert [entry.part for entry in house.wire.of("truth")][-2:] == ["storm_watch", "storm"]

    run(test())


def test_a_scenario_with_a_wrong_setting_is_refused() -> None:
    with pytest.raises(SpecError):
        read_spec(HOUSE + "reserve = 120.0\n")
    house = House.from_toml(HOUSE)
    with pytest.raises(ValueError, match="reserve"):
        house.world.set_site(replace(house.world.settings, reserve=-1.0))
