"""A thermostat from the config to the wire and back: eased in a peak, shown, and given back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pimgr_honeywell.holds import Asked, settings_of
from pimgr_honeywell.state import State, state_of

from pimgr.api import Hold, Instant, ThermostatMode
from pimgr.dispatch import hold_of
from pimgr.policy.aspects import SetPoints
from pimgr.snapshot import ThermostatLine
from pimgr.testing import Fault
from pimgr.testing.house_state import ThermostatState
from pimgr.units import Celsius, degrees
from tests.run.rig import Box, config, table, virtually

PEAK = """
[place]
timezone = "UTC"
[tariff]
lead = "0s"
[[tariff.periods]]
name = "peak"
peak = true
hours = [{ from = "06:00", to = "09:00" }]
[[tariff.periods]]
name = "off-peak"
[climate]
unit = "F"
"""
STATS = tuple(table(name, "scripted.thermostat", world="WORLD") for name in ("hall", "attic"))
SCHEDULE = Hold(heat=Celsius(17.0), cool=Celsius(70 / 1.8 - 32 / 1.8))


def a_house(folder: Path) -> Box:
    """It is shortly after eight, in a peak, with a battery at 30 %."""
    box = Box(folder)
    box.write(config("WORLD", *STATS, PEAK))
    box.world.set_charge(30.0)
    for name in ("hall", "attic"):
        box.world.set_thermostat(name, ThermostatState(mode=ThermostatMode.COOL, schedule=SCHEDULE))
    return box


def line(box: Box, part: str) -> ThermostatLine:
    return next((one for one in box.view().thermostats if one.part == part), ThermostatLine(part="", title=""))


def test_a_thermostat_is_eased_in_a_peak_shown_with_its_reason_and_given_back_at_its_end(tmp_path: Path) -> None:
    async def main() -> None:
        box = a_house(tmp_path)
        async with box.on():
            await box.until(lambda: box.taken("hall", "attic"), 400.0)
            held = box.world.state().thermostats["hall"].hold
            assert held is not None
            assert held.cool is not None
            assert held.until is not None
            assert degrees(held.cool, fahrenheit=True) == "74 °F"
            assert held.until.wall % 86400 == 9 * 3600
            assert len(box.wishes("hall")) == 1
            hall = line(box, "hall")
            assert (hall.status, hall.fahrenheit) == ("taken", True)
            assert hall.why == "the battery fell to 35 % in a peak, so it is eased by 4 °F"
            assert "hall" not in [part.part for part in box.view().parts]
            assert box.view().headline.endswith("nothing shed, 2 thermostats moved")
            await asyncio.sleep(3600.0)
            await box.until(lambda: box.claims() == {}, 900.0)
            assert line(box, "hall").status == ""
            assert len(box.wishes("hall")) <= 2
            assert box.mails() == []

    virtually(main())


def test_a_thermostat_that_fails_delays_neither_the_other_nor_an_outage(tmp_path: Path) -> None:
    async def main() -> None:
        box = a_house(tmp_path)
        box.world.fault("attic", Fault.UNREACHABLE)
        async with box.on():
            await box.until(lambda: box.taken("hall"), 400.0)
            assert line(box, "attic").status == "pending"
            assert await box.outage() < 30.0
            assert box.world.commands("attic") == []

    virtually(main())


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (SetPoints(cool=Celsius(24.0 + 4 / 9), until=1_800_003_600.0), {"CoolSetpoint": 76.0, "HeatSetpoint": 68.0}),
        (SetPoints(heat=Celsius(64 / 1.8 - 32 / 1.8), until=1_800_003_600.0), {"HeatSetpoint": 64.0}),
        (SetPoints(cool=Celsius(67 / 1.8 - 32 / 1.8), until=1_800_003_600.0), {"CoolSetpoint": 67.0, "StatusCool": 1}),
        (SetPoints(heat=Celsius(20.0), cool=Celsius(25.0), permanent=True), {"StatusCool": 2, "CoolNextPeriod": None}),
        (SetPoints(), {"StatusCool": 0, "StatusHeat": 0}),
    ],
)
def test_what_the_policy_wants_is_what_honeywells_portal_takes(value: SetPoints, told: dict[str, object]) -> None:
    """A side that isn't moved stays as it is, but for the dead band, and an end is a quarter hour of the day."""
    now = Instant(5000.0, 1_800_000_000.0, "boot-1")
    sent = settings_of(hold_of(value, now), _portal(), Asked("hall", now, ZoneInfo("UTC")))
    assert {name: sent[name] for name in told} == told
    if value.until is not None:
        assert sent["CoolNextPeriod"] == 36


def _portal() -> State:
    ui = {
        "CoolLowerSetptLimit": 50.0, "CoolUpperSetptLimit": 99.0, "HeatLowerSetptLimit": 40.0,
        "HeatUpperSetptLimit": 90.0, "CoolSetpoint": 74.0, "HeatSetpoint": 68.0, "Deadband": 3.0, "DeviceID": 1,
        "DispTemperature": 75.0, "DispTemperatureAvailable": True, "DisplayedUnits": "F", "DisplayUnits": "F",
        "HoldUntilCapable": True, "IsInVacationHoldMode": False, "ScheduleCapable": True, "SetpointChangeAllowed": True,
        "StatusCool": 0, "StatusHeat": 0, "SystemSwitchPosition": 3, "VacationHold": 0, "CoolNextPeriod": 66,
        "HeatNextPeriod": 66,
    }  # fmt: skip
    reply = {"success": True, "deviceLive": True, "communicationLost": False, "latestData": {"uiData": ui}}
    found = state_of("hall", "a reading", reply, 1)
    assert found is not None
    return found
