"""The boundary to a plugin: its connection is opened, called and closed here, and nothing that it does gets past.

A call runs under a deadline, in a task of its own: one that ignores its cancellation is left behind, and so is a close
that hangs. Whatever a plugin raises, SystemExit and a CancelledError of its own making included, comes out as a value.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from pimgr.api import Connection, DeviceError
from pimgr.text import safe

log = logging.getLogger(__name__)

CLOSE_S = 2.0
"""What closing may take; then it is left behind."""
CANCEL_S = 1.0
"""What a cancelled call may take to end."""

Opened = tuple[AbstractAsyncContextManager[Connection], Connection]


class Overdue(Exception):
    """The call was not done by its deadline."""


class Link:
    """One device's open connection, or none yet. One call at a time.

    `opens` makes the plugin's context manager; `released` is told after each close: a thread may go.
    """

    def __init__(
        self, name: str, opens: Callable[[], AbstractAsyncContextManager[Connection]], released: Callable[[], None]
    ) -> None:
        self._name, self._opens, self._released = name, opens, released
        self._open: Opened | None = None
        self._closings = 0

    async def attempt(self, call: Callable[[Connection], Awaitable[None]], deadline_s: float) -> BaseException | None:
        """Call through the connection, which is opened if need be. None, or what went wrong; it never raises.

        The connection stays open only after success and after one of the plugin's own four errors.
        """
        task = asyncio.ensure_future(self._outcome(call))
        try:
            await asyncio.wait({task}, timeout=deadline_s)
        finally:
            if late := not task.done():
                await self._abandon(task)
        if late:
            return Overdue()
        error = asyncio.CancelledError() if task.cancelled() else task.result()
        if error is not None and not isinstance(error, DeviceError):
            await self.close()
        return error

    async def close(self) -> None:
        """Close, whatever state it is in, and also if it isn't open."""
        self._closings += 1
        opened, self._open = self._open, None
        try:
            if opened is not None:
                await self._leave(opened[0])
        finally:
            self._released()

    # ------------------------------------------------------------------------------------------------------- inside

    async def _outcome(self, call: Callable[[Connection], Awaitable[None]]) -> BaseException | None:
        """What became of the call, as a value: a SystemExit out of a task would end the process."""
        try:
            await call(await self._connected())
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            return error
        return None

    async def _connected(self) -> Connection:
        if self._open is None:
            closings, manager = self._closings, self._opens()
            connection = await manager.__aenter__()
            if closings != self._closings:  # given up meanwhile, and perhaps opened again by the next call
                await self._leave(manager)
                raise asyncio.CancelledError
            self._open = (manager, connection)
        return self._open[1]

    async def _abandon(self, task: asyncio.Task[BaseException | None]) -> None:
        """Cancel a call and close what it was talking to, in whatever state it left that."""
        task.cancel()
        try:
            await asyncio.wait({task}, timeout=CANCEL_S)
        finally:
            await self.close()

    async def _leave(self, manager: AbstractAsyncContextManager[Connection]) -> None:
        closing = asyncio.ensure_future(_closed(manager))
        try:
            await asyncio.wait({closing}, timeout=CLOSE_S)
        finally:
            if not closing.done():
                closing.cancel()
                log.debug("%s: closing hangs, left behind", self._name)
        if closing.done() and not closing.cancelled() and (error := closing.result()) is not None:
            log.debug("%s: closing failed (%s)", self._name, safe(str(error)))


async def _closed(manager: AbstractAsyncContextManager[Connection]) -> BaseException | None:
    try:
        await manager.__aexit__(None, None, None)
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        return error
    return None
