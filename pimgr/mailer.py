"""Empties the outbox: in order, once, as soon as a notifier takes it. In an outage the internet is often gone too.

What waited for long is folded (`pimgr.folding`); it is done, in one transaction, when the message was taken that stood
for it. A crash in between repeats that one message.
"""

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
from pimgr.folding import Post, posts
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

    `notifiers` gives their part addresses; None while they aren't known, and everything is kept. `zone`: by whose clock
    old news is told; "": the box's own.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        tasks: Mapping[str, ConnectionTask],
        notifiers: Callable[[], tuple[str, ...] | None],
    ) -> None:
        self.journal, self.clock, self.tasks, self.notifiers = journal, clock, tasks, notifiers
        self.zone = ""
        self._wake = asyncio.Event()
        self._backoffs: dict[str, _Backoff] = {}
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
        await self._tick_off()  # where there is nobody, or nobody any more, who lacks it
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
        for post in await self._posts(notifier):
            backoff = self._backoff(notifier)
            backoff.tried_s, backoff.news = self.clock.now().mono_s, False
            error = await self._send(notifier, post.message)
            if error is not None:
                await self._failed(post, error)
                if isinstance(error, Refused) and self._refused(post, notifier):
                    continue
                backoff.failures += 1
                return
            backoff.failures = 0
            await self._took(post, notifier)

    async def _posts(self, notifier: str) -> list[Post]:
        """What this notifier lacks. Old news is folded, but for what was refused: that may be the reason of it."""
        waiting = [mail for mail in await self.journal.pending_mail() if notifier not in mail.taken]
        offered = [mail for mail in waiting if not self._passed_over(mail, notifier)]
        refused = {mail.key for mail in offered if (mail.key, notifier) in self._refusals}
        if not refused:
            return posts(offered, self.clock.now().wall, self.zone)
        alone = [Post(mail.message, (mail.key,)) for mail in offered if mail.key in refused]
        others = [mail for mail in offered if mail.key not in refused]
        return [*alone, *posts(others, self.clock.now().wall, self.zone)]

    def _passed_over(self, mail: OutboxMessage, notifier: str) -> bool:
        refusals = self._refusals.get((mail.key, notifier), _Backoff())
        return refusals.failures >= REFUSALS and refusals.due_s > self.clock.now().mono_s

    def _refused(self, post: Post, notifier: str) -> bool:
        """Count it; whether it was refused so often that it no longer holds up the others.

        A folded message that is refused is taken apart: each of those that it stood for is tried by itself.
        """
        for key in post.keys:
            refusals = self._refusals.setdefault((key, notifier), _Backoff())
            refusals.failures += 1
            refusals.tried_s = self.clock.now().mono_s
        return self._refusals[post.keys[0], notifier].failures >= REFUSALS

    async def _failed(self, post: Post, error: DeviceError) -> None:
        """Noted with the oldest of those that it stands for: one write is enough."""
        fact, key = safe(str(error)), post.keys[0]
        if all(mail.problem != fact for mail in await self.journal.pending_mail() if mail.key == key):
            log.warning("mail %s waits: %s", safe(post.message.key), fact)
        await self.journal.mail_failed(key, fact)

    async def _took(self, post: Post, notifier: str) -> None:
        """What it stands for is done where every notifier has it, and else noted: a restart sends nothing twice."""
        others = [n for n in self.notifiers() or () if n != notifier]
        mails = {mail.key: mail for mail in await self.journal.pending_mail() if mail.key in post.keys}
        done = [key for key, mail in mails.items() if all(n in mail.taken for n in others)]
        await self.journal.mails_done(done, self.clock.now().instant)
        await self.journal.mails_taken([key for key in mails if key not in done], notifier)
        self._refusals = {t: r for t, r in self._refusals.items() if t[0] not in done and t not in _of(post, notifier)}

    async def _tick_off(self) -> None:
        """What every notifier took is done, and so is what there is nobody to be told of."""
        notifiers = self.notifiers()
        if notifiers is None:
            return
        done = [m.key for m in await self.journal.pending_mail() if all(n in m.taken for n in notifiers)]
        await self.journal.mails_done(done, self.clock.now().instant)

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


def _of(post: Post, notifier: str) -> set[tuple[str, str]]:
    return {(key, notifier) for key in post.keys}
