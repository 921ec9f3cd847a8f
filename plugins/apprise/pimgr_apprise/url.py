"""A URL of apprise as a way to tell people something."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from pimgr.api import Context, DeviceError, Finding, Garbled, Message, Parts, Severity, Unreachable
from pimgr_apprise import UrlConfig
from pimgr_apprise.errand import Errand, Report, Trouble
from pimgr_apprise.words import WISH, failure, one_line, plain

_BODY_LENGTH = 1500
_PATIENCE = 0.85
"""Share of the host's deadline at which the courier is ended."""
_RANK = {severity: rank for rank, severity in enumerate(Severity)}


@asynccontextmanager
async def open_url(config: UrlConfig, context: Context) -> AsyncIterator[Url]:
    """A URL; each message has a process of its own."""
    url = Url(config, context)
    try:
        yield url
    finally:
        await url.close()


class Url:
    """One URL; it is its own and only part."""

    def __init__(self, config: UrlConfig, context: Context) -> None:
        self._config, self._context = config, context
        self._couriers: set[asyncio.subprocess.Process] = set()
        self._closed = False
        self.parts: Parts = {"": self}

    async def close(self) -> None:
        """End every courier, one that is just being started too. Safe to repeat."""
        self._closed = True
        for courier in list(self._couriers):
            await self._end(courier)

    async def send(self, message: Message) -> None:
        """Hand the message over, if it is severe enough."""
        if _RANK[message.severity] < _RANK[self._config.least]:
            return
        report = await self._carry(
            severity=message.severity, title=one_line(message.subject), body=plain(message.text)[:_BODY_LENGTH]
        )
        if not report.sent:
            raise failure(self._context.connection, report, self._patience_s)

    async def check(self) -> list[Finding]:
        """Whether apprise understands the URL. Sends nothing, so whether the service takes it is not known."""
        try:
            report = await self._carry()
            if not report.sent:
                raise failure(self._context.connection, report, self._patience_s)
        except DeviceError as error:
            return [Finding(severity=Severity.CRITICAL, text=error.fact, cure=error.cure)]
        text = f"apprise understands the URL: {one_line(report.service)}. A message shows whether it takes them"
        return [Finding(severity=Severity.INFO, text=text)]

    # ------------------------------------------------------------------------------------------------------ inside

    @property
    def _patience_s(self) -> float:
        return self._context.deadlines.cloud_s * _PATIENCE

    async def _carry(self, severity: Severity = Severity.INFO, title: str = "", body: str = "") -> Report:
        """Send a courier; at the deadline, or when nobody waits for it any more, it is ended."""
        url = self._context.secret(self._config.url).strip()
        errand = Errand(url=url, patience_s=self._patience_s, severity=severity, title=title, body=body)
        courier = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "pimgr_apprise.courier"),  # -P: what lies in the working folder is no module
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        self._couriers.add(courier)
        try:
            if self._closed:
                raise ConnectionAbortedError
            async with asyncio.timeout(self._patience_s):
                said, _ = await courier.communicate(msgspec.json.encode(errand))
            return msgspec.json.decode(said, type=Report)
        except TimeoutError:
            return Report(service="the service", trouble=Trouble.SILENT)
        except (msgspec.DecodeError, ConnectionError):
            if self._closed:
                fact = "its connection was closed meanwhile"
                raise Unreachable(self._context.connection, WISH, fact, "pimgr asks again") from None
            fact, cure = "the library apprise failed with this URL", "tell apprise's authors, or use another service"
            raise Garbled(self._context.connection, WISH, fact, cure) from None
        finally:
            await self._end(courier)

    async def _end(self, courier: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(courier.pid, signal.SIGKILL)
        self._couriers.discard(courier)
        await courier.wait()
