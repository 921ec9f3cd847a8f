"""A tariff, end to end: the config's hours move the battery, and what a person asks is told why and until when."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from pimgr.api import Hold, ThermostatMode
from pimgr.cli import show
from pimgr.cli.word import Word
from pimgr.replay import replay
from pimgr.snapshot import PartLine
from pimgr.testing import Fault
from pimgr.testing.house_state import ThermostatState
from pimgr.units import Celsius
from tests.run.rig import Box, config, table, virtually

TARIFF = """
[place]
timezone = "America/New_York"
[tariff]
exit_delay = "1min"
[[tariff.periods]]
name = "peak"
peak = true
reserve = 20
hours = [{ days = ["mon-fri"], from = "14:00", to = "20:00" }]
[[tariff.periods]]
name = "off-peak"
reserve = 100
"""


def box_at(folder: Path, clock: str, *more: str) -> Box:
    """A house in which it is this time on Friday, the 15th of January 2027."""
    box = Box(folder)
    wall = datetime.fromisoformat(f"2027-01-15T{clock}").replace(tzinfo=ZoneInfo("America/New_York")).timestamp()
    box.clock.wall_offset_s += wall - box.clock.now().wall
    box.write(config("WORLD", TARIFF, table("tesla", "scripted.site", world="WORLD"), *more))
    return box


def line(box: Box) -> PartLine:
    return next((part for part in box.view().parts if part.part == "site"), PartLine(part="", title="", state=""))


def test_the_hours_of_the_config_move_the_battery_and_it_is_told_why_and_until_when(tmp_path: Path) -> None:
    async def main() -> None:
        box = box_at(tmp_path, "13:40")
        async with box.on():
            await box.until(lambda: box.world.state().reserve == 100.0)
            assert "reserve 100 % (off-peak until Fri 13:50): seen" in await _told(box)
            await asyncio.sleep(900.0)
            assert box.world.state().reserve == 20.0
            assert "reserve 20 % (peak until Fri 20:01): seen" in await _told(box)
        box.clock.advance(7 * 3600.0)  # switched off meanwhile: the edge of 20:01 is missed
        async with box.on():
            await box.until(lambda: box.world.state().reserve == 100.0)
            assert "off-peak until Mon 13:50" in await _told(box)
        assert box.wishes("tesla") == ["reserve 100.0", "reserve 20.0", "reserve 100.0"]
        assert all(replay(box.state, n).same for n in range(1, replay(box.state, 0).seq + 1))

    async def _told(box: Box) -> str:
        await box.until(lambda: line(box).status == "kept")
        view = box.view()
        shown = " ".join(" ".join(show.status(view, Word(running=True, age_s=0.0), box.clock.now())).split())
        assert line(box).why in shown
        return shown

    virtually(main())


def test_a_period_sets_the_mode_and_charging_from_the_grid_too(tmp_path: Path) -> None:
    async def main() -> None:
        box = box_at(tmp_path, "13:40")
        peak, rest = 'mode = "autonomous"\ngrid_charging = false\n', 'mode = "backup"\ngrid_charging = true\n'
        text = box.file.read_text().replace("reserve = 20\n", peak).replace("reserve = 100\n", rest)
        box.write(text)

        def found() -> tuple[str, bool]:
            return box.world.state().mode, box.world.state().grid_charging

        async with box.on():
            await box.until(lambda: line(box).status == "kept")
            assert found() == ("backup", True)
            await asyncio.sleep(900.0)
            assert found() == ("autonomous", False)
            assert "mode autonomous (peak until Fri 20:01): seen" in line(box).why
            assert "charging from the grid forbidden (peak until Fri 20:01): seen" in line(box).why
            box.clock.advance(6.5 * 3600.0)
            await box.until(lambda: found() == ("backup", True), 600.0)
        assert all(wish.startswith(("mode", "grid charging")) for wish in box.wishes("tesla"))

    virtually(main())


def test_with_an_untrusted_clock_schedules_wait_and_say_so(tmp_path: Path) -> None:
    async def main() -> None:
        box = box_at(tmp_path, "15:00")
        box.clock.wall_trusted = False
        async with box.on():
            await asyncio.sleep(600.0)
            assert box.wishes("tesla") == []
            assert line(box).why == "schedules wait until the clock is right"
            box.clock.wall_trusted = True
            await box.until(lambda: box.world.state().reserve == 20.0)

    virtually(main())


def test_a_tariff_that_is_changed_by_reload_counts_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        box = box_at(tmp_path, "15:00")
        async with box.on():
            await box.until(lambda: box.world.state().reserve == 20.0)
            box.write(box.file.read_text().replace('to = "20:00"', 'to = "14:30"'))
            assert (await box.reload()).ok
            await box.until(lambda: box.world.state().reserve == 100.0)

    virtually(main())


def test_defect_18_thermostats_that_fail_keep_no_battery_from_its_schedule(tmp_path: Path) -> None:
    """The peak begins at 13:50: one thermostat hangs when it is eased, the other raises what no plugin may."""

    async def main() -> None:
        faults = {"hall": Fault.HANG, "attic": Fault.BUG}
        stats = [table(name, "scripted.thermostat", world="WORLD") for name in faults]
        box = box_at(tmp_path, "13:40", "[climate]", *stats)
        box.world.set_charge(30.0)
        schedule = Hold(heat=Celsius(17.0), cool=Celsius(21.0))
        for name, fault in faults.items():
            box.world.set_thermostat(name, ThermostatState(mode=ThermostatMode.COOL, schedule=schedule))
            box.world.fault(name, fault, only="command")
        began_s = box.clock.now().mono_s
        async with box.on():
            await box.until(lambda: box.world.state().reserve == 100.0)
            await box.until(lambda: box.world.state().reserve == 20.0, 700.0)
            assert box.clock.now().mono_s - began_s < 620.0
            assert [box.claims().get(name) for name in faults] == ["taking", "taking"]

    virtually(main())
