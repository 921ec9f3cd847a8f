"""The battery's own settings, end to end: set, read back, respected, escalated, alarmed; and a cloud delays nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pimgr.api import Grid, SiteMode
from pimgr.replay import replay
from pimgr.snapshot import PartLine
from pimgr.testing import Fault
from tests.run.rig import Box, config, table, virtually

SITES = (table("inverter", "scripted.site", world="WORLD"), table("tesla", "scripted.site", world="WORLD"))


def box_with(folder: Path, *battery: str, sites: tuple[str, ...] = SITES[1:]) -> Box:
    box = Box(folder)
    box.write(config("WORLD", "\n".join(["[battery]", *battery]), *sites))
    return box


def line(box: Box) -> PartLine:
    return next((part for part in box.view().parts if part.part == "site"), PartLine(part="", title="", state=""))


def test_what_the_config_wants_is_set_in_turn_read_back_and_shown(tmp_path: Path) -> None:
    async def main() -> None:
        box = box_with(tmp_path, "reserve = 30", 'mode = "backup"', "grid_charging = false")
        async with box.on():
            await box.until(lambda: line(box).status == "kept")
            assert box.wishes("tesla") == ["mode backup", "reserve 30.0", "grid charging off"]
            assert "reserve 30 % (the config wants it): seen" in line(box).why
            await asyncio.sleep(15.0)  # the gateway, which is shown first, tells it at its next poll
            facts = {fact.name: fact.value for fact in box.view().site}
            assert (facts["reserve"], facts["mode"], facts["charging from the grid"]) == ("30 %", "backup", "off")
            await asyncio.sleep(3600.0)
            assert len(box.wishes("tesla")) == 3
        async with box.on():
            await asyncio.sleep(600.0)
            assert len(box.wishes("tesla")) == 3, "a restart sets nothing anew"
        assert all(replay(box.state, n).same for n in range(1, replay(box.state, 0).seq + 1))

    virtually(main())


def test_a_control_that_refuses_is_followed_by_the_next(tmp_path: Path) -> None:
    async def main() -> None:
        box = box_with(tmp_path, "reserve = 30", sites=SITES)
        box.world.fault("inverter", Fault.REFUSED, only="command")
        async with box.on():
            await box.until(lambda: line(box).status == "kept")
            assert (box.wishes("inverter"), box.wishes("tesla")) == (["reserve 30.0"], ["reserve 30.0"])

    virtually(main())


def test_a_cloud_that_accepts_and_does_nothing_is_alarmed_and_the_alarm_ends_when_it_is_seen(tmp_path: Path) -> None:
    async def main() -> None:
        box = box_with(tmp_path, "reserve = 30")
        box.world.fault("tesla", Fault.DEAF, only="command")
        async with box.on():
            await box.until(lambda: "Manual update required: reserve 30 %" in box.mails(), 7200.0)
            assert len(box.wishes("tesla")) in (6, 7)
            assert line(box).status == "alarm"
            box.world.fault("tesla", Fault.NONE)
            await box.until(lambda: "Over: reserve 30 % came through" in box.mails(), 7200.0)
            assert box.world.state().reserve == 30.0
            assert line(box).status == "kept"

    virtually(main())


def test_a_reserve_that_the_battery_ignores_is_set_again_and_at_last_alarmed(tmp_path: Path) -> None:
    async def main() -> None:
        box = box_with(tmp_path, "reserve = 70")
        box.world.set_charge(50.0)
        box.world.set_power(battery_w=3000.0, load_w=3000.0)
        async with box.on():
            await box.until(lambda: "Manual update required: reserve 70 %" in box.mails(), 7200.0)
            assert set(box.wishes("tesla")) == {"reserve 70.0"}
            box.world.set_power(battery_w=0.0)
            await box.until(lambda: "Over: reserve 70 % came through" in box.mails(), 7200.0)

    virtually(main())


def test_a_reserve_of_100_that_is_refused_becomes_the_mode_backup(tmp_path: Path) -> None:
    async def main() -> None:
        box = box_with(tmp_path, "reserve = 100")
        box.world.set_charge(50.0)
        box.world.set_power(battery_w=3000.0, load_w=3000.0)
        async with box.on():
            await box.until(lambda: box.world.state().mode is SiteMode.BACKUP, 7200.0)
            box.world.set_power(battery_w=-1000.0)
            await asyncio.sleep(3600.0)
            assert not [subject for subject in box.mails() if "Manual" in subject]
            box.write(config("WORLD", "[battery]\nreserve = 20\n", *SITES[1:]))
            assert (await box.reload()).ok
            await box.until(lambda: box.world.state().mode is SiteMode.SELF_CONSUMPTION, 600.0)
            await box.until(lambda: box.world.state().reserve == 20.0, 600.0)

    virtually(main())


def test_nothing_is_set_in_an_outage_and_a_hanging_cloud_delays_no_load(tmp_path: Path) -> None:
    async def main() -> None:
        box = box_with(tmp_path, "reserve = 30")
        box.world.fault("tesla", Fault.HANG)
        async with box.on():
            await asyncio.sleep(60.0)
            assert await box.outage() < 15.0
            box.world.fault("tesla", Fault.NONE)
            before = len(box.wishes("tesla"))
            await asyncio.sleep(600.0)
            assert len(box.wishes("tesla")) == before
            assert "nothing is changed during an outage" in line(box).returns
            box.world.set_grid(Grid.UP)
            await box.until(lambda: line(box).status == "kept", 900.0)
            assert box.world.state().reserve == 30.0

    virtually(main())
