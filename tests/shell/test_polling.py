"""A connection's polls: at their rates, slower for what is away, sooner for what is waited for; and how it is doing."""

from __future__ import annotations

import logging

import pytest

from pimgr.api import Grid, Unreachable
from pimgr.testing import Fault, run_virtual
from tests.shell.rig import Shell


def test_the_usual_rates_are_kept() -> None:
    async def main() -> None:
        async with Shell() as shell:
            for id, kind in (("gateway", "gateway"), ("pump", "load"), ("nas", "host")):
                shell.add(id, kind)
            await shell.settle(600.0)
            assert 298 <= len([a for a in shell.arrivals if a.grid]) <= 302
            assert 358 <= len(shell.world.reads["gateway"]) <= 364, "300 of the grid and 60 of the meters"
            assert 20 <= len(shell.world.reads["pump"]) <= 21
            assert 10 <= len(shell.world.reads["nas"]) <= 11

    run_virtual(main())


def test_as_soon_as_anything_is_suspicious_the_grid_is_read_every_second() -> None:
    async def main() -> None:
        async with Shell() as shell:
            gateway = shell.add("gateway", "gateway")
            await shell.settle(0.6)
            gateway.schedule.quick = True
            gateway.nudge()
            shell.arrivals.clear()
            await shell.settle(10.0)
            assert 9 <= len([a for a in shell.arrivals if a.grid]) <= 11

    run_virtual(main())


def test_a_part_that_a_decision_wants_to_see_is_read_at_once() -> None:
    async def main() -> None:
        async with Shell() as shell:
            pump = shell.add("pump", "load")
            await shell.settle(12.0)
            assert len(shell.world.reads["pump"]) == 1
            pump.look({"pump", "something else"})
            await shell.settle(0.05)
            assert len(shell.world.reads["pump"]) == 2
            await shell.settle(5.0)
            assert len(shell.world.reads["pump"]) == 2, "once is enough"

    run_virtual(main())


def test_a_part_that_is_away_and_waited_for_is_tried_every_10_s_and_otherwise_ever_more_rarely() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.world.fault("pump", Fault.UNREACHABLE)
            pump = shell.add("pump", "load")
            await shell.settle(1800.0)
            assert 7 <= len(shell.world.reads["pump"]) <= 11
            shell.world.reads["pump"].clear()
            for _ in range(100):
                pump.look({"pump"})
                await shell.settle(1.0)
            assert 10 <= len(shell.world.reads["pump"]) <= 12

    run_virtual(main())


def test_a_device_that_said_no_is_asked_rarely_however_much_it_is_wanted() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.world.fault("pump", Fault.REFUSED)
            pump = shell.add("pump", "load")
            for _ in range(1800):
                pump.look({"pump"})
                await shell.settle(1.0)
            assert len(shell.world.reads["pump"]) <= 11

    run_virtual(main())


def test_a_grid_source_that_is_away_is_tried_at_least_every_10_s() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.world.fault("gateway", Fault.UNREACHABLE)
            shell.add("gateway", "gateway")
            await shell.settle(3600.0)
            shell.world.fault("gateway", Fault.NONE)
            assert await shell.until(lambda: bool(shell.board._grid)) < 10.5

    run_virtual(main())


def test_meters_that_fail_while_the_grid_is_read_are_partly_lost(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Shell() as shell:
            gateway = shell.add("gateway", "gateway")
            await shell.settle(1.0)
            assert gateway.health.state == "ok"
            shell.world.set_charge(float("nan"))
            await shell.settle(60.0)
            health = gateway.health
            assert health.state == "partly"
            assert "charge = nan" in health.reason
            assert health.since is not None
            assert 1000.0 < health.since.mono_s < 1012.0
            site = shell.board._site["gateway"]
            assert site.charge == 80.0, "the last true one, with its age"
            grid_reads = [a for a in shell.arrivals if a.grid]
            assert len(grid_reads) >= 29, "the grid is read as ever"
            shell.world.fault("gateway", Fault.UNREACHABLE)
            await shell.settle(20.0)
            assert gateway.health.state == "lost"
            shell.world.fault("gateway", Fault.NONE)
            shell.world.set_charge(70.0)
            await shell.settle(400.0)
            assert gateway.health.state == "ok"
            assert gateway.health.reason == ""

    with caplog.at_level(logging.INFO):
        run_virtual(main())
    lines = [r.getMessage() for r in caplog.records]
    assert len([x for x in lines if x.startswith("gateway (site meter): lost")]) == 1
    assert len([x for x in lines if x.startswith("gateway (site meter): back after")]) == 1
    assert len([x for x in lines if x.startswith("gateway (grid source): lost")]) == 1
    assert len([x for x in lines if x.startswith("gateway (grid source): back after")]) == 1


def test_each_loss_and_each_return_is_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Shell() as shell:
            pump = shell.add("pump", "load")
            await shell.settle(10.0)
            for _ in range(2):
                shell.world.fault("pump", Fault.UNREACHABLE)
                await shell.settle(240.0)
                assert pump.health.state == "lost"
                assert pump.health.reason == "pump: wanted load read, no answer; it was scripted so"
                shell.world.fault("pump", Fault.NONE)
                await shell.settle(600.0)
                assert pump.health.state == "ok"

    with caplog.at_level(logging.INFO):
        run_virtual(main())
    lines = [r.getMessage() for r in caplog.records]
    assert len(lines) == 4
    assert lines[0] == lines[2] == "pump (load): lost (no answer)"
    assert lines[1].startswith("pump (load): back after ")
    assert lines[1].endswith(" min")


def test_a_defect_in_a_plugin_is_logged_with_its_traceback_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.world.fault("pump", Fault.BUG)
            shell.add("pump", "load")
            await shell.settle(3600.0)
            assert len(shell.world.reads["pump"]) > 5

    with caplog.at_level(logging.INFO):
        run_virtual(main())
    assert len(caplog.records) == 1
    assert caplog.records[0].exc_info is not None
    assert caplog.records[0].exc_info[0] is ValueError


def test_a_connection_that_has_not_answered_yet_is_waited_for() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.world.fault("pump", Fault.HANG)
            pump = shell.add("pump", "load")
            await shell.settle(1.0)
            assert pump.health.state == "waiting"
            assert pump.health.reason == ""
            await shell.settle(10.0)
            assert pump.health.state == "lost"
            assert "no answer in 5 s" in pump.health.reason

    run_virtual(main())


def test_a_plug_that_reads_well_and_takes_no_request_is_partly_well() -> None:
    async def main() -> None:
        async with Shell() as shell:
            pump = shell.add("pump", "load")
            shell.world.fault("pump", Fault.REFUSED, only="command")
            await shell.switch("pump", False)
            await shell.settle(120.0)
            assert pump.health.state == "partly"
            assert "said no" in pump.health.reason
            shell.world.fault("pump", Fault.NONE)
            await shell.switch("pump", False)
            assert pump.health.state == "ok"

    run_virtual(main())


def test_a_request_that_did_not_get_through_is_forgotten_once_the_part_answers_again() -> None:
    async def main() -> None:
        async with Shell() as shell:
            pump = shell.add("pump", "load")
            shell.world.fault("pump", Fault.UNREACHABLE)
            assert isinstance(await shell.switch("pump", False), Unreachable)
            assert pump.health.state == "lost"
            shell.world.fault("pump", Fault.NONE)
            await shell.settle(600.0)
            assert pump.health.state == "ok"

    run_virtual(main())


def test_one_dead_outlet_of_a_strip_is_partly_lost_and_the_others_are_read_on() -> None:
    async def main() -> None:
        async with Shell() as shell:
            strip = shell.add("strip", "load", outlets=3)
            shell.world.fault("strip/2", Fault.HANG)
            await shell.settle(600.0)
            assert strip.health.state == "partly"
            for n in (1, 3):
                assert len(shell.world.reads[f"strip/{n}"]) >= 18
                assert shell.board.views()[f"strip/{n}"].fault == ""
            assert shell.board.views()["strip/2"].fault == "no answer in 5 s"

    run_virtual(main())


def test_a_failure_wakes_whoever_watches_as_a_reading_does() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.world.fault("gateway", Fault.UNREACHABLE)
            shell.add("gateway", "gateway")
            await shell.settle(1.0)
            assert [a.part for a in shell.arrivals if a.grid] == ["gateway"]

    run_virtual(main())


def test_when_one_of_two_gateways_fails_the_other_is_believed_at_its_next_poll_and_until_the_first_is_back() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.board.grid_gap_s = {"gateway": 6.0, "second": 6.0}
            shell.world.set_grid(Grid.UP, gateway="gateway")
            shell.world.set_grid(Grid.DOWN, gateway="second")
            shell.add("gateway", "gateway")
            shell.add("second", "gateway")
            await shell.settle(1.0)
            shell.board.take_grid()
            await shell.settle(60.0)
            assert {reading.source for reading in shell.board.take_grid()} == {"gateway"}
            shell.world.fault("gateway", Fault.GARBLED)
            await shell.until(lambda: shell.tasks["gateway"].health.state != "ok")
            shell.board.take_grid()
            await shell.settle(2.1)
            believed = shell.board.take_grid()
            assert [(reading.source, reading.grid) for reading in believed] == [("second", Grid.DOWN)]
            await shell.settle(60.0)
            assert {reading.source for reading in shell.board.take_grid()} == {"second"}
            shell.world.fault("gateway", Fault.NONE)
            await shell.until(lambda: shell.tasks["gateway"].health.state != "lost")
            shell.board.take_grid()
            await shell.settle(60.0)
            assert {reading.source for reading in shell.board.take_grid()} == {"gateway"}

    run_virtual(main())


def test_a_gateway_that_hangs_hides_the_grid_for_its_deadline_and_no_longer() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.board.grid_gap_s = {"gateway": 6.0, "second": 6.0}
            shell.world.set_grid(Grid.DOWN)
            shell.add("gateway", "gateway")
            shell.add("second", "gateway")
            await shell.settle(1.0)
            shell.world.fault("gateway", Fault.HANG)
            shell.board.take_grid()
            began = shell.now_s
            await shell.until(lambda: any(r.source == "second" for r in shell.board.take_grid()))
            assert shell.now_s - began < 8.1

    run_virtual(main())
