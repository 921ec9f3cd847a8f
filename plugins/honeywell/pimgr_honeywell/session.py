"""One login to the portal, kept as long as it lasts, and asked for again only as often as the portal bears.

The session's cookie stays in memory: whoever has it has the account. So a restart needs a login, and waits for it if
the last one was less than ten minutes ago.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlsplit

import aiohttp
from aiosomecomfort import AIOSomeComfort
from aiosomecomfort.exceptions import AuthError, UnexpectedResponse

from pimgr.api import Context, DeviceError, Finding, Garbled, Instant, Refused, Severity
from pimgr_honeywell import AccountConfig
from pimgr_honeywell.errors import (
    LOCKED_CURE,
    NET,
    LockedError,
    Wanted,
    as_device_error,
    http_status,
    never_left,
    root_of,
    session_gone,
)
from pimgr_honeywell.pauses import Pauses, Why
from pimgr_honeywell.wire import http_session

LOGIN_S = 600.0
"""One login in so long at most: accounts with many are locked (home-assistant/core#98035)."""
REFUSED_S = 3600.0
"""After a login that was refused, no other with the same name and password for so long."""
BUSY_S = 900.0
"""No question at all for so long after HTTP 429."""
LOCKED_S = 1800.0
"""Nor after the portal said that the account is locked: it opens "in a few minutes" in which nobody tries."""
ODD_MOST = 3
"""Pages instead of data, in a row, after which the session itself is doubted."""
_PATIENCE = 0.9
"""Share of the host's deadline after which we say ourselves what hung."""
_SCRYPT = {"n": 1 << 14, "r": 8, "p": 1}

T = TypeVar("T")
Question = Callable[[AIOSomeComfort], Awaitable[T]]


class Session:
    """Logs in with the first question, and again after the portal ended the session."""

    def __init__(self, config: AccountConfig, context: Context) -> None:
        self._config, self._context = config, context
        self._pauses = Pauses(context)
        self._turn = asyncio.Lock()
        self._http: aiohttp.ClientSession | None = None
        self._client: AIOSomeComfort | None = None
        self._odd = 0
        self._barred: dict[str, Instant] = {}
        """Parts that a fresh login was refused for, and when."""
        self._refused = ("", "")
        """A mark, and the password that it stands for: telling costs a tenth of a second, on a small box."""

    async def ask(self, part: str, wish: str, question: Question[T]) -> T:
        """The answer to `question`, within our share of the deadline. Raises the four errors only."""
        deadline_s = self._context.deadlines.cloud_s * _PATIENCE
        wanted = Wanted(part, wish, urlsplit(self._config.base_url).hostname or "", deadline_s)
        try:
            async with asyncio.timeout(deadline_s), self._turn:  # in turn: a new login closes what others wait on
                return await self._ask(wanted, question)
        except Exception as error:  # the library's hierarchy leaks: TimeoutError, KeyError, aiohttp's, json's
            await self._heed(error)
            raise as_device_error(wanted, error) from None

    async def close(self) -> None:
        """Forget the session and close all connections. Safe to repeat."""
        http, self._http, self._client = self._http, None, None
        if http is not None:
            await http.close()

    # ---------------------------------------------------------------------------------------------------- asking

    async def _ask(self, wanted: Wanted, question: Question[T]) -> T:
        rest = await self._pauses.current("rest")
        if rest is not None:
            raise rest.error(wanted.part, wanted.wish)
        client = self._client or await self._log_in(wanted)
        try:
            answer = await question(client)
        except Exception as error:
            if not session_gone(error):
                raise
            answer = await self._ask_again(wanted, question)
        self._odd = 0
        return answer

    async def _ask_again(self, wanted: Wanted, question: Question[T]) -> T:
        """Once more, with a new session. What a new one may not ask either costs no further login for an hour."""
        barred = self._barred.get(wanted.part)
        if barred is not None and self._context.now().since(barred) < REFUSED_S:
            raise _not_ours(wanted)
        client = await self._log_in(wanted)  # until one may be tried, the others go on with what they have
        try:
            answer = await question(client)
        except Exception as error:
            if session_gone(error):
                self._barred[wanted.part] = self._context.now()
                raise _not_ours(wanted) from None
            raise
        self._barred.pop(wanted.part, None)
        return answer

    async def _heed(self, error: Exception) -> None:
        """What an answer means for the questions to come."""
        root = root_of(error)
        if isinstance(root, LockedError):
            text = "the portal says that there were too many attempts, and lets nobody log in for a while"
            self._context.tell("locked", Finding(severity=Severity.WARNING, text=text, cure=LOCKED_CURE))
            await self._pauses.begin("rest", LOCKED_S, Why("refused", "the portal has locked the account", LOCKED_CURE))
            await self.close()
        elif http_status(root) == 429:
            cure = "let other programs ask it less often"
            await self._pauses.begin("rest", BUSY_S, Why("refused", "the portal was asked too often", cure))
        elif isinstance(root, UnexpectedResponse) and http_status(root) == 200:
            self._odd += 1
            if self._odd >= ODD_MOST:
                self._odd = 0
                await self.close()

    # --------------------------------------------------------------------------------------------------- logging in

    async def _log_in(self, wanted: Wanted) -> AIOSomeComfort:
        """One login. It is counted before it is tried, and not counted if no connection came about."""
        password = self._context.secret(self._config.password)
        await self._may_log_in(wanted, password)
        await self._pauses.begin("login", LOGIN_S, Why("unreachable", "the last login got no answer", NET))
        await self.close()
        self._http = http_session(self._config.base_url, self._context)
        total = aiohttp.ClientTimeout(total=wanted.deadline_s)
        client = AIOSomeComfort(self._config.username, password, timeout=total, session=self._http)
        client._baseurl = self._config.base_url  # it has no other way to say so
        try:
            await client.login()
        except Exception as error:
            await self._login_failed(wanted, error, password)
            await self.close()
            raise
        self._client = client
        just = Why("refused", "the portal bears one login in ten minutes, and there was one", "it passes by itself")
        await self._pauses.explain("login", just)
        for told in ("password", "locked"):
            self._context.tell(told, None)
        return client

    async def _may_log_in(self, wanted: Wanted, password: str) -> None:
        """Raise what to say instead, if a login must wait."""
        refused = await self._pauses.current("password")
        if refused is not None and await self._is_marked(refused.mark, password):
            raise refused.error(wanted.part, wanted.wish)
        recent = await self._pauses.current("login")
        if recent is not None:
            raise recent.error(wanted.part, wanted.wish)

    async def _login_failed(self, wanted: Wanted, error: Exception, password: str) -> None:
        if never_left(error):
            await self._pauses.end("login")
            return
        told = as_device_error(wanted, error)
        kind = {Refused: "refused", Garbled: "garbled"}.get(type(told), "unreachable")
        await self._pauses.explain("login", Why(kind, f"at the last login: {told.fact}", told.cure))
        if isinstance(error, AuthError):
            mark = await self._mark(password, secrets.token_hex(16))
            why = Why("refused", "the portal refused this user name or password", told.cure)
            await self._pauses.begin("password", REFUSED_S, why, mark)
            text = "Honeywell's portal refuses the login: its thermostats are neither read nor set"
            self._context.tell("password", Finding(severity=Severity.WARNING, text=text, cure=told.cure))

    async def _is_marked(self, mark: str, password: str) -> bool:
        if (mark, password) != self._refused:
            if await self._mark(password, mark.partition(":")[0]) != mark:
                return False
            self._refused = (mark, password)
        return True

    async def _mark(self, password: str, salt: str) -> str:
        """What tells this name and password from another, and tells nobody what they are."""
        known = f"{self._config.username}\0{password}".encode()
        digest = await self._context.call(hashlib.scrypt, known, salt=bytes.fromhex(salt), dklen=16, **_SCRYPT)
        return f"{salt}:{digest.hex()}"


def _not_ours(wanted: Wanted) -> DeviceError:
    fact = "the portal refuses this to a login that it just accepted"
    cure = "check that the id in `thermostats` is of this account; if it is, the account may be locked: wait an hour"
    return Refused(wanted.part, wanted.wish, fact, cure)
