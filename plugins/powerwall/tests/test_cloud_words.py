"""What the cloud's words mean: tables, without a server."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from pimgr_powerwall import CLOUD
from pimgr_powerwall.cloud import CloudConfig
from pimgr_powerwall.cloud.kept import tokens_of
from pimgr_powerwall.cloud.words import Live, grid_reading, measured, site_reading

from pimgr.api import Grid, Instant, Severity, SiteMode

ASKED = Instant(5_000.0, 1_800_000_000.0, "boot-1")
NAN = float("nan")


def live(**body: Any) -> Live:
    return Live(ASKED, body)


@pytest.mark.parametrize(
    ("body", "grid", "raw"),
    [
        ({"island_status": "on_grid", "grid_status": "Active"}, Grid.UP, "on_grid"),
        ({"island_status": "on_grid"}, Grid.UP, "on_grid"),
        ({"island_status": "on_grid", "grid_status": "Unknown"}, Grid.UP, "on_grid"),
        ({"island_status": "off_grid"}, Grid.DOWN, "off_grid"),
        ({"island_status": "off_grid_unintentional", "grid_status": "Inactive"}, Grid.DOWN, "off_grid_unintentional"),
        ({"island_status": "off_grid_intentional", "grid_status": "Active"}, Grid.DOWN, "off_grid_intentional"),
        ({"island_status": "on_grid", "grid_status": "Inactive"}, Grid.UNKNOWN, "on_grid, Inactive"),
        ({"island_status": "unknown", "grid_status": "Active"}, Grid.UNKNOWN, "unknown"),
        ({"island_status": "island_status_unknown"}, Grid.UNKNOWN, "island_status_unknown"),
        ({"island_status": "a_word_of_next_year", "grid_status": "Active"}, Grid.UNKNOWN, "a_word_of_next_year"),
        ({"grid_status": "Active"}, Grid.UP, "Active"),
        ({"grid_status": "Inactive"}, Grid.DOWN, "Inactive"),
        ({"grid_status": "Unknown"}, Grid.UNKNOWN, "Unknown"),
        ({"island_status": None, "grid_status": "Active"}, Grid.UP, "Active"),
    ],
)
def test_every_grid_word_means_up_down_or_unknown(body: dict[str, Any], grid: Grid, raw: str) -> None:
    reading = grid_reading(live(**body))
    assert reading is not None
    assert (reading.grid, reading.raw, reading.at) == (grid, raw, ASKED)


@pytest.mark.parametrize("word", ["off_grid", "off_grid_unintentional", "off_grid_intentional", "on_grid"])
def test_going_off_grid_on_purpose_is_told_and_nothing_else_passes_for_it(word: str) -> None:
    reading = grid_reading(live(island_status=word))
    assert reading is not None
    assert reading.intentional is (word == "off_grid_intentional")


@pytest.mark.parametrize("body", [{}, {"island_status": ""}, {"island_status": 1}, {"grid_status": None}])
def test_a_status_without_a_grid_is_no_reading(body: dict[str, Any]) -> None:
    assert grid_reading(live(**body)) is None


@pytest.mark.parametrize("value", [None, NAN, float("inf"), "42", True, [], 2e6, -2e6])
def test_what_is_no_number_is_none_and_never_invented(value: Any) -> None:
    names = ("grid_power", "battery_power", "solar_power", "load_power", "total_pack_energy")
    body = dict.fromkeys(names, value)
    reading = site_reading(live(percentage_charged=42.0, **body), {"backup_reserve_percent": value})
    assert reading is not None
    assert reading.charge == 42.0
    told = (reading.grid_w, reading.battery_w, reading.solar_w, reading.load_w, reading.capacity_wh, reading.reserve)
    assert told == (None,) * 6
    assert (reading.mode, reading.grid_charging, reading.storm_watch, reading.storm) == (None,) * 4


def test_a_figure_that_no_float_can_hold_is_none() -> None:
    reading = site_reading(live(percentage_charged=50, battery_power=10**400, solar_power=-(10**400)), {})
    assert reading is not None
    assert (reading.battery_w, reading.solar_w) == (None, None)


@pytest.mark.parametrize("value", [None, NAN, -1.0, 100.5, "50", False])
def test_a_charge_that_is_none_is_never_clamped(value: Any) -> None:
    reading = site_reading(live(percentage_charged=value, battery_power=100.0), {})
    assert reading is not None
    assert reading.charge is None


def test_a_status_without_charge_and_powers_is_no_reading() -> None:
    assert site_reading(live(island_status="on_grid"), {"backup_reserve_percent": 20}) is None


def test_charge_and_reserve_are_the_apps_percent_already() -> None:
    reading = site_reading(live(percentage_charged=42.5), {"backup_reserve_percent": 20})
    assert reading is not None
    assert (reading.charge, reading.reserve, reading.charge_raw) == (42.5, 20.0, None)


@pytest.mark.parametrize(
    ("components", "allowed"),
    [
        ({"disallow_charge_from_grid_with_solar_installed": True}, False),
        ({"disallow_charge_from_grid_with_solar_installed": False}, True),
        ({"battery": True}, True),
        ({}, None),
        (None, None),
        ({"disallow_charge_from_grid_with_solar_installed": "no"}, None),
    ],
)
def test_grid_charging_is_allowed_where_the_site_does_not_say_otherwise(components: Any, allowed: bool | None) -> None:
    reading = site_reading(live(percentage_charged=1.0), {"components": components})
    assert reading is not None
    assert reading.grid_charging is allowed


def test_settings_are_read_and_unknown_ones_are_none() -> None:
    info = {"default_real_mode": "autonomous", "user_settings": {"storm_mode_enabled": True}}
    reading = site_reading(live(percentage_charged=1.0, storm_mode_active=True), info)
    assert reading is not None
    assert (reading.mode, reading.storm_watch, reading.storm) == (SiteMode.AUTONOMOUS, True, True)
    odd = site_reading(live(percentage_charged=1.0), {"default_real_mode": "moon", "user_settings": []})
    assert odd is not None
    assert (odd.mode, odd.storm_watch) == (None, None)


# --------------------------------------------------------------------------------------------------------------- dates


@pytest.mark.parametrize(
    ("stamp", "date", "age_s"),
    [
        ("2027-01-15T07:58:00+00:00", "Fri, 15 Jan 2027 08:00:00 GMT", 120.0),
        ("2027-01-15T00:58:00-07:00", "Fri, 15 Jan 2027 08:00:00 GMT", 120.0),
        ("2027-01-15T08:00:30Z", "Fri, 15 Jan 2027 08:00:00 GMT", 0.0),
        ("2027-01-15T07:59:00Z", "", 60.0),  # by our own clock, which is right here
        ("2027-01-15T09:00:00Z", "Fri, 15 Jan 2027 08:00:00 GMT", 300.0),  # the future
        ("2027-01-13T08:00:00Z", "Fri, 15 Jan 2027 08:00:00 GMT", 172_800.0),  # the gateway is offline
        ("0001-01-01T00:00:00Z", "Fri, 15 Jan 2027 08:00:00 GMT", 300.0),  # no time at all
        ("2027-01-13T08:00:00Z", "", 300.0),  # by our own clock, which may be wrong
        ("2027-01-15T07:58:00", "Fri, 15 Jan 2027 08:00:00 GMT", 300.0),  # of no zone
        (None, "Fri, 15 Jan 2027 08:00:00 GMT", 300.0),
        (5, "", 300.0),
        ("yesterday", "nonsense", 300.0),
    ],
)
def test_a_status_is_dated_when_it_was_measured_and_300_s_back_where_it_does_not_say(
    stamp: Any, date: str, age_s: float
) -> None:
    at = measured({"timestamp": stamp}, {"date": date}, ASKED)
    assert at == Instant(ASKED.mono_s - age_s, ASKED.wall - age_s, "boot-1")


def test_a_wrong_clock_after_a_blackout_makes_a_status_neither_new_nor_old() -> None:
    """The box thinks it is 1970; the cloud's own clock says how old its status is."""
    asked = Instant(30.0, 30.0, "boot-2")
    at = measured({"timestamp": "2027-01-15T07:58:00Z"}, {"date": "Fri, 15 Jan 2027 08:00:00 GMT"}, asked)
    assert at.since(asked) == 0.0
    assert asked.since(at) == 120.0


# -------------------------------------------------------------------------------------------------------------- tokens

ANSWER = {"access_token": "a", "refresh_token": "b", "expires_in": 28_800}


@pytest.mark.parametrize(
    "wrong",
    [
        {"access_token": None},
        {"access_token": ""},
        {"access_token": "a\r\nX-Evil: 1"},
        {"access_token": "a" * 20_000},
        {"refresh_token": 5},
        {"refresh_token": "b c"},
        {"expires_in": None},
        {"expires_in": NAN},
        {"expires_in": -1},
        {"expires_in": 1e12},
    ],
)
def test_what_is_no_token_is_never_kept_for_one(wrong: dict[str, Any]) -> None:
    assert tokens_of(ANSWER, "used", "mark", ASKED) is not None
    assert tokens_of(ANSWER | wrong, "used", "mark", ASKED) is None


def test_a_refresh_token_that_is_not_exchanged_stays() -> None:
    given = tokens_of({"access_token": "a", "expires_in": 28_800}, "used", "mark", ASKED)
    assert given is not None
    assert (given.refresh, given.previous) == ("used", "")


# -------------------------------------------------------------------------------------------------------------- config

GOOD: dict[str, Any] = {"refresh_token": {"secret": "tesla"}, "client_id": "abc"}


@pytest.mark.parametrize(
    "table",
    [
        {"client_id": ""},
        {"api": "scrape"},
        {"region": "cn"},
        {"site": 0},
        {"site": "mine"},
        {"calls_a_day": 10},
        {"base_url": "http://192.0.2.1"},
        {"base_url": "http://example.com"},
        {"base_url": "ftp://127.0.0.1"},
        {"base_url": "https://user:word@example.com"},
        {"base_url": "https://example.com/path"},
        {"auth_url": "https://"},
        {"auth_url": "https://x:99999"},
        {"refresh_token": "in plain text"},
        {"refresh": {"secret": "x"}},
    ],
)
def test_a_config_that_can_not_work_is_refused(table: dict[str, Any]) -> None:
    assert msgspec.convert(GOOD, CloudConfig).client == "abc"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(GOOD | table, CloudConfig)


def test_fleet_and_owner_have_their_own_addresses_and_loopback_needs_no_tls() -> None:
    fleet = msgspec.convert(GOOD | {"region": "eu"}, CloudConfig)
    assert fleet.api_url == "https://fleet-api.prd.eu.vn.cloud.tesla.com"
    assert fleet.token_url == "https://fleet-auth.prd.vn.cloud.tesla.com/oauth2/v3/token"
    owner = msgspec.convert({"refresh_token": {"secret": "tesla"}, "api": "owner"}, CloudConfig)
    assert (owner.api_url, owner.client) == ("https://owner-api.teslamotors.com", "ownerapi")
    assert owner.token_url == "https://auth.tesla.com/oauth2/v3/token"
    near = msgspec.convert(GOOD | {"base_url": "http://127.0.0.1:8000/"}, CloudConfig)
    assert near.api_url == "http://127.0.0.1:8000"


def test_the_owner_api_is_warned_of_before_it_fails() -> None:
    assert CLOUD.advise is not None
    owner = msgspec.convert({"refresh_token": {"secret": "tesla"}, "api": "owner"}, CloudConfig)
    (finding,) = CLOUD.advise(owner)
    assert (finding.severity, "403" in finding.text) == (Severity.WARNING, True)
    assert not CLOUD.advise(msgspec.convert(GOOD, CloudConfig))
    (cost,) = CLOUD.advise(msgspec.convert(GOOD | {"calls_a_day": 800}, CloudConfig))
    assert cost.severity is Severity.INFO
