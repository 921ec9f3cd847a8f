"""Who hung the box: a thread that watches the event loop, and remembers which plugin it found it stuck in.

The watchdog ends a process whose loop is stuck, and systemd starts the next one. Without this memory that would go on
for ever; with it, a plugin that hung the box twice within an hour is left out, and somebody is told.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

import msgspec

from pimgr.api import Frozen

log = logging.getLogger(__name__)

NAME = "hangs.json"
STUCK_S = 8.0
"""A loop that made no turn for this long hangs: far above any tick, well below the watchdog's time."""
TURN_S = 1.0
HOUR_S = 3600.0
TWICE = 2


class Hang(Frozen):
    """`plugin`'s code held the event loop at `wall` (UTC, s)."""

    plugin: str
    wall: float
    where: str


def hangs(folder: Path) -> list[Hang]:
    """What is remembered; a file that can't be read remembers nothing."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=list[Hang])
    except (OSError, msgspec.DecodeError):
        return []


def switched_off(folder: Path, wall: float) -> dict[str, str]:
    """The plugins that hung the box twice within the last hour, with where they did."""
    lately = [h for h in hangs(folder) if abs(wall - h.wall) < HOUR_S]
    plugins = {h.plugin for h in lately}
    return {
        plugin: f"it hung pimgr twice within an hour (in {next(h.where for h in lately if h.plugin == plugin)})"
        for plugin in plugins
        if sum(h.plugin == plugin for h in lately) >= TWICE
    }


class StallWatch:
    """`packages`: top-level package -> plugin name; may change as it runs. `run` runs in the loop, the watching on a
    thread of its own."""

    def __init__(self, folder: Path, packages: Mapping[str, str], stuck_s: float = STUCK_S) -> None:
        self.folder, self.packages, self.stuck_s = folder, packages, stuck_s
        self._turned_s = time.monotonic()
        self._noted = False

    async def run(self) -> None:
        """Shows, as long as it runs, that the loop still turns."""
        self._turned_s = time.monotonic()
        ended = threading.Event()
        watcher = threading.Thread(
            target=self._watch, args=(threading.get_ident(), ended), name="pimgr stall watch", daemon=True
        )
        watcher.start()
        try:
            while True:
                self._turned_s, self._noted = time.monotonic(), False
                await asyncio.sleep(min(TURN_S, self.stuck_s / 4))
        finally:
            ended.set()

    def _watch(self, loop_thread: int, ended: threading.Event) -> None:
        while not ended.wait(self.stuck_s / 4):
            if time.monotonic() - self._turned_s > self.stuck_s and not self._noted:
                self._noted = True
                self._note(sys._current_frames().get(loop_thread))

    def _note(self, frame: FrameType | None) -> None:
        while frame is not None:
            package = frame.f_globals.get("__name__", "").partition(".")[0]
            if package in self.packages:
                where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
                try:
                    remember(self.folder, Hang(self.packages[package], time.time(), where))
                except OSError as error:
                    log.warning("that %s hangs in %s can't be noted: %s", self.packages[package], where, error)
                return
            frame = frame.f_back


def remember(folder: Path, hang: Hang) -> None:
    """Add a hang to the file, durably: the process is about to be killed."""
    part = folder / f".{NAME}.part"
    with part.open("wb") as file:
        file.write(msgspec.json.encode([*hangs(folder)[-9:], hang]))
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / NAME)
