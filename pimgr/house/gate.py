"""The TCP port of one device, on loopback: it accepts, hands each connection to the server, and obeys the fault."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import socket
import ssl
from collections.abc import Awaitable, Callable

from pimgr.house.faults import Fault, FaultTimes, Line

_log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
Handler = Callable[[Line], Awaitable[None]]


class Gate:
    """The TCP port of one device, on loopback."""

    def __init__(self, device: str, times: FaultTimes, seed: int = 0) -> None:
        self.device = device
        self.times = times
        self.noise = random.Random(f"{seed}/{device}")  # noqa: S311 - noise that is the same in every run
        self.port = 0
        self.tls: ssl.SSLContext | None = None
        self._handler: Handler | None = None
        self._socket: socket.socket | None = None
        self._accepting = False
        self._set = Fault.NONE
        self._power = Fault.NONE
        self._lines: dict[asyncio.Task[None], Line] = {}

    @property
    def fault(self) -> Fault:
        """The fault in force: a device without power has that one, whatever was set."""
        return self._power if self._power is not Fault.NONE else self._set

    @property
    def set_by_hand(self) -> Fault:
        """The fault that was set, whether the device has power or not."""
        return self._set

    def set_fault(self, fault: Fault) -> None:
        """Misbehave like this from now on."""
        before, self._set = self.fault, fault
        self._change(before)

    def set_power(self, looks: Fault) -> None:
        """Without power it looks like `looks`; NONE is with power. Open connections are reset when it goes."""
        before, self._power = self.fault, looks
        if looks is not Fault.NONE:
            self._reset(lambda _line: True)
        self._change(before)

    async def open(self, port: int, handler: Handler, tls: ssl.SSLContext | None = None) -> int:
        """Listen on `port` (0: any free one), each connection is for `handler`. Raises OSError where it is taken."""
        self._handler, self.tls, self.port = handler, tls, port
        self._bind()
        self._change(Fault.NONE)
        return self.port

    async def close(self) -> None:
        """Stop listening, and end every connection."""
        self._unbind()
        self._reset(lambda _line: True)
        if self._lines:
            await asyncio.wait(self._lines)

    def _change(self, before: Fault) -> None:
        if self._socket is None:
            return
        now = self.fault
        if now is not before:
            self._reset(lambda line: line.spoilt or now is Fault.REFUSING)
        if now is Fault.REFUSING or (before is Fault.DEAD and now is not before):
            self._unbind()
            self._bind()  # and don't listen: the port stays ours, and connecting to it is refused
        if now not in (Fault.REFUSING, Fault.DEAD):
            self._listen()
        elif now is Fault.DEAD:
            self._listen()  # the kernel goes on answering for it on loopback; nobody accepts
            self._pause()

    def _bind(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setblocking(False)
        self._socket.bind((LOOPBACK, self.port))
        self.port = self._socket.getsockname()[1]

    def _listen(self) -> None:
        if self._socket and not self._accepting:
            self._socket.listen(128)
            asyncio.get_running_loop().add_reader(self._socket, self._accept)
            self._accepting = True

    def _pause(self) -> None:
        if self._socket and self._accepting:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._accepting = False

    def _unbind(self) -> None:
        self._pause()
        if self._socket:
            self._socket.close()
            self._socket = None

    def _reset(self, which: Callable[[Line], bool]) -> None:
        for task, line in self._lines.items():
            if which(line):
                line.abort()
                task.cancel()

    def _accept(self) -> None:
        if self._socket is None:
            return
        try:
            connection, _ = self._socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = Line(self)
        task = asyncio.get_running_loop().create_task(self._serve(line, connection), name=f"house {self.device}")
        self._lines[task] = line

        def ended(task: asyncio.Task[None]) -> None:
            del self._lines[task]
            if line.fresh:  # cancelled before its first step, or never come to a connection
                connection.close()

        task.add_done_callback(ended)

    async def _serve(self, line: Line, connection: socket.socket) -> None:
        """One connection from its first byte to its last."""
        hushed = self.fault.hushed
        line.spoilt = hushed
        try:
            tls = None if hushed else self.tls
            await asyncio.get_running_loop().connect_accepted_socket(lambda: line, connection, ssl=tls)
            if hushed or self._handler is None:
                await line.closed.wait()
            else:
                await self._handler(line)
        except (OSError, EOFError):  # the client went away, or never spoke TLS
            pass
        except Exception:
            _log.exception("house: the server of %s failed", self.device)
        finally:
            line.close()
        with contextlib.suppress(TimeoutError):  # what is still to be sent has this long to leave
            await asyncio.wait_for(line.closed.wait(), 1.0)
        line.abort()
