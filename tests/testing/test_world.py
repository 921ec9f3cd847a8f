"""A scripted world: one log, one state, also between processes and across a kill."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pimgr import api
from pimgr.testing import Fault, World, run_virtual, world_named
from pimgr.testing.context import FakeContext
from pimgr.testing.house_state import ThermostatState
from pimgr.testing.scripted import StripConfig
from pimgr.testing.scripted_part import ScriptedConfig
from pimgr.testing.world import EVENTS_FILE
from pimgr.units import Celsius, Percent
from tests.testing.scripted_subject import TYPES

Make = Callable[..., FakeContext]


def pump(world: str, context: FakeContext) -> Any:
    return TYPES["scripted.load"].open(StripConfig(world=world), context)


async def switch(world: str, context: FakeContext, *wishes: bool) -> None:
    async with pump(world, context) as connection:
        for on in wishes:
            await connection.parts[""].switch(on)


@pytest.mark.parametrize(
    ("fault", "error", "on", "arrived"),
    [
        (Fault.NONE, None, False, True),
        (Fault.UNREACHABLE, api.Unreachable, True, False),
        (Fault.GARBLED, api.Garbled, True, False),
        (Fault.REFUSED, api.Refused, True, True),
        (Fault.BUG, ValueError, True, False),
        (Fault.DEAF, None, True, True),
        (Fault.LOST, api.Unreachable, False, True),
        (Fault.SLOW, None, False, True),
        (Fault.BLOCKING, None, False, True),
    ],
)
def test_each_fault_is_what_it_says(
    world: World, make_context: Make, fault: Fault, error: type[Exception] | None, on: bool, arrived: bool
) -> None:
    world.fault("pump", fault, only="command")

    async def main() -> type[BaseException] | None:
        try:
            await switch(world.name, make_context("pump"), False)
        except (api.DeviceError, ValueError) as raised:
            return type(raised)
        return None

    assert run_virtual(main()) is error
    (command,) = world.commands()
    assert (command.part, command.wish, command.arrived, command.changed) == ("pump", "off", arrived, not on)
    assert world.is_on("pump") is on


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.STUBBORN])
def test_a_hanging_part_hangs_until_it_is_cancelled_or_healed(world: World, make_context: Make, fault: Fault) -> None:
    async def main() -> None:
        world.fault("pump", fault)
        task = asyncio.create_task(switch(world.name, make_context("pump"), False))
        await asyncio.sleep(10.0)
        task.cancel()
        await asyncio.wait({task}, timeout=10.0)
        assert task.cancelled() is (fault is Fault.HANG)
        world.fault("pump", Fault.NONE)
        await asyncio.wait({task}, timeout=10.0)
        assert task.done()
        assert world.is_on("pump")

    run_virtual(main())


def test_a_fault_of_the_strip_meets_every_outlet_and_that_of_one_only_it(world: World) -> None:
    world.fault("strip", Fault.GARBLED)
    world.fault("strip/2", Fault.SLOW, seconds=3.0, only="read")
    assert world.fault_of("strip/1", "read").fault is Fault.GARBLED
    assert world.fault_of("strip/2", "read").fault is Fault.SLOW
    assert world.fault_of("strip/2", "command").fault is Fault.GARBLED
    assert world.fault_of("pump", "read").fault is Fault.NONE


def test_a_host_goes_down_and_comes_up_in_its_own_time_and_another_boot(make_context: Make) -> None:
    async def main() -> None:
        context = make_context("nas")
        world = World("hosts", now=context.clock.now)
        world.set_host("nas", True, shut_down_s=20.0, boot_s=40.0)
        config = TYPES["scripted.host"].config(world="hosts")
        async with TYPES["scripted.host"].open(config, context) as connection:
            host: Any = connection.parts[""]
            boot = (await host.read_host()).boot_id
            with pytest.raises(api.Refused):
                await host.shut_down("another")
            await host.shut_down(boot)
            assert (await host.read_host()).up
            await asyncio.sleep(20.0)
            assert not (await host.read_host()).up
            assert not world.host_up("nas")
            with pytest.raises(api.Unreachable):
                await host.shut_down(None)
            await host.wake()
            await host.wake()
            await asyncio.sleep(40.0)
            reading = await host.read_host()
        assert reading.up
        assert reading.boot_id not in (boot, None)
        assert [c.wish for c in world.commands() if c.changed] == ["shut down", "wake"]

    run_virtual(main())


def test_a_hold_ends_at_its_time_and_resume_ends_it_at_once(world: World, make_context: Make) -> None:
    async def main() -> None:
        context = make_context("hall")
        world.set_thermostat("hall", ThermostatState(schedule=api.Hold(heat=Celsius(19.0), cool=Celsius(24.0))))
        async with TYPES["scripted.thermostat"].open(ScriptedConfig(world=world.name), context) as connection:
            hall: Any = connection.parts[""]
            now = context.now()
            until = api.Instant(now.mono_s + 900.0, now.wall + 900.0, now.boot)
            wanted = api.Hold(heat=Celsius(19.0), cool=Celsius(27.0), until=until)
            await hall.hold(wanted)
            assert (await hall.read_thermostat()).hold == wanted
            await asyncio.sleep(900.0)
            assert (await hall.read_thermostat()).hold.cool == 24.0
            await hall.hold(api.Hold(cool=Celsius(28.0), permanent=True))
            await hall.resume()
            assert (await hall.read_thermostat()).hold.cool == 24.0
        assert [command.changed for command in world.commands("hall")] == [True, True, True]

    run_virtual(main())


def test_a_charger_takes_what_it_can_and_no_more(world: World, make_context: Make) -> None:
    async def main() -> None:
        charger = TYPES["scripted.charger"]
        async with charger.open(charger.config(world=world.name), make_context("car")) as connection:
            car: Any = connection.parts[""]
            await car.set_level(6.0)
            assert (await car.read_level()).power_w == 6.0 * 230.0
            with pytest.raises(api.Unsupported):
                await car.set_level(17.0)
            assert (await car.read_level()).level == 6.0

    run_virtual(main())


def test_a_forecast_is_what_the_world_says(world: World, make_context: Make) -> None:
    hours = (api.ForecastHour(0.0, Celsius(30.0), Percent(10.0), 800.0, 4.0),)
    days = (api.ForecastDay("2026-07-31", Celsius(41.0)),)
    world.set_forecast(hours, days)

    async def main() -> None:
        async with TYPES["scripted.forecast"].open(ScriptedConfig(world=world.name), make_context("sky")) as sky:
            reading = await sky.parts[""].read_forecast()  # type: ignore[union-attr]
            assert (reading.hours, reading.days) == (hours, days)

    run_virtual(main())


def test_a_message_seen_before_is_dropped(world: World, make_context: Make) -> None:
    async def main() -> None:
        notifier = TYPES["scripted.notifier"]
        message = api.Message(key="k", severity=api.Severity.INFO, subject="s", text="t\n", written=1.0)
        async with notifier.open(notifier.config(world=world.name), make_context("mail")) as connection:
            for _ in range(2):
                await connection.parts[""].send(message)  # type: ignore[union-attr]
        assert world.messages() == [message]

    run_virtual(main())


def test_two_gateways_may_see_different_grids(world: World) -> None:
    world.set_grid(api.Grid.DOWN, raw="islanded")
    world.set_grid(api.Grid.UP, gateway="second")
    assert world.grid("first") == (api.Grid.DOWN, "islanded", False)
    assert world.grid("second")[0] is api.Grid.UP


def test_a_world_in_a_folder_is_the_same_in_every_process_and_outlives_a_kill(tmp_path: Path) -> None:
    world = World(folder=tmp_path)
    world.set_load("pump", True, 900.0)
    child = multiprocessing.get_context("fork").Process(target=_switch_and_die, args=(str(tmp_path),))
    child.start()
    assert world.wait_for(lambda seen: len(seen.commands("pump")) == 3, 10.0)
    child.join(10.0)
    assert child.exitcode == -signal.SIGKILL
    assert [(command.wish, command.changed, command.pid) for command in world.commands()] == [
        ("off", True, child.pid),
        ("off", False, child.pid),
        ("on", True, child.pid),
    ]
    world.person("pump", False)
    assert not World(folder=tmp_path).is_on("pump")
    world.close()


def _switch_and_die(folder: str) -> None:
    asyncio.run(switch(folder, FakeContext("pump"), False, False, True))
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_torn_line_never_happened_and_spoils_no_other(tmp_path: Path) -> None:
    world = World(folder=tmp_path)
    world.person("pump", False)
    whole = (tmp_path / EVENTS_FILE).read_bytes()
    with (tmp_path / EVENTS_FILE).open("ab") as file:
        file.write(whole.replace(b"false", b"true")[:-9])
    assert not world.is_on("pump")
    world.person("fan", False)
    assert not world.is_on("pump")
    assert not world.is_on("fan")
    world.close()


def test_a_path_names_a_world_and_an_unknown_name_none(tmp_path: Path) -> None:
    world = world_named(str(tmp_path))
    assert world_named(str(tmp_path)) is world
    world.close()
    with pytest.raises(KeyError):
        world_named("nowhere")
