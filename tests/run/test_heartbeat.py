"""Whoever listens outside hears a pimgr that is well, and nothing of one whose decisions come to no end."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pimgr.api import Grid
from pimgr.heartbeat import LOOK_S, WELL_S
from tests.run.rig import Box, config, virtually
from tests.shell.listener import OK, says, serving

EVERY_S = 60.0


def test_somebody_outside_hears_it_every_minute_and_no_more_once_decisions_are_not_written(tmp_path: Path) -> None:
    async def never(_record: object) -> int:
        await asyncio.Event().wait()
        return 0

    async def main() -> None:
        with serving(says(OK)) as listener:
            mail = f'[mail]\nheartbeat = "{listener.url}"\nheartbeat_every = "{EVERY_S:g}s"'
            async with Box(tmp_path, config("WORLD", mail)).on() as box:
                await box.until(lambda: len(listener.heard) == 1, 3 * LOOK_S)
                await box.until(lambda: len(listener.heard) == 3, 2 * (EVERY_S + 3 * LOOK_S))
                box.supervisor.loop.wiring.commit = never
                box.world.set_grid(Grid.DOWN)
                await asyncio.sleep(WELL_S + 3 * LOOK_S)
                known = len(listener.heard)
                await asyncio.sleep(20 * EVERY_S)
                assert len(listener.heard) == known
            assert known <= 4
            assert all(heard.startswith(b"GET /ping/token?a=1 ") for heard in listener.heard)

    virtually(main())
