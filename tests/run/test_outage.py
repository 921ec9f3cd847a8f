"""A whole supervisor through outages, restarts and clocks that jump, in virtual time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pimgr.api import Grid
from pimgr.journal import read_state
from pimgr.testing import Fault
from tests.run.rig import Box, config, table, virtually

YEAR_S = 365 * 86400.0


def test_an_outage_is_confirmed_shed_and_given_back_with_the_default_settings(tmp_path: Path) -> None:
    async def main() -> None:
        async with Box(tmp_path).on() as box:
            await asyncio.sleep(10.0)
            assert box.view().headline == "on grid, 80 %, nothing shed"
            took = await box.outage()
            assert 4.0 <= took <= 9.0
            assert box.view().headline == "GRID DOWN, 80 %, 2 shed"
            box.world.set_charge(40.0)
            await box.until(lambda: box.taken("heater"), 20.0)
            box.world.set_grid(Grid.UP)
            await asyncio.sleep(280.0)
            assert box.wishes("pump") == ["off"], "nothing is given back while it settles"
            await box.until(lambda: not box.claims(), 60.0)
            assert [box.wishes(part) for part in ("pump", "boiler", "heater")] == [["off", "on"]] * 3
            back = {part: box.world.commands(part)[-1].mono_s for part in ("heater", "boiler", "pump")}
            assert list(back.values()) == sorted(back.values()), "in reverse order"

    virtually(main())


def test_defect_5_five_machines_that_die_with_the_grid_delay_no_plug(tmp_path: Path) -> None:
    async def main() -> None:
        hosts = [f"host-{n}" for n in range(5)]
        first = f'[[tiers]]\nname = "at once"\nat_once = true\nloads = {[*hosts, "pump", "boiler"]}'
        box = Box(tmp_path)
        box.write(config("WORLD", *(table(host, "scripted.host", world="WORLD") for host in hosts), tiers=first))
        async with box.on():
            await box.until(lambda: all(part.state != "unknown" for part in box.view().parts))
            for host in hosts:
                box.world.fault(host, Fault.HANG)
            assert await box.outage() < 10.0
            assert [box.claims().get(host) for host in hosts] == ["taking"] * 5

    virtually(main())


def test_stopped_in_mid_outage_things_stay_shed_and_owed_and_the_next_start_gives_them_back(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        await box.start()
        await box.outage()
        assert await box.stop() == 0
        assert not box.world.is_on("pump")
        assert [claim.part for claim in read_state(box.state).claims] == ["pump", "boiler"]
        assert box.wishes("pump") == ["off"]
        box.world.set_grid(Grid.UP)
        await asyncio.sleep(3600.0)
        async with box.on():
            assert box.view().owed == 2, "it knows before it has read anything"
            await box.until(lambda: not box.claims(), 400.0)
            assert box.world.is_on("pump")
            assert box.world.is_on("boiler")
            assert box.wishes("pump") == ["off", "on"]

    virtually(main())


def test_stopped_in_mid_outage_and_started_in_it_asks_for_nothing_twice(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        await box.start()
        await box.outage()
        await box.stop()
        async with box.on():
            await asyncio.sleep(120.0)
            assert box.claims() == {"pump": "taken", "boiler": "taken"}
            assert box.wishes("pump") == ["off"]

    virtually(main())


def test_started_in_mid_outage_without_a_journal_it_protects_after_confirmation_and_owes_what_it_took(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        box.world.set_grid(Grid.DOWN)
        box.world.set_load("boiler", False)
        await box.start()
        await asyncio.sleep(3.0)
        assert box.world.commands() == [], "not before it is confirmed"
        await box.until(lambda: box.taken("pump"), 10.0)
        box.world.set_grid(Grid.UP)
        await box.until(lambda: not box.claims(), 400.0)
        assert box.wishes("boiler") == [], "what was off before is left alone"
        assert box.wishes("pump") == ["off", "on"]
        await box.stop()

    virtually(main())


def test_a_restart_in_suspect_begins_the_confirmation_anew_and_in_settling_the_settling(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        await box.start()
        await asyncio.sleep(5.0)
        box.world.set_grid(Grid.DOWN)
        await box.until(lambda: box.view().phase == "suspect")
        await box.stop()
        await asyncio.sleep(30.0)
        await box.start()
        assert box.view().phase == "suspect"
        assert box.world.commands() == [], "the time without pimgr confirms nothing"
        assert 3.9 <= await box.until(lambda: bool(box.claims())) <= 8.0

        await box.until(lambda: box.taken("pump", "boiler"))
        box.world.set_grid(Grid.UP)
        await box.until(lambda: box.view().phase == "settling")
        await asyncio.sleep(200.0)
        await box.stop()
        await asyncio.sleep(200.0)
        async with box.on():
            assert box.view().phase == "settling"
            assert await box.until(lambda: box.view().phase == "normal", 400.0) >= 299.0
            await box.until(lambda: not box.claims())

    virtually(main())


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0, 10 * YEAR_S, -10 * YEAR_S])
def test_a_wall_clock_that_jumps_in_mid_outage_changes_nothing(tmp_path: Path, jump_s: float) -> None:
    async def main() -> None:
        async with Box(tmp_path).on() as box:
            await asyncio.sleep(10.0)
            await box.outage()
            before = box.claims()
            box.clock.wall_offset_s += jump_s
            box.clock.wall_trusted = False
            await asyncio.sleep(900.0)
            assert box.claims() == before
            assert box.view().phase == "outage"
            assert not box.view().charge_estimated
            box.world.set_grid(Grid.UP)
            await asyncio.sleep(100.0)
            box.clock.wall_offset_s -= jump_s
            assert await box.until(lambda: not box.claims(), 400.0) >= 195.0, "settling is by the boot clock"
            assert box.wishes("pump") == ["off", "on"]

    virtually(main())


def test_a_word_that_it_does_not_know_alarms_once_and_never_acts(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        async with box.on():
            await asyncio.sleep(10.0)
            for _ in range(3):
                box.world.set_grid(Grid.UNKNOWN, raw="SystemQuantumIsland")
                await asyncio.sleep(1200.0)
                assert "SystemQuantumIsland" in box.trouble()
                box.world.set_grid(Grid.UP)
                await asyncio.sleep(20.0)
                assert box.trouble() == ""
        async with box.on():
            box.world.set_grid(Grid.UNKNOWN, raw="SystemQuantumIsland")
            await asyncio.sleep(600.0)
            assert box.view().phase == "normal"
        assert box.world.commands("pump") == []
        told = box.mails()
        assert len([m for m in told if "SystemQuantumIsland" in m]) == 1
        # Twenty minutes of it are also a grid that nobody sees, each time: told once, and its end once.
        assert [m for m in told if "SystemQuantumIsland" not in m and "grid can" not in m] == []

    virtually(main())


def test_a_gateway_that_talks_noise_does_not_fill_the_mailbox(tmp_path: Path) -> None:
    async def main() -> None:
        async with Box(tmp_path).on() as box:
            for n in range(120):
                box.world.set_grid(Grid.UNKNOWN, raw=f"\x1b[2Jnoise {n}\r\n")
                await asyncio.sleep(2.5)
            await asyncio.sleep(120.0)
            noise = [m for m in box.mails() if "noise" in m]
            assert 1 <= len(noise) <= 50
            assert len(box.mails()) - len(noise) <= 2  # the grid can't be seen, meanwhile
            assert box.world.commands("pump") == []

    virtually(main())


def test_a_charge_that_is_no_number_is_no_charge_and_stops_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with Box(tmp_path).on() as box:
            await asyncio.sleep(10.0)
            box.world.set_charge(float("nan"))
            await asyncio.sleep(120.0)
            assert box.view().charge is None
            await box.outage()
            await asyncio.sleep(60.0)
            view = box.view()
            assert view.charge_estimated
            assert view.charge is not None
            assert 70.0 < view.charge < 80.0, "from the last number there was"

    virtually(main())


def test_two_silent_gateways_in_mid_outage_keep_it_open_and_tiers_go_on_by_the_estimate(tmp_path: Path) -> None:
    async def main() -> None:
        second = table("second", "scripted.gateway", world="WORLD")
        battery = '[battery]\ncapacity = "2 kWh"\nassumed_load = "1 kW"\n'
        box = Box(tmp_path)
        box.write(config("WORLD", battery, second, grid='sources = ["gateway", "second"]'))
        async with box.on():
            await asyncio.sleep(10.0)
            await box.outage()
            for gateway in ("gateway", "second"):
                box.world.fault(gateway, Fault.HANG)
            took = await box.until(lambda: box.taken("heater"), 3600.0)
            assert 2000.0 < took < 2300.0, "30 % of 2 kWh at 1 kW are 36 minutes"
            assert box.view().charge_estimated
            await asyncio.sleep(3600.0)
            assert box.view().phase == "outage"
            assert set(box.claims()) == {"pump", "boiler", "heater"}
            assert box.wishes("pump") == ["off"], "nothing is given back"

    virtually(main())


def test_the_second_gateway_is_believed_when_the_first_one_fails(tmp_path: Path) -> None:
    async def main() -> None:
        second = table("second", "scripted.gateway", world="WORLD")
        for n, fault in enumerate(
            (Fault.UNREACHABLE, Fault.REFUSED, Fault.GARBLED, Fault.HANG, Fault.STUBBORN, Fault.BUG)
        ):
            (tmp_path / str(n)).mkdir()
            box = Box(tmp_path / str(n))
            box.write(config("WORLD", second, grid='sources = ["gateway", "second"]'))
            async with box.on():
                await asyncio.sleep(10.0)
                box.world.fault("gateway", fault)
                assert await box.outage() < 15.0, fault
                box.world.fault("gateway", Fault.NONE)

    virtually(main())
