"""From the portal's words to a reading, and from a wish to what the portal is told: units, limits, and time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pimgr_honeywell
import pytest
from pimgr_honeywell import AccountConfig
from pimgr_honeywell.holds import Asked, hold_of, resume_of, settings_of
from pimgr_honeywell.state import State, state_of

from pimgr.api import Capability, Garbled, Hold, Instant, Refused, ThermostatMode, Unsupported, plugin_manager
from pimgr.units import Celsius

LOS_ANGELES = ZoneInfo("America/Los_Angeles")
UI: dict[str, Any] = {
    "CoolLowerSetptLimit": 50.0,
    "CoolNextPeriod": 66,
    "CoolSetpoint": 80.0,
    "CoolUpperSetptLimit": 99.0,
    "Deadband": 3.0,
    "DeviceID": 12345,
    "DispTemperature": 75.0,
    "DispTemperatureAvailable": True,
    "DisplayedUnits": "F",
    "HeatLowerSetptLimit": 40.0,
    "HeatNextPeriod": 66,
    "HeatSetpoint": 68.0,
    "HeatUpperSetptLimit": 90.0,
    "HoldUntilCapable": True,
    "IsInVacationHoldMode": False,
    "SchedCoolSp": 75.0,
    "SchedHeatSp": 68.0,
    "ScheduleCapable": True,
    "SetpointChangeAllowed": True,
    "StatusCool": 1,
    "StatusHeat": 1,
    "SystemSwitchPosition": 4,
    "TemporaryHoldUntilTime": 990,
    "VacationHold": 0,
}
"""Of the reply of a real thermostat in a temporary hold until 16:30, published at bradgoodman.com/thermostat."""


def reply(**changed: Any) -> dict[str, Any]:
    ui = {name: value for name, value in {**UI, **changed}.items() if value is not ...}
    return {"success": True, "deviceLive": True, "communicationLost": False, "latestData": {"uiData": ui}}


def state(**changed: Any) -> State:
    found = state_of("hall", "a reading", reply(**changed), 12345)
    assert found is not None
    return found


def at(text: str, zone: ZoneInfo | None = LOS_ANGELES) -> Asked:
    """It is this local time there."""
    wall = datetime.fromisoformat(text).replace(tzinfo=zone or LOS_ANGELES).timestamp()
    return Asked("hall", Instant(5000.0, wall, "boot-1"), zone)


def until(text: str) -> Instant:
    return Instant(0.0, datetime.fromisoformat(text).replace(tzinfo=LOS_ANGELES).timestamp(), "boot-1")


CELSIUS = {"DisplayUnits": "C", "DispTemperature": 22.5, "HeatSetpoint": 19.5, "CoolSetpoint": 25.0, "Deadband": 1.5}
CELSIUS |= {"HeatLowerSetptLimit": 4.5, "HeatUpperSetptLimit": 32.0}
CELSIUS |= {"CoolLowerSetptLimit": 10.0, "CoolUpperSetptLimit": 37.0}


# ------------------------------------------------------------------------------------------------------------ reading


def test_a_recorded_reply_is_read_in_house_units() -> None:
    found = state()
    hold = hold_of(found, at("2013-08-01T14:00"))
    assert found.mode is ThermostatMode.AUTO
    assert found.celsius(found.indoor) == pytest.approx(23.889, abs=0.001)
    assert (hold.heat, hold.cool) == (pytest.approx(20.0), pytest.approx(26.667, abs=0.001))
    assert hold.until is not None
    assert hold.until == Instant(5000.0 + 2.5 * 3600, until("2013-08-01T16:30").wall, "boot-1")


def test_celsius_is_taken_as_it_is() -> None:
    found = state(**CELSIUS)
    hold = hold_of(found, at("2026-07-31T14:00"))
    assert (found.celsius(found.indoor), hold.heat, hold.cool) == (22.5, 19.5, 25.0)


@pytest.mark.parametrize(
    ("position", "mode"),
    [(0, "heat"), (1, "heat"), (2, "off"), (3, "cool"), (4, "auto"), (5, "auto")],
)
def test_every_position_of_the_switch_is_a_mode(position: int, mode: str) -> None:
    assert state(SystemSwitchPosition=position).mode == mode


@pytest.mark.parametrize(
    ("switch", "heat", "cool", "permanent", "temporary"),
    [
        (1, 0, 2, False, False),
        (1, 1, 0, False, True),
        (1, 2, 0, True, False),
        (3, 2, 0, False, False),
        (3, 0, 1, False, True),
        (4, 0, 1, False, True),
        (4, 1, 2, True, False),
        (4, 0, 0, False, False),
    ],
)
def test_only_the_side_that_is_in_force_tells_the_hold(
    switch: int, heat: int, cool: int, permanent: bool, temporary: bool
) -> None:
    hold = hold_of(state(SystemSwitchPosition=switch, StatusHeat=heat, StatusCool=cool), at("2026-07-31T14:00"))
    assert (hold.permanent, hold.until is not None) == (permanent, temporary)


def test_a_vacation_is_its_owners() -> None:
    found = state(IsInVacationHoldMode=True, StatusHeat=0, StatusCool=0)
    assert hold_of(found, at("2026-07-31T14:00")).permanent
    for change in (
        lambda: settings_of(Hold(cool=Celsius(25.0), permanent=True), found, at("2026-07-31T14:00")),
        lambda: resume_of(found, at("2026-07-31T14:00")),
    ):
        with pytest.raises(Refused, match="vacation"):
            change()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("DeviceID", 54321),
        ("DeviceID", ...),
        ("DisplayedUnits", "K"),
        ("DisplayedUnits", ...),
        ("SystemSwitchPosition", 9),
        ("SystemSwitchPosition", True),
        ("StatusCool", 7),
        ("StatusHeat", "0"),
        ("DispTemperature", 128),
        ("DispTemperature", float("nan")),
        ("DispTemperature", None),
        ("DispTemperatureAvailable", False),
        ("CoolSetpoint", "76"),
        ("HeatSetpoint", True),
        ("CoolUpperSetptLimit", ...),
        ("Deadband", -1),
        ("CoolNextPeriod", 97),
        ("HeatNextPeriod", -1),
        ("HeatNextPeriod", 3.5),
    ],
)
def test_a_field_that_can_not_be_is_garbled_and_named(field: str, value: object) -> None:
    with pytest.raises(Garbled, match=field.removesuffix("Available").replace("DisplayedUnits", "DisplayUnits")):
        state(**{field: value})


@pytest.mark.parametrize(
    ("path", "value"),
    [("deviceLive", None), ("communicationLost", "no"), ("success", False), ("latestData", None), ("latestData", [])],
)
def test_an_answer_of_another_shape_is_garbled_and_named(path: str, value: object) -> None:
    with pytest.raises(Garbled, match=path):
        state_of("hall", "a reading", {**reply(), path: value}, 12345)
    with pytest.raises(Garbled):
        state_of("hall", "a reading", [reply()], 12345)


@pytest.mark.parametrize("lost", [{"deviceLive": False}, {"communicationLost": True}])
def test_what_a_disconnected_thermostat_repeats_is_not_a_state(lost: dict[str, bool]) -> None:
    assert state_of("hall", "a reading", {**reply(), **lost}, 12345) is None


def test_without_a_period_the_minutes_of_the_day_tell_the_end() -> None:
    hold = hold_of(state(HeatNextPeriod=None, CoolNextPeriod=None), at("2026-07-31T14:00"))
    assert hold.until is not None
    assert hold.until.wall == until("2026-07-31T16:30").wall


# --------------------------------------------------------------------------------------------------------------- time


@pytest.mark.parametrize(
    ("now", "quarter", "end"),
    [
        ("2026-07-31T14:00", 66, "2026-07-31T16:30"),
        ("2026-07-31T16:31", 66, "2026-07-31T16:30"),  # a moment ago: the portal has not noticed
        ("2026-07-31T16:36", 66, "2026-08-01T16:30"),
        ("2026-07-31T23:50", 0, "2026-08-01T00:00"),
        ("2026-07-31T23:50", 96, "2026-08-01T00:00"),
        ("2026-12-31T23:59", 5, "2027-01-01T01:15"),
        ("2026-10-31T20:00", 32, "2026-11-01T08:00"),  # the clocks go back in between
        ("2026-03-07T20:00", 32, "2026-03-08T08:00"),  # and forward
    ],
)
def test_the_end_of_a_hold_is_the_next_such_quarter_hour_there(now: str, quarter: int, end: str) -> None:
    hold = hold_of(state(HeatNextPeriod=quarter, CoolNextPeriod=quarter), at(now))
    assert hold.until is not None
    assert hold.until.wall == until(end).wall


def test_the_second_of_the_two_hours_when_the_clocks_go_back_is_found() -> None:
    one_thirty_again = datetime(2026, 11, 1, 1, 30, tzinfo=LOS_ANGELES, fold=1).timestamp()
    asked = Asked("hall", Instant(0.0, one_thirty_again, "boot-1"), LOS_ANGELES)
    hold = hold_of(state(HeatNextPeriod=7, CoolNextPeriod=7), asked)
    assert hold.until is not None
    assert hold.until.wall - one_thirty_again == 900.0


@pytest.mark.parametrize(
    ("now", "end", "quarter"),
    [
        ("2026-07-31T14:00", "2026-07-31T20:15", 81),
        ("2026-07-31T14:00", "2026-07-31T20:15:01", 82),
        ("2026-07-31T14:00", "2026-07-31T23:50", 0),
        ("2026-07-31T23:50", "2026-08-01T00:00", 0),
        ("2026-07-31T23:50", "2026-08-01T02:59", 12),
        ("2026-07-31T14:05", "2026-08-01T13:45", 55),
    ],
)
def test_a_hold_ends_at_a_quarter_hour_rounded_up_also_across_midnight(now: str, end: str, quarter: int) -> None:
    asked = at(now)
    told = settings_of(Hold(cool=Celsius(27.0), until=until(end)), state(StatusHeat=0, StatusCool=0), asked)
    assert (told["HeatNextPeriod"], told["CoolNextPeriod"], told["StatusCool"], told["StatusHeat"]) == (
        quarter,
        quarter,
        1,
        1,
    )
    read = hold_of(state(StatusHeat=1, StatusCool=1, HeatNextPeriod=quarter, CoolNextPeriod=quarter), asked)
    assert read.until is not None
    assert 0.0 <= read.until.wall - until(end).wall < 900.0


def test_what_ends_later_than_the_portal_can_say_is_unsupported_and_what_is_over_is_refused() -> None:
    wish = Hold(cool=Celsius(27.0), until=until("2026-08-01T14:00"))
    with pytest.raises(Unsupported, match="23 h 45 min"):
        settings_of(wish, state(), at("2026-07-31T14:00"))
    with pytest.raises(Refused, match="over"):
        settings_of(wish, state(), at("2026-08-01T14:00"))
    with pytest.raises(Unsupported, match="no such holds"):
        settings_of(wish, state(HoldUntilCapable=False), at("2026-08-01T12:00"))


@pytest.fixture
def box_in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("box_in_new_york")
def test_without_a_time_zone_the_clock_on_the_wall_is_that_of_this_box() -> None:
    asked = at("2026-07-31T14:00", None)  # 17:00 in New York
    told = settings_of(Hold(cool=Celsius(27.0), until=until("2026-07-31T15:00")), state(), asked)
    assert told["CoolNextPeriod"] == 18 * 4
    read = hold_of(state(HeatNextPeriod=72, CoolNextPeriod=72), asked)
    assert read.until is not None
    assert read.until.wall == until("2026-07-31T15:00").wall


# --------------------------------------------------------------------------------------------------------- set points


def told(wanted: Hold, **changed: Any) -> tuple[float, float]:
    settings = settings_of(wanted, state(**changed), at("2026-07-31T14:00"))
    return settings["HeatSetpoint"], settings["CoolSetpoint"]


def test_set_points_are_rounded_to_the_thermostats_own_step() -> None:
    assert told(Hold(heat=Celsius(20.3), cool=Celsius(26.4), permanent=True)) == (69.0, 80.0)
    assert told(Hold(heat=Celsius(20.3), cool=Celsius(26.4), permanent=True), **CELSIUS) == (20.5, 26.5)


def test_what_was_read_is_written_back_as_it_was() -> None:
    for degrees in range(50, 100):
        found = state(HeatSetpoint=float(degrees - 10), CoolSetpoint=float(degrees))
        hold = hold_of(found, at("2026-07-31T14:00"))
        assert told(Hold(heat=hold.heat, cool=hold.cool, permanent=True)) == (degrees - 10, degrees)


def test_a_set_point_that_is_not_wished_for_stays() -> None:
    assert told(Hold(cool=Celsius(28.0), permanent=True)) == (68.0, 82.0)
    assert told(Hold(heat=Celsius(16.0), permanent=True)) == (61.0, 80.0)


def test_the_dead_band_moves_only_what_is_not_wished_for() -> None:
    assert told(Hold(cool=Celsius(20.0), permanent=True)) == (65.0, 68.0)
    assert told(Hold(heat=Celsius(26.0), permanent=True)) == (79.0, 82.0)
    with pytest.raises(Unsupported, match="dead band of 3"):
        told(Hold(heat=Celsius(21.0), cool=Celsius(22.0), permanent=True))
    with pytest.raises(Unsupported, match="dead band of 3"):
        told(Hold(cool=Celsius(10.0), permanent=True), HeatLowerSetptLimit=50.0)


@pytest.mark.parametrize(
    ("wanted", "limits"),
    [
        (Hold(cool=Celsius(60.0), permanent=True), "50 to 99 °F"),
        (Hold(cool=Celsius(5.0), permanent=True), "50 to 99 °F"),
        (Hold(heat=Celsius(33.0), permanent=True), "40 to 90 °F"),
        (Hold(heat=Celsius(float("nan")), permanent=True), "40 to 90 °F"),
    ],
)
def test_beyond_its_limits_is_unsupported_and_they_are_named(wanted: Hold, limits: str) -> None:
    with pytest.raises(Unsupported, match=limits):
        told(wanted)


def test_a_limit_itself_is_within_reach_in_celsius_too() -> None:
    assert told(Hold(heat=Celsius(4.4), cool=Celsius(37.2), permanent=True)) == (40.0, 99.0)
    limits = {"CoolUpperSetptLimit": 36.8}
    assert told(Hold(cool=Celsius(37.0), permanent=True), **CELSIUS | limits)[1] == 36.8


def test_a_hold_for_good_has_no_end_and_the_schedule_no_set_points() -> None:
    for_good = settings_of(Hold(cool=Celsius(27.0), permanent=True), state(), at("2026-07-31T14:00"))
    assert (for_good["StatusHeat"], for_good["StatusCool"], for_good["CoolNextPeriod"]) == (2, 2, None)
    schedule = settings_of(Hold(heat=Celsius(20.0), cool=Celsius(25.0)), state(), at("2026-07-31T14:00"))
    assert schedule == {"StatusHeat": 0, "StatusCool": 0} == resume_of(state(), at("2026-07-31T14:00"))


def test_what_it_can_not_do_is_said() -> None:
    with pytest.raises(Unsupported, match="no schedule"):
        resume_of(state(ScheduleCapable=False), at("2026-07-31T14:00"))
    off = state(SystemSwitchPosition=2, SetpointChangeAllowed=False)
    with pytest.raises(Refused, match="switched to off"):
        settings_of(Hold(cool=Celsius(27.0), permanent=True), off, at("2026-07-31T14:00"))


# ------------------------------------------------------------------------------------------------------------- config

GOOD = {"username": "owner@example.org", "password": {"secret": "pw"}, "thermostats": {"hall": 1, "bed-room": 2}}


def test_the_thermostats_are_parts_told_from_the_config_alone() -> None:
    manager = plugin_manager()
    manager.register(pimgr_honeywell)
    ((kind,),) = manager.hook.pimgr_device_types()
    assert (kind.name, kind.cloud, dict(kind.poll_s)) == ("honeywell.account", True, {Capability.THERMOSTAT: 300.0})
    parts = dict(kind.provides(msgspec.convert(GOOD, AccountConfig)))
    assert parts == {"hall": frozenset({Capability.THERMOSTAT}), "bed-room": frozenset({Capability.THERMOSTAT})}


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"username": ""}, "username"),
        ({"thermostats": {}}, "thermostats"),
        ({"thermostats": {"a/b": 1}}, "thermostats"),
        ({"thermostats": {"hall": 0}}, "thermostats"),
        ({"thermostats": {"hall": 1, "den": 1}}, "same id"),
        ({"thermostats": {"hall": "1"}}, "thermostats"),
        ({"timezone": "Nowhere/At_All"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"base_url": "http://192.0.2.7"}, "https://"),
        ({"base_url": "http://localhost"}, "https://"),
        ({"base_url": "https://u:p@example.org"}, "https://"),
        ({"base_url": "https://example.org/portal"}, "https://"),
        ({"base_url": "ftp://example.org"}, "https://"),
    ],
)
def test_what_can_not_be_is_refused_by_name(keys: dict[str, Any], named: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=named):
        msgspec.convert({**GOOD, **keys}, AccountConfig)
