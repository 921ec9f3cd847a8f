"""A TCP connection that ends by itself: after a time, and after more bytes than any session of ours needs."""

from __future__ import annotations

import contextlib
import errno
import socket
import time

SILENT = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ECONNRESET)
"""How a connection fails where a machine is silent; however else, it is this box's own trouble, and proves nothing."""
MOST_BYTES = 256 * 1024
_HEAD_BYTES = 64


class BoundedSocket(socket.socket):
    """A socket whose reads and writes raise EOFError past its deadline or its budget.

    paramiko waits without a limit for the answer to a command (`Channel._wait_for_event`), gives each byte of a
    dripping banner its own time, and collects a banner without end. All of it passes through here.
    """

    deadline_s: float
    """By `time.monotonic`."""
    received = 0
    head = b""
    """The first bytes that came."""
    flooded = False
    late = False
    ended = False
    """The other side is gone: it closed or reset the connection."""

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        self._check()
        try:
            data = super().recv(bufsize, flags)
        except TimeoutError:
            raise
        except OSError:
            self.ended = True
            raise EOFError from None
        self.ended = self.ended or not data
        self.head = self.head or data[:_HEAD_BYTES]
        self.received += len(data)
        return data

    def send(self, data: bytes, flags: int = 0, /) -> int:  # type: ignore[override]
        self._check()
        try:
            return super().send(data, flags)
        except TimeoutError:
            raise
        except OSError:
            self.ended = True
            raise EOFError from None

    def hang_up(self) -> None:
        """End it, from any thread; whoever reads it gets an end of file."""
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)

    def _check(self) -> None:
        self.late = self.late or time.monotonic() > self.deadline_s
        self.flooded = self.flooded or self.received > MOST_BYTES
        if self.late or self.flooded:
            raise EOFError  # the one exception that paramiko lets pass everywhere


def connected(address: str, port: int, deadline_s: float) -> BoundedSocket:
    """A connection made before `deadline_s` (by `time.monotonic`). Raises OSError, TimeoutError among them."""
    left_s = max(0.001, deadline_s - time.monotonic())
    plain = socket.create_connection((address, port), timeout=left_s)
    bounded = BoundedSocket(fileno=plain.detach())
    bounded.deadline_s = deadline_s
    return bounded
