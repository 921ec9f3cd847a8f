"""Empties the outbox: in order, once, as soon as a notifier takes it. In an outage the internet is often gone too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from pimgr.api import Deadlines, DeviceError, Message
from pimgr.clock import Clock
from pimgr.connections import ConnectionTask, Request
from pimgr.journal import Journal
from pimgr.text import safe

log = logging.getLogger(__name__)

RETRY_S = (30.0, 60.0, 300.0, 900.0, 1800.0)
IDLE_S = 60.0


class Mailer:
    """Sends what the journal's outbox holds to every notifier of the config; `notifiers` gives their part addresses."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        tasks: Mapping[str, ConnectionTask],
        notifiers: Callable[[], tuple[str, ...]],
    ) -> None:
        self.journal, self.clock, self.tasks, self.notifiers = journal, clock, tasks, notifiers
        self._wake = asyncio.Event()
        self._failures = 0
        self._taken: set[tuple[str, str]] = set()

    def nudge(self) -> None:
        """Something new may be in the outbox."""
        self._wake.set()

    async def run(self) -> None:
        while True:
            self._wake.clear()
            if await self._deliver():
                self._failures = 0
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE_S):
                        await self._wake.wait()
            else:
                self._failures += 1
                await asyncio.sleep(RETRY_S[min(self._failures, len(RETRY_S)) - 1])

    async def _deliver(self) -> bool:
        """Send everything that waits, oldest first; stops at the first that isn't taken, so that the order is kept."""
        for mail in await self.journal.pending_mail():
            for notifier in self.notifiers():
                if (mail.key, notifier) in self._taken:
                    continue
                error = await self._send(notifier, mail.message)
                if error is not None:
                    log.warning("mail %s not sent: %s", safe(mail.key), safe(str(error)))
                    await self.journal.mail_failed(mail.key, str(error))
                    return False
                self._taken.add((mail.key, notifier))
            await self.journal.mail_done(mail.key, self.clock.now().instant)
            self._taken = {t for t in self._taken if t[0] != mail.key}
        return True

    async def _send(self, notifier: str, message: Message) -> DeviceError | None:
        task = self.tasks.get(notifier)
        if task is None:
            return DeviceError(notifier, "to be told", "its plugin is not loaded", "see `pimgr plugin list`")
        answer: asyncio.Future[DeviceError | None] = asyncio.get_running_loop().create_future()

        async def call(part: Any) -> None:
            await part.send(message)

        def done(error: DeviceError | None) -> None:
            if not answer.done():
                answer.set_result(error)

        task.post(
            Request(
                key=f"{notifier} mail {message.key}",
                part=notifier,
                wish="to be told",
                deadline_s=Deadlines().cloud_s,
                call=call,
                done=done,
                read_back=False,
            )
        )
        try:
            async with asyncio.timeout(2 * Deadlines().cloud_s):
                return await answer
        except TimeoutError:  # its connection was closed by a reload, and nobody is left to answer
            return DeviceError(notifier, "to be told", "no answer", "pimgr tries again")
