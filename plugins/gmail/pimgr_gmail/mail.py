"""A mail account as a way to tell people something."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.message import EmailMessage
from typing import TypeVar

from pimgr.api import Context, DeviceError, Finding, Message, Parts, Refused, Severity, Unreachable
from pimgr_gmail import MAIL, MailConfig
from pimgr_gmail.errors import Wanted, as_device_error, spellings
from pimgr_gmail.gateways import INSTEAD, closed
from pimgr_gmail.letter import letter, short_letter
from pimgr_gmail.smtp import Smtp

T = TypeVar("T")

_PATIENCE, _LAST = 0.85, 0.95
"""Shares of the host's deadline: when we hang up, and when the thread is left behind (in a look-up of a name)."""


@asynccontextmanager
async def open_mail(config: MailConfig, context: Context) -> AsyncIterator[Mail]:
    """An account; each mail has a session of its own."""
    mail = Mail(config, context)
    try:
        yield mail
    finally:
        mail.close()


class Mail:
    """One account; it is its own and only part."""

    def __init__(self, config: MailConfig, context: Context) -> None:
        self._config, self._context = config, context
        self._live: set[Smtp] = set()
        self._closed = False
        self.parts: Parts = {"": self}

    def close(self) -> None:
        """Hang up wherever a session is open, and begin no other. Safe to repeat."""
        self._closed = True
        for session in list(self._live):
            session.hang_up()

    @property
    def busy(self) -> bool:
        """Whether a session is under way."""
        return bool(self._live)

    async def send(self, message: Message) -> None:
        """Hand the mail over, and its short form. A recipient refused beside others is remembered, for `check`.

        Where only one of the two forms was taken, it isn't sent again with the other.
        """
        letters = self._letters(message)
        taken = self._context.store.get("taken") or []
        taken = taken if taken[:1] == [message.key] else [message.key]

        def hand_over(session: Smtp) -> list[str]:
            refused: list[str] = []
            for form, (mail, recipients) in letters.items():
                if form not in taken:
                    refused += session.sendmail(self._config.sent_from, list(recipients), mail.as_bytes())
                    taken.append(form)
            return sorted(refused)

        try:
            refused = await self._in_session("a mail sent", hand_over) if letters else []
        except DeviceError:
            if len(taken) > 1 and taken != self._context.store.get("taken"):
                await self._context.store.put("taken", taken)
            raise
        if letters and refused != (self._context.store.get("refused") or []):
            await self._context.store.put("refused", refused)

    async def check(self) -> list[Finding]:
        """The server, its certificate, the login, and the addresses that nobody reads any more. Sends nothing."""
        findings = self._address_findings()
        try:
            await self._in_session("a look at it", lambda session: session.noop())
        except DeviceError as error:
            return [Finding(severity=Severity.CRITICAL, text=str(error), cure=error.cure), *findings]
        text = f"{self._config.host} lets {self._config.user!r} in"
        return [Finding(severity=Severity.INFO, text=text), *findings]

    # ------------------------------------------------------------------------------------------------------ inside

    def _letters(self, message: Message) -> dict[str, tuple[EmailMessage, tuple[str, ...]]]:
        """What is to be sent to whom, by form; nothing where nobody wants messages of this severity.

        Raises Refused where all who want it are at gateways that closed.
        """
        config, severity = self._config, message.severity
        wanted = {
            "long": (letter, config.recipients(severity)),
            "short": (short_letter, config.short_recipients(severity)),
        }
        living = {form: tuple(a for a in each if not closed(a)) for form, (_, each) in wanted.items()}
        if not any(living.values()) and any(each for _, each in wanted.values()):
            fact = "every address it should go to is at a mail-to-text service that closed"
            raise Refused(self._context.connection, "a mail sent", fact, INSTEAD)
        return {form: (wanted[form][0](config, message, each), each) for form, each in living.items() if each}

    def _address_findings(self) -> list[Finding]:
        findings = list(MAIL.advise(self._config)) if MAIL.advise else []
        for address in self._context.store.get("refused") or []:
            if address in self._config.addresses:
                text = f"the mail server took no mail for {address} the last time"
                findings.append(Finding(severity=Severity.WARNING, text=text, cure="check this address"))
        return findings

    async def _in_session(self, wish: str, work: Callable[[Smtp], T]) -> T:
        """Do `work` in a session that is logged in, on the worker thread; at the deadline, hang up."""
        patience_s = self._context.deadlines.cloud_s * _PATIENCE
        where = f"{self._config.host}:{self._config.port}"
        password = self._context.secret(self._config.password)
        secrets = spellings(self._config.user, password)
        wanted = Wanted(self._context.connection, wish, where, patience_s, secrets)
        session = await self._context.call(self._session, wanted, time.monotonic() + patience_s)
        if self._closed:
            raise Unreachable(wanted.part, wish, "its connection was closed meanwhile", "pimgr asks again")
        self._live.add(session)
        end = asyncio.get_running_loop().call_later(patience_s, session.hang_up)
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(patience_s * _LAST / _PATIENCE):
                return await self._context.call(_work_in, session, password, work)
        except Exception as error:  # smtplib lets ValueError and others escape on a strange reply
            late = time.monotonic() - began_s >= patience_s * 0.99
            raise as_device_error(wanted, TimeoutError() if late else error) from None
        finally:
            end.cancel()
            session.hang_up()
            self._live.discard(session)

    def _session(self, wanted: Wanted, deadline_s: float) -> Smtp:
        try:
            return Smtp(self._config, deadline_s)
        except OSError as error:
            fact = f"ca_file {self._config.ca_file!r} can't be used ({error.strerror or type(error).__name__})"
            raise Refused(
                wanted.part, wanted.wish, fact, "give a file of PEM certificates that pimgr may read"
            ) from None


def _work_in(session: Smtp, password: str, work: Callable[[Smtp], T]) -> T:
    try:
        session.begin()
        session.log_in(password)
        result = work(session)
        with contextlib.suppress(Exception):  # it has taken over; how it says goodbye changes nothing
            session.quit()
        return result
    finally:
        session.close()
