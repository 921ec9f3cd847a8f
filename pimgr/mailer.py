"""Empties the outbox: in order, once, as soon as a notifier takes it. In an outage the internet is often gone too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pimgr.api import Deadlines, DeviceError, Message, Refused, replace
from pimgr.clock import Clock
from pimgr.connections import ConnectionTask, Request
from pimgr.journal import Journal, OutboxMessage
from pimgr.text import safe, safe_lines

log = logging.getLogger(__name__)

RETRY_S = (30.0, 60.0, 300.0, 900.0, 1800.0)
"""Pauses after failures. Something new in the outbox is worth another try after the first of them."""
IDLE_S = 60.0
REFUSALS = 3
"""A message that was refused so often lets the following ones pass, and is offered again ever more rarely."""


@dataclass
class _Backoff:
    """One notifier's failures in a row, when (boot clock, s) it was tried last, and whether something came since."""

    failures: int = 0
    tried_s: float = -1e9
    news: bool = False

    @property
    def due_s(self) -> float:
        if not self.failures:
            return self.tried_s
        return self.tried_s + RETRY_S[0 if self.news else min(self.failures, len(RETRY_S)) - 1]


class Mailer:
    """Sends what the outbox holds to every notifier of the config; one that fails keeps nothing from the others.

    `notifiers` gives their part addresses; None while they aren't known, and everything is kept.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        tasks: Mapping[str, ConnectionTask],
        notifiers: Callable[[], tuple[str, ...] | None],
    ) -> None:
        self.journal, self.clock, self.tasks, self.notifiers = journal, clock, tasks, notifiers
        self._wake = asyncio.Event()
        self._backoffs: dict[str, _Backoff] = {}
        self._taken: set[tuple[str, str]] = set()
        self._refusals: dict[tuple[str, str], _Backoff] = {}

    def nudge(self, *, afresh: bool = False) -> None:
        """Something new may be in the outbox. `afresh`: the config changed, so what failed may work now."""
        if afresh:
            self._backoffs.clear()
            self._refusals.clear()
        for backoff in self._backoffs.values():
            backoff.news = True
        self._wake.set()

    async def run(self) -> None:
        while True:
            self._wake.clear()
            rest_s = await self._round()
            with suppress(TimeoutError):
                async with asyncio.timeout(rest_s):
                    await self._wake.wait()

    async def _round(self) -> float:
        """Send what waits to every notifier that isn't resting; gives the seconds until the next look."""
        notifiers = self.notifiers()
        if notifiers is None:
            return IDLE_S
        for mail in await self.journal.pending_mail():
            await self._tick_off(mail)  # where there is nobody, or nobody any more, who lacks it
        now_s = self.clock.now().mono_s
        await asyncio.gather(*(self._deliver(n) for n in notifiers if self._backoff(n).due_s <= now_s))
        now_s = self.clock.now().mono_s
        waits = [self._backoff(n).due_s - now_s for n in notifiers if self._backoff(n).failures]
        return max(0.1, min([IDLE_S, *waits]))

    def _backoff(self, notifier: str) -> _Backoff:
        return self._backoffs.setdefault(notifier, _Backoff())

    async def _deliver(self, notifier: str) -> None:
        """Send everything that waits, oldest first; stops at the first that isn't taken, so that the order is kept.

        What is refused again and again is passed over: the others may be taken.
        """
        for mail in await self.journal.pending_mail():
            if (mail.key, notifier) in self._taken or self._passed_over(mail, notifier):
                continue
            backoff = self._backoff(notifier)
            backoff.tried_s, backoff.news = self.clock.now().mono_s, False
            error = await self._send(notifier, mail.message)
            if error is not None:
                await self._failed(mail, error)
                if isinstance(error, Refused) and self._refused(mail, notifier):
                    continue
                backoff.failures += 1
                return
            backoff.failures = 0
            self._taken.add((mail.key, notifier))
            await self._tick_off(mail)

    def _passed_over(self, mail: OutboxMessage, notifier: str) -> bool:
        refusals = self._refusals.get((mail.key, notifier), _Backoff())
        return refusals.failures >= REFUSALS and refusals.due_s > self.clock.now().mono_s

    def _refused(self, mail: OutboxMessage, notifier: str) -> bool:
        """Count it; whether it was refused so often that it no longer holds up the others."""
        refusals = self._refusals.setdefault((mail.key, notifier), _Backoff())
        refusals.failures += 1
        refusals.tried_s = self.clock.now().mono_s
        return refusals.failures >= REFUSALS

    async def _failed(self, mail: OutboxMessage, error: DeviceError) -> None:
        fact = safe(str(error))
        if fact != mail.problem:
            log.warning("mail %s waits: %s", safe(mail.key), fact)
        await self.journal.mail_failed(mail.key, fact)

    async def _tick_off(self, mail: OutboxMessage) -> None:
        """What every notifier took is done, and so is what there is nobody to be told of."""
        notifiers = self.notifiers()
        if notifiers is not None and all((mail.key, notifier) in self._taken for notifier in notifiers):
            await self.journal.mail_done(mail.key, self.clock.now().instant)
            self._taken = {t for t in self._taken if t[0] != mail.key}
            self._refusals = {t: r for t, r in self._refusals.items() if t[0] != mail.key}

    async def _send(self, notifier: str, message: Message) -> DeviceError | None:
        task = self.tasks.get(notifier)
        if task is None:
            return DeviceError(notifier, "to be told", "its plugin is not loaded", "see `pimgr plugin list`")
        message = replace(message, subject=safe(message.subject), text=safe_lines(message.text))
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
        except TimeoutError:  # its connection's task was started anew, and nobody is left to answer
            return DeviceError(notifier, "to be told", "no answer", "pimgr tries again")
