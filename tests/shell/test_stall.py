"""A plugin that blocks the event loop is named, and one that does it twice within an hour is left out."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import ModuleType

import pytest

from pimgr.stall import NAME, Hang, StallWatch, hangs, remember, switched_off

STUCK_S = 0.1
WALL = 1_800_000_000.0
CODE = """
def until_noted(noted):
    noted.wait(20.0)

async def read(noted):
    until_noted(noted)
"""


def plugin(name: str) -> ModuleType:
    module = ModuleType(name)
    exec(compile(CODE, f"/opt/{name}/plug.py", "exec"), module.__dict__)
    return module


class Noted(threading.Event):
    """What blocks the loop, until the hang is on the disk: so no test depends on how fast this box is."""

    def __init__(self, folder: Path, hangs_then: int, then_s: float = 0.0) -> None:
        super().__init__()
        self.folder, self.hangs_then, self.then_s = folder, hangs_then, then_s

    def wait(self, timeout: float | None = None) -> bool:
        for _ in range(int((timeout or 0.0) / 0.005)):
            if len(hangs(self.folder)) >= self.hangs_then:
                threading.Event().wait(self.then_s)
                return True
            threading.Event().wait(0.005)
        return False


def blocked(folder: Path, module: ModuleType, hangs_then: int = 1, packages: dict[str, str] | None = None) -> None:
    """Run a loop that `module` blocks once, under a watch."""

    async def main() -> None:
        watch = StallWatch(folder, packages or {"pimgr_odd": "odd", "vendor": "other"}, STUCK_S)
        watching = asyncio.create_task(watch.run())
        await asyncio.sleep(0)
        await module.read(Noted(folder, hangs_then))
        await asyncio.sleep(0)
        watching.cancel()

    asyncio.run(main())


def test_a_plugin_that_blocks_the_loop_is_named_with_the_line_that_hung(tmp_path: Path) -> None:
    blocked(tmp_path, plugin("pimgr_odd"))
    (hang,) = hangs(tmp_path)
    assert hang.plugin == "odd"
    assert hang.where == "plug.py:3", "the innermost line of the plugin"
    assert (tmp_path / NAME).exists()


def test_a_package_within_a_package_belongs_to_its_plugin(tmp_path: Path) -> None:
    blocked(tmp_path, plugin("vendor.deep.inside"))
    assert [hang.plugin for hang in hangs(tmp_path)] == ["other"]


def test_one_hang_is_noted_once_and_the_next_one_again(tmp_path: Path) -> None:
    async def main() -> None:
        watching = asyncio.create_task(StallWatch(tmp_path, {"pimgr_odd": "odd"}, STUCK_S).run())
        await asyncio.sleep(0)
        module = plugin("pimgr_odd")
        module.until_noted(Noted(tmp_path, 1, then_s=4 * STUCK_S))
        assert len(hangs(tmp_path)) == 1
        await asyncio.sleep(2 * STUCK_S)
        await module.read(Noted(tmp_path, 2))
        watching.cancel()

    asyncio.run(main())
    assert [hang.plugin for hang in hangs(tmp_path)] == ["odd", "odd"]


def test_nobody_is_blamed_for_what_pimgr_itself_or_a_busy_box_does(tmp_path: Path) -> None:
    async def main() -> None:
        watching = asyncio.create_task(StallWatch(tmp_path, {"pimgr_odd": "odd"}, STUCK_S).run())
        await asyncio.sleep(0)
        threading.Event().wait(4 * STUCK_S)  # blocks the loop, but in no plugin
        await asyncio.sleep(0)
        watching.cancel()

    asyncio.run(main())
    assert hangs(tmp_path) == []


def test_a_loop_that_turns_is_left_alone(tmp_path: Path) -> None:
    async def main() -> None:
        watching = asyncio.create_task(StallWatch(tmp_path, {"tests": "tests", "asyncio": "a"}, 1.0).run())
        for _ in range(30):
            await asyncio.sleep(0.01)
        watching.cancel()

    asyncio.run(main())
    assert hangs(tmp_path) == []


def test_the_watching_thread_ends_with_the_loop(tmp_path: Path) -> None:
    blocked(tmp_path, plugin("pimgr_odd"))
    for thread in threading.enumerate():
        if thread.name == "pimgr stall watch":
            thread.join(10.0)
            assert not thread.is_alive()


def note(folder: Path, *walls: float, name: str = "odd") -> None:
    for n, wall in enumerate(walls):
        remember(folder, Hang(name, wall, f"plug.py:{n}"))


@pytest.mark.parametrize(
    ("walls", "now", "off"),
    [
        ((), WALL, False),
        ((WALL,), WALL + 1.0, False),
        ((WALL, WALL + 60.0), WALL + 61.0, True),
        ((WALL, WALL + 3500.0), WALL + 3550.0, True),
        ((WALL, WALL + 3700.0), WALL + 3701.0, False),
        ((WALL, WALL + 60.0), WALL + 3700.0, False),
        ((WALL, WALL + 60.0, WALL + 7300.0), WALL + 7301.0, False),
        ((WALL, WALL + 60.0, WALL + 7300.0, WALL + 7400.0), WALL + 7401.0, True),
    ],
)
def test_twice_within_an_hour_is_off_and_a_third_time_after_more_than_an_hour_is_not(
    tmp_path: Path, walls: tuple[float, ...], now: float, off: bool
) -> None:
    note(tmp_path, *walls)
    note(tmp_path, now - 10.0, name="another")
    assert set(switched_off(tmp_path, now)) == ({"odd"} if off else set())


def test_the_reason_names_the_line(tmp_path: Path) -> None:
    note(tmp_path, WALL, WALL + 60.0)
    assert "plug.py:0" in switched_off(tmp_path, WALL + 61.0)["odd"]


@pytest.mark.parametrize("content", [b"", b"[", b"{}", b"\xff\xff", b'[{"plugin": 3}]', b"null"])
def test_a_file_that_cannot_be_read_remembers_nothing_and_is_written_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    assert hangs(tmp_path) == []
    assert switched_off(tmp_path, WALL) == {}
    note(tmp_path, WALL, WALL + 1.0)
    assert set(switched_off(tmp_path, WALL + 2.0)) == {"odd"}


def test_the_file_does_not_grow(tmp_path: Path) -> None:
    note(tmp_path, *(WALL + n for n in range(40)))
    assert len(hangs(tmp_path)) == 10
    assert hangs(tmp_path)[-1].wall == WALL + 39
