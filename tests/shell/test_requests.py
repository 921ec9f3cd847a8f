"""A connection's requests: they come first, the newest wins, and none waits for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from pimgr import api
from pimgr.api import Garbled, LoadReading, Refused, Unreachable
from pimgr.testing import Fault, run_virtual
from tests.shell.rig import Odd, OddConfig, Shell


def test_a_request_preempts_a_poll_that_hangs() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.world.set_load("pump", True)
            shell.world.fault("pump", Fault.HANG, only="read")
            shell.add("pump", "load")
            await shell.settle(1.0)
            assert shell.world.reads["pump"], "the poll is under way"
            began = shell.now_s
            asked = shell.switch("pump", False)
            await shell.until(lambda: not shell.world.is_on("pump"))
            assert shell.now_s - began < 0.1
            assert await asked is None

    run_virtual(main())


def test_a_poll_that_was_cut_short_is_made_up_for_at_once() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.world.fault("strip", Fault.SLOW, seconds=0.5, only="read")
            shell.add("strip", "load", outlets=2)
            await shell.settle(0.2)
            await shell.switch("strip/2", False)
            took = await shell.until(lambda: "strip/1" in shell.board.views())
            assert took < 2.0, "outlet 1 need not wait for its next turn in 30 s"

    run_virtual(main())


def test_a_newer_wish_replaces_an_older_one_for_the_same_aspect() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.add("strip", "load", outlets=2)
            await shell.settle()
            shell.world.fault("strip", Fault.SLOW, seconds=1.0, only="command")
            busy = shell.switch("strip/1", False)
            await shell.settle(0.1)
            older, newer = shell.switch("strip/2", False), shell.switch("strip/2", True)
            assert await busy is None
            assert await newer is None
            assert [c.wish for c in shell.world.commands("strip/2")] == ["on"]
            await shell.settle(20.0)
            assert not older.answer.done()

    run_virtual(main())


def test_wishes_for_different_aspects_are_all_served_in_order() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.add("strip", "load", outlets=3)
            await shell.settle()
            await asyncio.gather(*(shell.switch(f"strip/{n}", False).answer for n in (2, 3, 1)))
            assert [c.part for c in shell.world.commands()] == ["strip/2", "strip/3", "strip/1"]

    run_virtual(main())


def test_the_read_back_follows_each_request_and_lands_before_its_outcome() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.add("pump", "load")
            await shell.settle()
            for on in (False, True, False):
                asked = shell.switch("pump", on)
                assert await asked is None
                assert isinstance(asked.seen, LoadReading)
                assert asked.seen.on is on
            assert len(shell.world.reads["pump"]) == 4

    run_virtual(main())


def test_the_read_back_shows_what_a_request_whose_answer_was_lost_has_done() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.add("pump", "load")
            await shell.settle()
            shell.world.fault("pump", Fault.LOST, only="command")
            asked = shell.switch("pump", False)
            assert isinstance(await asked, Unreachable)
            assert isinstance(asked.seen, LoadReading)
            assert asked.seen.on is False

    run_virtual(main())


def test_a_part_that_takes_messages_only_is_not_read_back() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.add("phone", "notifier")
            asked = shell.switch("phone", True)
            error = await asked
            assert isinstance(error, Garbled), "it has no switch"
            assert shell.tasks["phone"].health.state == "lost"

    run_virtual(main())


def test_a_call_past_its_deadline_closes_the_connection_and_opens_it_again() -> None:
    async def main() -> None:
        odd = Odd()

        async def hang(context: api.Context, on: bool) -> None:
            await asyncio.sleep(3600.0)

        async with Shell() as shell:
            shell.add("plug", odd.type(), OddConfig())
            await shell.settle()
            assert (odd.opens, odd.closes) == (1, 0)
            odd.switch = hang
            began = shell.now_s
            error = await shell.switch("plug", False, deadline_s=3.0)
            assert isinstance(error, Unreachable)
            assert "no answer in 3 s" in str(error)
            assert 2.9 < shell.now_s - began < 3.5
            assert (odd.opens, odd.closes) == (2, 1), "the read-back opened it again"

    run_virtual(main())


def test_a_call_that_ignores_its_cancellation_holds_up_nothing() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.add("strip", "load", outlets=2)
            await shell.settle()
            shell.world.fault("strip/1", Fault.STUBBORN, only="command")
            stubborn, next_one = shell.switch("strip/1", False), shell.switch("strip/2", False)
            began = shell.now_s
            assert isinstance(await stubborn, Unreachable)
            assert await next_one is None
            assert shell.now_s - began < 5.0 + 1.5
            shell.world.fault("strip/1", Fault.NONE)
            await shell.settle(1.0)

    run_virtual(main())


def test_a_stubborn_poll_delays_a_request_by_a_second_at_most() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.world.fault("pump", Fault.STUBBORN, only="read")
            shell.add("pump", "load")
            await shell.settle(1.0)
            began = shell.now_s
            shell.switch("pump", False)
            await shell.until(lambda: not shell.world.is_on("pump"))
            assert shell.now_s - began < 1.2
            shell.world.fault("pump", Fault.NONE)
            await shell.settle(1.0)

    run_virtual(main())


def test_a_connection_that_opens_too_late_does_not_replace_the_one_in_use() -> None:
    async def main() -> None:
        odd, release = Odd(), asyncio.Event()

        async def stubborn(context: api.Context) -> None:
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    odd.opening = at_once

        async def at_once(context: api.Context) -> None:
            pass

        odd.opening = stubborn
        async with Shell() as shell:
            shell.add("plug", odd.type(), OddConfig())
            await shell.settle(10.0)
            assert await shell.switch("plug", False) is None
            assert (odd.opens, odd.closes) == (2, 0)
            release.set()
            await shell.settle(1.0)
            assert (odd.opens, odd.closes) == (2, 1), "the late one was closed"
            assert await shell.switch("plug", True) is None
            assert odd.switched == [(2, False), (2, True)], "the late one was not used"
            assert (odd.opens, odd.closes) == (2, 1), "and the one in use went on"

    run_virtual(main())


def test_a_cloud_is_given_the_time_of_a_cloud() -> None:
    async def main() -> None:
        odd = Odd()

        async def slow(context: api.Context, on: bool) -> None:
            await asyncio.sleep(20.0)

        odd.switch = slow
        async with Shell() as shell:
            shell.add("plug", odd.type(cloud=True), OddConfig())
            assert await shell.switch("plug", False, deadline_s=5.0) is None

    run_virtual(main())


def test_whoever_waits_is_answered_when_the_connection_is_taken_down() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.add("strip", "load", outlets=2)
            await shell.settle()
            shell.world.fault("strip", Fault.HANG, only="command")
            running, waiting = shell.switch("strip/1", False), shell.switch("strip/2", False)
            await shell.settle(1.0)
            shell.runners["strip"].cancel()
            for asked in (running, waiting):
                error = await asked
                assert isinstance(error, Unreachable)
                assert "closed" in str(error)

    run_virtual(main())


def test_a_refusal_reaches_whoever_asked_and_the_connection_stays_open() -> None:
    async def main() -> None:
        odd = Odd()

        async def refuse(context: api.Context, on: bool) -> None:
            raise Refused("plug", "off", "it said no", "ask nicely")

        odd.switch = refuse
        async with Shell() as shell:
            shell.add("plug", odd.type(), OddConfig())
            await shell.settle()
            error = await shell.switch("plug", False)
            assert isinstance(error, Refused)
            assert str(error) == "plug: wanted off, it said no; ask nicely"
            assert (odd.opens, odd.closes) == (1, 0)

    run_virtual(main())


def test_one_dead_connection_of_100_delays_no_other() -> None:
    async def main() -> None:
        async with Shell() as shell:
            for n in range(100):
                shell.add(f"plug-{n}", "load")
            for n, fault in ((7, Fault.HANG), (8, Fault.STUBBORN), (9, Fault.BUG)):
                shell.world.fault(f"plug-{n}", fault)
            await shell.settle(1.0)
            began = shell.now_s
            answers: dict[int, Any] = {n: shell.switch(f"plug-{n}", False) for n in range(100)}
            living = set(range(100)) - {7, 8, 9}
            await shell.until(lambda: all(answers[n].answer.done() for n in living))
            assert max(answers[n].at_s for n in living) - began < 0.1
            assert not any(shell.world.is_on(f"plug-{n}") for n in living)
            assert not answers[7].answer.done()
            for n in (7, 8, 9):
                assert await answers[n] is not None
            shell.world.fault("plug-8", Fault.NONE)
            await shell.settle(1.0)

    run_virtual(main())
