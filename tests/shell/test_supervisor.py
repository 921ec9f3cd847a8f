"""The supervisor keeps what must outlive it, looks where a decision waits, and heals by itself."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

from pimgr import api, config, worries
from pimgr.api import Grid, GridReading
from pimgr.journal import Journal
from pimgr.logs import LIMIT, Harmless
from pimgr.snapshot import NAME
from pimgr.supervise import PROBE_S
from pimgr.testing import Fault, run_virtual
from tests.journal.making import notice
from tests.run.rig import Box, plugin, table
from tests.run.rig import config as house
from tests.shell.rig import Odd


class Disk:
    broken = False

    def __call__(self) -> None:
        if self.broken:
            raise OSError(5, "Input/output error")


def test_what_a_connection_stores_is_there_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        odd = Odd()

        async def opening(context: api.Context) -> None:
            await context.store.put("token", "new")

        odd.opening = opening
        box = Box(tmp_path, plugins={"odd": plugin(odd.type())})
        box.write(house("WORLD", table("odd", "odd.plug")))
        async with box.on():
            await box.until(lambda: odd.opens > 0)
            await asyncio.sleep(1.0)
        journal = await Journal.open(box.state, box.run)
        assert journal.store("odd").get("token") == "new"
        await journal.close()

    run_virtual(main())


def test_a_part_that_a_decision_waits_for_is_read_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        async with box.on():
            await asyncio.sleep(5.0)
            known = box.supervisor.board.views()["pump"].reading
            assert known is not None
            box.supervisor.fleet.look({"pump"}, False)
            await asyncio.sleep(1.0)
            newer = box.supervisor.board.views()["pump"].reading
            assert newer is not None
            assert newer.at.mono_s > known.at.mono_s

    run_virtual(main())


def test_a_reloaded_config_is_the_last_valid_one_from_then_on(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        async with box.on():
            text = box.file.read_text() + "\n# changed\n"
            box.file.write_text(text)
            assert (await box.reload()).ok
            assert (box.state / config.LAST_VALID).read_text() == text

    run_virtual(main())


def test_a_request_that_was_on_its_way_when_pimgr_stopped_is_not_waited_for_by_the_next_one(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        await box.start()
        await asyncio.sleep(2.0)
        box.world.fault("pump", Fault.HANG, only="command")
        box.world.set_grid(Grid.DOWN)
        await box.until(lambda: box.claims().get("pump") == "taking")
        (claim,) = [c for c in box.supervisor.loop.state.claims if c.part == "pump"]
        assert claim.progress.accepted is None
        supervisor = box.supervisor
        supervisor.stop.set()
        await box.running
        await box.journal.close()
        await box.start()
        (claim,) = [c for c in box.supervisor.loop.state.claims if c.part == "pump"]
        assert claim.progress.lost
        await box.stop()

    run_virtual(main())


def test_a_disk_that_is_well_again_is_noticed_though_nothing_happens(tmp_path: Path) -> None:
    async def main() -> None:
        box, disk = Box(tmp_path), Disk()
        async with box.on(disk):
            await asyncio.sleep(20.0)
            disk.broken = True
            await box.journal.add_notice(notice("a"), box.clock.now())
            assert box.journal.degraded
            await asyncio.sleep(15.0)  # until all that there is to write about it was tried
            disk.broken = False
            await box.until(lambda: not box.journal.degraded, 2 * PROBE_S)

    run_virtual(main())


def unknown(box: Box, word: str) -> tuple[GridReading, ...]:
    return (GridReading(at=box.clock.now().instant, source="gateway", grid=Grid.UNKNOWN, raw=word),)


def test_what_was_told_once_is_not_told_again_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        for _ in range(2):
            await box.start()
            box.supervisor.worries.listen(unknown(box, "Wobbling"))
            await box.until(lambda: any("Wobbling" in subject for subject in box.mails()))
            await asyncio.sleep(60.0)
            await box.stop()
        assert sum("Wobbling" in subject for subject in box.mails()) == 1

    run_virtual(main())


def test_a_gateway_of_many_unknown_words_does_not_fill_the_mailbox(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        async with box.on():
            for n in range(worries.MAX_WORDS + 20):
                box.supervisor.worries.listen(unknown(box, f"word {n}"))
            await asyncio.sleep(60.0)
            assert sum("word" in subject for subject in box.mails()) == worries.MAX_WORDS

    run_virtual(main())


def test_the_snapshot_has_its_name_when_it_is_whole(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        async with box.on():
            first = json.loads((box.run / NAME).read_bytes())
            await asyncio.sleep(11.0)
            later = json.loads((box.run / NAME).read_bytes())
            assert later["at"] != first["at"]

    run_virtual(main())


def test_an_entry_of_the_log_has_an_end() -> None:
    record = logging.LogRecord("pimgr", logging.ERROR, __file__, 1, "line\n" * 100_000, None, None)
    assert Harmless().format(record).count("\n") == LIMIT // len("line\n")
