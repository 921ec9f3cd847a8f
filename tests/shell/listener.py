"""Somebody outside who listens for the heartbeat, well or badly; on loopback, in a thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Answer = Callable[[socket.socket, threading.Event], None]
"""What is done with one caller, until the event says that the listener goes."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"


class Listener:
    """Takes one call after the other; `heard` is what each said."""

    def __init__(self, answer: Answer) -> None:
        self._answer, self._stop = answer, threading.Event()
        self.heard: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._talk: socket.socket | None = None
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/ping/token?a=1"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stop.is_set():
            with suppress(OSError):
                self._talk, _ = self._listening.accept()
                with self._talk as talk:
                    self.heard.append(talk.recv(4096))
                    self._answer(talk, self._stop)

    def close(self) -> None:
        """Hang up, whoever is calling."""
        self._stop.set()
        for each in filter(None, (self._listening, self._talk)):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._thread.join(10.0)
        self._listening.close()
        assert not self._thread.is_alive()


@contextmanager
def serving(answer: Answer) -> Iterator[Listener]:
    listener = Listener(answer)
    try:
        yield listener
    finally:
        listener.close()


def says(data: bytes) -> Answer:
    return lambda talk, _stop: talk.sendall(data)


def drip(talk: socket.socket, stop: threading.Event) -> None:
    while not stop.wait(0.02):
        talk.sendall(b"H")


def hang(talk: socket.socket, _stop: threading.Event) -> None:
    talk.recv(1)


def flood(talk: socket.socket, _stop: threading.Event) -> None:
    talk.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        talk.sendall(b"x" * 65536)
