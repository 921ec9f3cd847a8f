"""What is seen and not switched reaches the snapshot: thermostats, forecasts, and who told each fact of the site."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from pimgr.api import ForecastDay, ForecastHour, Hold, ThermostatMode
from pimgr.snapshot import ThermostatLine
from pimgr.testing import Fault
from pimgr.testing.house_state import ThermostatState
from pimgr.units import Celsius, Percent
from tests.run.rig import Box, config, table, virtually

MORE = (
    table("hall", "scripted.thermostat", world="WORLD"),
    table("sky", "scripted.forecast", world="WORLD"),
    table("tesla", "scripted.site", world="WORLD"),
)


def test_a_thermostat_is_shown_and_when_it_falls_silent_its_old_reading_is_marked_as_old(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        box.write(config("WORLD", *MORE))
        state = ThermostatState(indoor=23.5, mode=ThermostatMode.COOL, hold=Hold(cool=Celsius(26.0), permanent=True))
        box.world.set_thermostat("hall", state)

        def hall() -> ThermostatLine:
            return next(iter(box.view().thermostats), ThermostatLine(part="", title=""))

        async with box.on():
            await box.until(lambda: hall().indoor == 23.5)
            assert (hall().part, hall().mode, hall().cool, hall().permanent) == ("hall", "cool", 26.0, True)
            box.world.fault("hall", Fault.UNREACHABLE)
            await box.until(lambda: hall().fault != "", 400.0)
            read_at: Any = hall().read_at
            await asyncio.sleep(1000.0)
            assert hall().indoor == 23.5
            assert hall().read_at == read_at, "its age goes on from when it was measured"
            box.world.fault("hall", Fault.NONE)
            await box.until(lambda: hall().fault == "", 400.0)
            assert hall().read_at != read_at

    virtually(main())


def test_a_forecast_is_shown_with_its_freshness(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        box.write(config("WORLD", *MORE))
        hour = ForecastHour(1.8e9, Celsius(30.0), Percent(0.0), 800.0, 5.0)
        box.world.set_forecast([hour], [ForecastDay("2026-07-31", Celsius(33.0))])
        async with box.on():
            await box.until(lambda: bool(box.view().forecasts))
            [line] = box.view().forecasts
            assert (line.part, line.hours, line.days, line.fault) == ("sky", 1, 1, "")
            box.world.fault("sky", Fault.GARBLED)
            await box.until(lambda: box.view().forecasts[0].fault != "", 2000.0)
            assert box.view().forecasts[0].read_at == line.read_at

    virtually(main())


def test_each_fact_of_the_site_is_shown_with_the_meter_that_told_it(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        box.write(config("WORLD", *MORE))
        box.world.set_power(load_w=700.0)
        async with box.on():
            await box.until(lambda: any(fact.source == "gateway" for fact in box.view().site))
            facts = {fact.name: (fact.value, fact.number, fact.source) for fact in box.view().site}
            assert facts["charge"] == ("80 %", 80.0, "gateway")
            assert facts["load"] == ("700 W", 700.0, "gateway")
            assert facts["reserve"] == ("20 %", 20.0, "gateway")
            assert facts["mode"] == ("self_consumption", None, "gateway")
            assert facts["charging from the grid"] == ("on", None, "tesla")
            box.world.fault("gateway", Fault.UNREACHABLE)
            await box.until(lambda: {fact.source for fact in box.view().site} == {"tesla"}, 100.0)

    virtually(main())


def test_after_a_restart_what_the_meters_said_last_is_shown_with_its_age(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        box.write(config("WORLD", *MORE))
        async with box.on():
            await asyncio.sleep(200.0)
            before = {fact.source: fact.at for fact in box.view().site}["gateway"]
        for part in ("gateway", "tesla"):
            box.world.fault(part, Fault.UNREACHABLE)
        await asyncio.sleep(1000.0)
        async with box.on():
            await asyncio.sleep(60.0)
            [charge] = [fact for fact in box.view().site if fact.name == "charge"]
            assert charge.value == "80 %"
            assert before.mono_s - 60.0 <= charge.at.mono_s <= before.mono_s

    virtually(main())
