"""What people ask of a whole pimgr: leases, disarming, alerts; and what comes and goes fills no mailbox."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from pimgr.api import Grid, Severity
from pimgr.control import Reply, Request
from pimgr.policy.news import alerts, limits
from pimgr.testing import Fault, run_virtual
from tests.run.rig import Box


async def ask(box: Box, do: str, part: str = "", *, on: bool = False, hours: float = 0.0) -> Reply:
    return await box.supervisor.handle(Request(do=do, part=part, on=on, for_s=hours * 3600.0))


def test_a_lease_gives_a_load_back_in_mid_outage_and_the_outage_takes_it_again(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        async with box.on():
            await box.outage()
            assert await ask(box, "keep", "pump", on=True, hours=0.05) == Reply(True, "pump: kept on for 3 min")
            await box.until(lambda: "pump" not in box.claims())
            assert box.wishes("pump")[-1] == "on"
            assert [(k.part, k.on) for k in box.view().kept] == [("pump", True)]
            line = next(p for p in box.view().parts if p.part == "pump")
            assert line.status == "kept"
            assert line.why.startswith("you keep it on ")
        async with box.on():
            await box.until(lambda: box.wishes("pump")[-1] == "off", 200.0)
            assert box.view().kept == ()

    run_virtual(main())


def test_what_cannot_be_kept_is_refused_and_said_why(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        async with box.on():
            for part, said in (("pmup", "no load or host"), ("site", "battery's own settings"), ("mail", "no load")):
                reply = await ask(box, "keep", part, on=True, hours=2)
                assert not reply.ok
                assert said in reply.text
            assert not (await ask(box, "keep", "pump", on=True, hours=0)).ok
            assert not (await ask(box, "let go", "pump")).ok

    run_virtual(main())


def test_disarmed_nothing_is_switched_and_everybody_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        async with box.on():
            await asyncio.sleep(5.0)
            reply = await ask(box, "disarm", hours=0.05)
            assert reply.ok
            box.world.set_grid(Grid.DOWN)
            await asyncio.sleep(60.0)
            assert box.wishes("pump") == []
            assert box.view().headline.startswith("DISARMED ")
            assert box.view().disarmed_s is not None
            assert [re.split(" for | until |:", mail)[0] for mail in box.mails()] == [
                "pimgr does nothing",
                "The grid is down",
            ]
        async with box.on():
            await box.until(lambda: box.taken("pump", "boiler"), 200.0)
            assert box.view().disarmed_s is None
            assert "pimgr is armed again" in box.mails()
            assert not (await ask(box, "arm")).ok

    run_virtual(main())


def test_arming_is_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        async with box.on():
            await ask(box, "disarm", hours=4)
            box.world.set_grid(Grid.DOWN)
            await asyncio.sleep(60.0)
            assert (await ask(box, "arm")).ok
            await box.until(lambda: box.taken("pump", "boiler"), 30.0)

    run_virtual(main())


async def unseen(box: Box) -> None:
    """Nobody sees the grid, and that was mailed."""
    box.world.fault("gateway", Fault.UNREACHABLE)
    await box.until(lambda: "The grid can't be seen" in box.mails(), 300.0)


def test_a_grid_that_nobody_sees_is_told_again_after_an_hour_also_across_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        async with box.on():
            await unseen(box)
            await asyncio.sleep(0.75 * alerts.AGAIN_S[0])
            assert len(box.mails()) == 1
        async with box.on():
            await asyncio.sleep(0.5 * alerts.AGAIN_S[0])
            assert box.mails() == ["The grid can't be seen", "Still so: The grid can't be seen"]
            assert box.world.messages()[1].severity is Severity.CRITICAL

    run_virtual(main())


def test_what_somebody_has_seen_is_told_no_more_until_it_is_over(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        async with box.on():
            assert not (await ask(box, "ack")).ok
            await unseen(box)
            reply = await ask(box, "ack")
            assert "The grid can't be seen" in reply.text
            await asyncio.sleep(10.0)
        async with box.on():
            await asyncio.sleep(1.25 * alerts.AGAIN_S[0])
            assert len(box.mails()) == 1
            (alert,) = box.view().alerts
            assert alert.seen
            box.world.fault("gateway", Fault.NONE)
            await box.until(lambda: "Over: The grid can't be seen" in box.mails(), 400.0)
            assert box.view().alerts == ()

    run_virtual(main())


def test_a_hundred_flaps_of_a_worry_make_five_mails_also_across_restarts(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        for _ in range(2):
            async with box.on():
                for _ in range(50):
                    box.supervisor.worries.tell("device x y", "x is lost", "look at it")
                    await asyncio.sleep(2.0)
                    box.supervisor.worries.over("device x y")
                    await asyncio.sleep(2.0)
        async with box.on():
            await asyncio.sleep(limits.CALM_S + 60.0)
            assert box.mails() == [
                "x is lost",
                "Over: x is lost",
                "x is lost",
                "Goes on and off: Over: x is lost",
                "Over: x is lost",
            ]

    run_virtual(main())
