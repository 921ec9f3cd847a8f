"""The heartbeat: an address outside is called while pimgr is well, so that somebody there notices a silent box.

A plain GET by the standard library, on a thread of its own: no redirect is followed, next to nothing is read, and past
the deadline the connection is cut from outside, since a time-out of a socket never fires on a reply that drips.
"""

from __future__ import annotations

import asyncio
import http.client
import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from pimgr.api import Refused, Secret
from pimgr.clock import Clock
from pimgr.config import HouseConfig, Secrets
from pimgr.config.beat import wrong_address
from pimgr.text import safe
from pimgr.worker import Worker

log = logging.getLogger(__name__)

DEADLINE_S = 20.0
SOCKET_TIMEOUT_S = 8.0
WELL_S = 30.0
"""After a decision, pimgr counts as well for so long: there is one every 5 s."""
LOOK_S = 5.0
FAILING_S = 3600.0
MAX_BYTES = 4096


@dataclass(frozen=True)
class Limits:
    """How long a call may take in all, and how long its socket waits for whatever comes next."""

    deadline_s: float = DEADLINE_S
    socket_s: float = SOCKET_TIMEOUT_S


LIMITS = Limits()


@dataclass(frozen=True)
class Address:
    """Where to call, and how often; `url` gives it, and raises Refused where it is a secret that can't be read."""

    url: Callable[[], str]
    every_s: float


def address_of(config: HouseConfig, secrets: Secrets) -> Address | None:
    """What the config says of the heartbeat."""
    told = config.heartbeat
    if told is None:
        return None
    url = partial(secrets.text, told) if isinstance(told, Secret) else partial(str, told)
    return Address(url, config.heartbeat_every_s)


class _Call:
    """One GET, on a worker thread. `cut` may be called from any thread."""

    def __init__(self, url: str, socket_s: float) -> None:
        self._url, self._socket_s = urlsplit(url), socket_s
        self._handle: socket.socket | None = None

    def __call__(self) -> int:
        """The status that is answered. Raises OSError or HTTPException."""
        host, secure = self._url.hostname or "", self._url.scheme == "https"
        connection = (http.client.HTTPSConnection if secure else http.client.HTTPConnection)(host, self._url.port)
        sock = socket.create_connection((host, self._url.port or connection.default_port), self._socket_s)
        with sock.dup() as self._handle, sock:
            connection.sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host) if secure else sock
            path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
            try:
                connection.request("GET", path, headers={"User-Agent": "pimgr", "Connection": "close"})
                answer = connection.getresponse()
                answer.read(MAX_BYTES)
                return answer.status
            finally:
                connection.close()

    def cut(self) -> None:
        """End it: whoever waits for the other side hears that it hung up, in the middle of a TLS handshake too."""
        if self._handle is not None:
            with suppress(OSError):
                self._handle.shutdown(socket.SHUT_RDWR)


class Heartbeat:
    """`address` gives None where the config has no heartbeat. `show` takes what the status tells, "" for nothing."""

    def __init__(
        self,
        clock: Clock,
        address: Callable[[], Address | None],
        show: Callable[[str], None],
        limits: Limits = LIMITS,
    ) -> None:
        self._clock, self._address, self._show, self._limits = clock, address, show, limits
        self._worker: Worker | None = None
        self._decided_s = self._called_s = -1e9
        self._failing_since_s: float | None = None

    def decided(self) -> None:
        """A decision finished, and is on record."""
        self._decided_s = self._clock.now().mono_s

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Call if it is time, and pimgr is well."""
        address, now_s = self._address(), self._clock.now().mono_s
        if address is None:
            self._failing_since_s = None
            self._show("")
            return
        if now_s - self._called_s < address.every_s or now_s - self._decided_s > WELL_S:
            return
        self._called_s = now_s
        self._ended(await self._call(address))

    def _ended(self, problem: str) -> None:
        now_s = self._clock.now().mono_s
        if not problem:
            self._failing_since_s = None
            self._show("")
            return
        self._failing_since_s = now_s if self._failing_since_s is None else self._failing_since_s
        if now_s - self._failing_since_s >= FAILING_S:
            self._show(problem)

    async def _call(self, address: Address) -> str:
        """ "" or why nobody heard it. The address itself is never told: it is a key."""
        try:
            return await self._told(address)
        except Exception as error:  # whatever it is: without being heard, pimgr protects all the same
            return f"it failed: {type(error).__name__}"

    async def _told(self, address: Address) -> str:
        try:
            url = address.url()
        except Refused as error:
            return str(error)
        if wrong := wrong_address(url):
            return f"the address can't be called: {wrong}"
        told = await self._get(url)
        return told and f"{safe(urlsplit(url).hostname or '', 100)}: {told}"

    async def _get(self, url: str) -> str:
        if self._worker is not None and self._worker.busy:
            return "an earlier call hangs, probably in a look-up of the name"
        self._worker = self._worker or Worker("heartbeat")
        call = _Call(url, self._limits.socket_s)
        answer = asyncio.get_running_loop().run_in_executor(self._worker, call)
        done, _ = await asyncio.wait({answer}, timeout=self._limits.deadline_s)
        if not done:
            call.cut()
            answer.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            return f"no answer in {self._limits.deadline_s:g} s"
        try:
            status = answer.result()
        except (OSError, http.client.HTTPException, ValueError) as error:
            return safe(str(error) or type(error).__name__, 200)
        if 200 <= status < 300:
            return ""
        moved = ", which leads elsewhere and is not followed" if 300 <= status < 400 else ""
        return f"it answered with status {status}{moved}"

    def close(self) -> None:
        """Let go of the thread."""
        if self._worker is not None:
            self._worker.shutdown()
