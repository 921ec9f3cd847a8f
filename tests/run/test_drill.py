"""A drill in a whole pimgr: asked for over its socket or weekly, shown and mailed; the house doesn't notice."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pimgr.api import Grid
from pimgr.control import Reply, Request
from pimgr.testing import Fault
from tests.run.rig import LOADS, Box, virtually


async def rehearse(box: Box) -> Reply:
    return await box.supervisor.handle(Request(do="drill"))


def test_a_drill_is_shown_and_mailed_and_no_device_is_asked_for_anything(tmp_path: Path) -> None:
    async def main() -> None:
        async with Box(tmp_path).on() as box:
            reply = await rehearse(box)
            assert reply.ok
            assert reply.text.startswith("Drill: all 3 would go off\n\nThis is a rehearsal, and nothing was switched.")
            await box.until(lambda: box.mails() == ["Drill: all 3 would go off"])
            await asyncio.sleep(60.0)
            assert [box.wishes(load) for load in LOADS] == [[], [], []]
            assert box.claims() == {}

    virtually(main())


def test_a_drill_finds_the_plug_that_would_not_answer(tmp_path: Path) -> None:
    async def main() -> None:
        async with Box(tmp_path).on() as box:
            await asyncio.sleep(60.0)
            box.world.fault("boiler", Fault.UNREACHABLE)
            reply = await rehearse(box)
            assert reply.text.startswith("Drill: 1 of 3 would not answer: boiler")
            assert "  boiler: DOES NOT ANSWER (" in reply.text

    virtually(main())


def test_two_who_ask_at_once_get_the_same_drill(tmp_path: Path) -> None:
    async def main() -> None:
        async with Box(tmp_path).on() as box:
            one, other = await asyncio.gather(rehearse(box), rehearse(box))
            assert one == other
            await asyncio.sleep(60.0)
            assert len(box.mails()) == 1

    virtually(main())


def test_in_an_outage_a_drill_is_refused_and_an_outage_ends_one(tmp_path: Path) -> None:
    async def main() -> None:
        async with Box(tmp_path).on() as box:
            await box.outage()
            reply = await rehearse(box)
            assert (reply.ok, "no time for a drill" in reply.text) == (False, True)
            box.world.set_grid(Grid.UP)
            await box.until(lambda: not box.claims(), 500.0)
            for load in LOADS:
                box.world.fault(load, Fault.UNREACHABLE)
            asking = asyncio.create_task(rehearse(box))
            await asyncio.sleep(1.0)
            box.world.set_grid(Grid.DOWN)
            assert not (await asking).ok
            assert not any("Drill" in mail for mail in box.mails())

    virtually(main())
