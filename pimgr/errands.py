"""Small things to do on the side: kept until they are done, and none of them ends in silence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger(__name__)

CLOSE_S = 2.0


class Errands:
    """Whatever is to be done without anybody waiting for it, such as a note in the outbox."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[object]] = set()

    def run(self, work: Coroutine[Any, Any, object]) -> None:
        """Begin it; a failure is logged."""
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Let what was begun come to its end, within 2 s."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=CLOSE_S)
        for task in self._running:
            task.cancel()

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("something on the side failed", exc_info=error)
