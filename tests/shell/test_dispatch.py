"""From actions to requests, and back as outcomes; and the fence."""

from __future__ import annotations

from typing import Any

import pytest

from pimgr.api import HostReading, LoadReading, SiteMode
from pimgr.dispatch import Dispatcher, Fence
from pimgr.policy.aspects import GridCharging, Mode, Reserve
from pimgr.policy.model import Action, HostPower, Level, Outcome, SetPoints, Switch, Wish
from pimgr.policy.values import aspect_of
from pimgr.testing import Fault, run_virtual
from pimgr.units import Celsius, Percent
from tests.shell.rig import Shell


class Sender:
    """A dispatcher over the connections of a shell, and the outcomes that it heard."""

    def __init__(self, shell: Shell, *, closed: bool = False) -> None:
        self.shell, self.fence, self.outcomes = shell, Fence(closed=closed), list[Outcome]()
        parts = {
            device.part(key): task
            for task in shell.tasks.values()
            for device in [task.device]
            for key in device.provides
        }
        self.dispatcher = Dispatcher(parts, self.fence, shell.clock, self.outcomes.append)
        self._ids = 0

    def send(self, part: str, value: Wish) -> int:
        self._ids += 1
        self.dispatcher.send((Action(id=self._ids, part=part, aspect=aspect_of(value), value=value, why="a test"),))
        return self._ids

    async def outcome(self, action: int) -> Outcome:
        await self.shell.until(lambda: any(o.action == action for o in self.outcomes))
        return next(o for o in self.outcomes if o.action == action)

    def view(self, part: str) -> Any:
        return self.fence.view(self.shell.board.views(), self.shell.clock)[part].reading


@pytest.mark.parametrize(
    ("part", "value", "wish"),
    [
        ("strip/2", Switch(False), "off"),
        ("strip/2", Switch(True), "on"),
        ("nas", HostPower(False, "boot-1"), "shut down"),
        ("nas", HostPower(False), "shut down"),
        ("nas", HostPower(True, "boot-1"), "wake"),
        ("car", Level(6.0), "level 6.0"),
        ("tesla", Reserve(Percent(30.0)), "reserve 30.0"),
        ("tesla", Mode(SiteMode.BACKUP), "mode backup"),
        ("tesla", GridCharging(False), "grid charging off"),
    ],
)
def test_an_action_becomes_one_request_to_its_part_and_one_outcome(part: str, value: Wish, wish: str) -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.add("strip", "load", outlets=2)
            shell.add("nas", "host")
            shell.add("car", "charger")
            shell.add("tesla", "site")
            sender = Sender(shell)
            await shell.settle()
            outcome = await sender.outcome(sender.send(part, value))
            assert (outcome.part, outcome.error, outcome.fact) == (part, "", "")
            assert 0.0 <= shell.now_s - outcome.at.mono_s < 0.1
            assert [(c.part, c.wish) for c in shell.world.commands()] == [(part, wish)]
            await shell.settle(60.0)
            assert len(sender.outcomes) == 1

    run_virtual(main())


def test_an_outcome_names_the_error_and_its_words() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.add("pump", "load")
            shell.world.fault("pump", Fault.REFUSED)
            sender = Sender(shell)
            outcome = await sender.outcome(sender.send("pump", Switch(False)))
            assert outcome.error == "Refused"
            assert outcome.fact == "pump: wanted off, it said no; it was scripted so"

    run_virtual(main())


def test_a_host_that_booted_again_is_not_shut_down() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.add("nas", "host")
            sender = Sender(shell)
            outcome = await sender.outcome(sender.send("nas", HostPower(False, "boot-0")))
            assert outcome.error == "Refused"
            assert shell.world.host_up("nas")

    run_virtual(main())


def test_a_shutdown_is_given_its_long_deadline_and_a_switch_its_short_one() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.add("pump", "load")
            shell.add("nas", "host")
            for part in ("pump", "nas"):
                shell.world.fault(part, Fault.HANG, only="command")
            sender = Sender(shell)
            await shell.settle()
            began = shell.now_s
            pump, nas = sender.send("pump", Switch(False)), sender.send("nas", HostPower(False))
            assert 4.9 < (await sender.outcome(pump)).at.mono_s - began < 7.0
            assert 149.9 < (await sender.outcome(nas)).at.mono_s - began < 153.0

    run_virtual(main())


def test_a_part_that_no_connection_speaks_for_is_answered_at_once() -> None:
    async def main() -> None:
        async with Shell() as shell:
            sender = Sender(shell)
            sender.send("pump", Switch(False))
            (outcome,) = sender.outcomes
            assert outcome.error
            assert "its plugin is not loaded" in outcome.fact
            assert "pump: wanted off" in outcome.fact

    run_virtual(main())


def test_the_newest_wish_wins() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.add("pump", "load")
            sender = Sender(shell)
            await shell.settle()
            sender.send("pump", Switch(False))
            await sender.outcome(sender.send("pump", Switch(True)))
            await shell.settle(20.0)
            assert [c.wish for c in shell.world.commands()] == ["on"]
            assert shell.world.is_on("pump")

    run_virtual(main())


def test_sending_never_waits_for_a_device() -> None:
    async def main() -> None:
        async with Shell() as shell:
            for n in range(50):
                shell.add(f"plug-{n}", "load")
                shell.world.fault(f"plug-{n}", Fault.HANG)
            sender = Sender(shell)
            await shell.settle()
            began = shell.now_s
            for n in range(50):
                sender.send(f"plug-{n}", Switch(False))
            assert shell.now_s == began

    run_virtual(main())


# ------------------------------------------------------------------------------------------------------------ the fence


def test_behind_the_fence_nothing_is_touched_and_everything_looks_as_if_it_had_worked() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.add("pump", "load")
            shell.add("fan", "load")
            shell.add("nas", "host")
            shell.add("car", "charger")
            sender = Sender(shell, closed=True)
            await shell.settle()
            for part, value in (
                ("pump", Switch(False)),
                ("nas", HostPower(False, "boot-1")),
                ("elsewhere", Switch(False)),
                ("car", Level(6.0)),
            ):
                outcome = await sender.outcome(sender.send(part, value))
                assert outcome.error == ""
            await shell.settle(120.0)
            assert shell.world.commands() == []
            assert shell.world.is_on("pump")
            pump, fan, nas = (sender.view(part) for part in ("pump", "fan", "nas"))
            assert isinstance(pump, LoadReading)
            assert pump.on is False
            assert sender.view("car").level == 6.0
            assert fan.on is True, "only what was asked for looks changed"
            assert isinstance(nas, HostReading)
            assert (nas.up, nas.boot_id) == (False, None)
            await sender.outcome(sender.send("pump", Switch(True)))
            await sender.outcome(sender.send("nas", HostPower(True, "boot-1")))
            assert sender.view("pump").on is True
            assert sender.view("nas").up is True
            assert shell.world.commands() == []

    run_virtual(main())


def test_behind_the_fence_a_pretended_reading_is_newer_than_the_action() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.add("pump", "load")
            sender = Sender(shell, closed=True)
            await shell.settle()
            sender.send("pump", Switch(False))
            asked = shell.now_s
            await shell.settle(0.1)
            assert sender.view("pump").at.mono_s > asked

    run_virtual(main())


def test_behind_the_fence_a_part_that_is_away_stays_away() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.add("pump", "load")
            sender = Sender(shell, closed=True)
            await shell.settle()
            sender.send("pump", Switch(False))
            shell.world.fault("pump", Fault.UNREACHABLE)
            await shell.settle(60.0)
            assert sender.view("pump").at.mono_s < shell.now_s - 20.0
            assert sender.fence.view(shell.board.views(), shell.clock)["pump"].fault == "no answer"

    run_virtual(main())


def test_behind_the_fence_a_hold_looks_held_at_any_temperature_and_its_other_side_as_it_was() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.add("hall", "thermostat")
            sender = Sender(shell, closed=True)
            await shell.settle()
            until = shell.clock.now().wall + 3600.0
            for heat in (0.0, 5.0):
                await sender.outcome(sender.send("hall", SetPoints(heat=Celsius(heat), until=until)))
                held = sender.view("hall").hold
                assert (held.heat, held.cool, held.until.wall) == (heat, 25.0, until)
            await sender.outcome(sender.send("hall", SetPoints(cool=Celsius(0.0), permanent=True)))
            held = sender.view("hall").hold
            assert (held.heat, held.cool, held.permanent) == (20.0, 0.0, True)
            assert shell.world.commands() == []

    run_virtual(main())


def test_an_open_fence_changes_no_reading() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.add("pump", "load")
            sender = Sender(shell)
            await sender.outcome(sender.send("pump", Switch(False)))
            shell.world.person("pump", True)
            await shell.settle(31.0)
            assert sender.view("pump").on is True

    run_virtual(main())


def test_behind_the_fence_the_site_looks_as_it_was_set_and_is_not_touched() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.add("tesla", "site")
            shell.board.meters = ("tesla",)
            sender = Sender(shell, closed=True)
            await shell.settle()
            assert sender.fence.settings(shell.board.settings(), shell.clock) == shell.board.settings()
            for value in (Reserve(Percent(30.0)), Mode(SiteMode.BACKUP), GridCharging(False)):
                assert (await sender.outcome(sender.send("tesla", value))).error == ""
            asked_s = shell.now_s
            await shell.settle(5.0)
            [told] = sender.fence.settings(shell.board.settings(), shell.clock)
            assert (told.reserve, told.mode, told.grid_charging) == (30.0, SiteMode.BACKUP, False)
            assert told.at.mono_s > asked_s
            assert shell.world.commands() == []

    run_virtual(main())
