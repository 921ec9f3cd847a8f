"""Second lines: should what bounds a plugin give way, the house is still not kept waiting.

`tests/mutants/table.toml` removes the first line for these, as well as the second.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from pimgr import api
from pimgr.errands import Errands
from pimgr.supervise import Supervisor
from pimgr.testing import Fault, run_virtual
from tests.run.rig import Box, config, plugin, table
from tests.shell.rig import Odd, Shell


class Stubborn:
    """Something that doesn't end when it is cancelled, until it is `released`."""

    def __init__(self) -> None:
        self.released = asyncio.Event()

    async def __call__(self, *_: object) -> None:
        while not self.released.is_set():
            with suppress(asyncio.CancelledError):
                await self.released.wait()


def test_a_poll_that_does_not_end_delays_a_request_by_seconds_only() -> None:
    async def main() -> None:
        async with Shell() as shell:
            shell.world.fault("pump", Fault.STUBBORN, only="read")
            shell.add("pump", "load")
            await shell.settle(1.0)
            began = shell.now_s
            shell.switch("pump", False)
            try:
                await shell.until(lambda: not shell.world.is_on("pump"), timeout_s=30.0)
                assert shell.now_s - began < 8.0
            finally:
                shell.world.fault("pump", Fault.NONE)
                await shell.settle(1.0)

    run_virtual(main())


def test_a_connection_that_does_not_close_holds_up_a_stop_by_seconds_only(tmp_path: Path) -> None:
    async def main() -> None:
        odd, over = Odd(), asyncio.Event()

        async def closing(context: api.Context) -> None:
            await over.wait()

        odd.closing = closing
        box = Box(tmp_path, plugins={"odd": plugin(odd.type())})
        box.write(config("WORLD", table("odd", "odd.plug")))
        await box.start()
        await box.until(lambda: odd.opens > 0)
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(60.0):
                await box.stop()
        finally:
            over.set()
        assert asyncio.get_running_loop().time() - began < 12.0

    run_virtual(main())


def test_a_task_that_does_not_end_holds_up_a_stop_by_seconds_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        stubborn = Stubborn()
        monkeypatch.setattr(Supervisor, "_probe", stubborn.__call__)
        box = Box(tmp_path)
        await box.start()
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(60.0):
                await box.stop()
        finally:
            stubborn.released.set()
        assert asyncio.get_running_loop().time() - began < 12.0

    run_virtual(main())


def test_an_errand_that_does_not_end_holds_up_a_stop_by_seconds_only() -> None:
    async def main() -> None:
        errands = Errands()
        errands.run(asyncio.Event().wait())
        await asyncio.sleep(0)
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(60.0):
            await errands.close()
        assert asyncio.get_running_loop().time() - began < 5.0

    run_virtual(main())
