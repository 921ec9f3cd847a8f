"""What a plugin says to the world while one device is tried: connections, bytes, programs, log lines. No secrets.

It looks at the process from outside (audit events, the methods of sockets, the root logger), so it works for any
library. Bytes are counted and never kept: what is on the wire may be a password in a form that nobody foresaw.
"""

from __future__ import annotations

import base64
import logging
import re
import socket
import ssl
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pimgr.api import Frozen, Storable
from pimgr.text import safe

MOST_EVENTS = 500
LINE_LENGTH = 300
_SHORTEST = 3
"""Texts shorter than this would blot out every word; nobody has such a password."""
_NAMED = re.compile(
    r"(?i)((?:authorization|cookie|token|passw(?:or)?d|secret|key|pin|session)s?[\"']?\s*[:=]\s*(?:bearer\s+|basic\s+)?[\"']?)"
    r"([^\s\"',;&}\])]+)"
)
"""Values that libraries print with a name: session cookies and the like, which no config holds."""
_SENDS = ("send", "sendall", "sendto", "sendmsg")
_RECEIVES = ("recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg")
_QUIET = ("asyncio",)
"""Loggers that say nothing about a device."""


class Event(Frozen, kw_only=True):
    """One thing that happened, `at_s` after the beginning."""

    at_s: float
    what: str
    text: str


class Redactor:
    """Takes secrets out of a text, also in the forms that they take in URLs, headers and logs."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms: set[str] = set()
        for secret in secrets:
            self.learn(secret)

    def learn(self, value: Storable) -> None:
        """A secret, or a value that a connection keeps: every text in it is one."""
        match value:
            case str() if len(value) >= _SHORTEST:
                self._forms |= _forms(value)
            case bytes() if len(value) >= _SHORTEST:
                self._forms |= {value.hex(), base64.b64encode(value).decode(), repr(value)[2:-1]}
            case list():
                for item in value:
                    self.learn(item)
            case dict():
                for item in value.values():
                    self.learn(item)
            case _:
                pass

    def clean(self, text: str) -> str:
        for form in sorted(self._forms, key=len, reverse=True):
            text = text.replace(form, "***")
        return _NAMED.sub(r"\1***", text)

    def cleaned(self, value: Any) -> Any:
        """Plain data with every text in it clean."""
        match value:
            case str():
                return self.clean(value)
            case list() | tuple():
                return [self.cleaned(item) for item in value]
            case dict():
                return {key: self.cleaned(item) for key, item in value.items()}
            case _:
                return value


def _forms(secret: str) -> set[str]:
    raw = secret.encode(errors="surrogatepass")
    forms = {secret, repr(secret)[1:-1], urllib.parse.quote(raw), urllib.parse.quote(raw, safe="")}
    forms |= {urllib.parse.quote_plus(raw), raw.hex(), raw.hex().upper()}
    forms |= {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
    return {*forms, *(form.rstrip("=") for form in forms if form.endswith("="))}


class Trace:
    """Collects events while it is watching. One at a time in a process."""

    def __init__(self, redactor: Redactor) -> None:
        self.events: list[Event] = []
        self.sent = self.received = 0
        self._redactor = redactor
        self._began_s = time.monotonic()
        self._lock = threading.RLock()  # a log line may come out of a socket's method
        self._flow: tuple[str, str, int] | None = None
        self._inside = threading.local()

    def note(self, what: str, text: str) -> None:
        """One event, without its secrets."""
        with self._lock:
            self._flow = None
            self._add(what, text)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note what the process does meanwhile."""
        handler = _Lines(self)
        root = logging.getLogger()
        level = root.level
        _hook.trace = self
        _hook.install()
        undo = [*_patched(socket.socket, self), *_patched(ssl.SSLSocket, self)]
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            root.setLevel(level)
            root.removeHandler(handler)
            for each in undo:
                each()
            _hook.trace = None

    def flowed(self, direction: str, peer: str, count: int) -> None:
        """Bytes to or from a peer; what follows one another is one event."""
        with self._lock:
            self.sent += count if direction == "sent" else 0
            self.received += count if direction == "received" else 0
            if self._flow is not None and self._flow[:2] == (direction, peer) and self.events:
                count += self._flow[2]
                at_s = self.events.pop().at_s
            else:
                at_s = time.monotonic() - self._began_s
            self._add("wire", f"{peer}: {direction} {count} B", at_s)
            self._flow = (direction, peer, count)

    def _add(self, what: str, text: str, at_s: float | None = None) -> None:
        if len(self.events) < MOST_EVENTS:
            since = time.monotonic() - self._began_s if at_s is None else at_s
            text = safe(self._redactor.clean(text), LINE_LENGTH)
            self.events.append(Event(at_s=round(since, 4), what=what, text=text))

    # ----------------------------------------------------------------------------------------------------- sockets

    def counting(self, direction: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """`method` of a socket, counted once where a TLS socket hands on to its own parent."""

        def counted(sock: socket.socket, *args: Any, **kwargs: Any) -> Any:
            if getattr(self._inside, "call", False) or sock.family == socket.AF_UNIX:
                return method(sock, *args, **kwargs)
            self._inside.call = True
            try:
                result = method(sock, *args, **kwargs)
            finally:
                self._inside.call = False
            self.flowed(direction, _peer(sock), _length(result, args))
            return result

        return counted

    def audited(self, event: str, args: tuple[Any, ...]) -> None:
        """What the interpreter does. Source: Python's documentation, "Audit events table"."""
        match event:
            case "socket.connect" if isinstance(args[1], tuple):
                self.note("wire", f"connects to {args[1][0]}:{args[1][1]}")
            case "socket.getaddrinfo" | "socket.gethostbyname":
                self.note("wire", f"looks up {args[0]}")
            case "subprocess.Popen":
                words = args[1] if isinstance(args[1], list | tuple) else [args[1]]
                self.note("program", " ".join(str(word) for word in words))
            case _:
                pass


class _Hook:
    """Audit hooks can't be removed: there is one, and it tells whoever watches."""

    def __init__(self) -> None:
        self.trace: Trace | None = None
        self._installed = False

    def install(self) -> None:
        if not self._installed:
            sys.addaudithook(self._audit)
            self._installed = True

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if self.trace is not None and event.startswith(("socket.", "subprocess.")):
            self.trace.audited(event, args)


_hook = _Hook()


class _Lines(logging.Handler):
    """Every library's log lines, down to DEBUG."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(logging.DEBUG)
        self._trace = trace

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.split(".")[0] in _QUIET:
            return
        try:
            text = record.getMessage()
        except Exception:  # a library's own mistake in its arguments
            text = str(record.msg)
        self._trace.note("log", f"{record.name}: {' '.join(text.split())}")


def _patched(kind: type[Any], trace: Trace) -> Iterator[Callable[[], None]]:
    """Count the bytes of this kind of socket; gives what undoes it."""
    for names, direction in ((_SENDS, "sent"), (_RECEIVES, "received")):
        for name in names:
            if kind is not socket.socket and name not in vars(kind):
                continue
            own, method = vars(kind).get(name), getattr(kind, name)
            setattr(kind, name, trace.counting(direction, method))
            yield lambda name=name, own=own: setattr(kind, name, own) if own else delattr(kind, name)  # type: ignore[misc]


def _peer(sock: socket.socket) -> str:
    try:
        peer = sock.getpeername()
    except OSError:
        return "a socket"
    return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else str(peer)


def _length(result: Any, args: tuple[Any, ...]) -> int:
    """How many bytes a method moved, by what it returned, or was given."""
    match result:
        case int():
            return result
        case bytes():
            return len(result)
        case (bytes() as data, *_):
            return len(data)
        case (int() as count, *_):
            return count
        case None if args and isinstance(args[0], bytes | bytearray | memoryview):
            return len(args[0])
        case _:
            return 0
