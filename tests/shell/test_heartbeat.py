"""The heartbeat is sent while pimgr is well, and whatever answers it harms nothing."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from pimgr import heartbeat
from pimgr.api import Refused, Secret
from pimgr.config import HouseConfig, Secrets
from pimgr.config.beat import wrong_address
from pimgr.heartbeat import Address, Heartbeat, address_of
from pimgr.testing import FakeClock

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"


class Server:
    """Takes one call after the other, on loopback; `answers` says what it does with each."""

    def __init__(self, answers: Callable[[socket.socket], None]) -> None:
        self._answers = answers
        self.heard: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/ping/token?a=1"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                talk, _ = self._listening.accept()
            except OSError:
                return
            with talk:
                self.heard.append(talk.recv(4096))
                with suppress(OSError):
                    self._answers(talk)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@contextmanager
def serving(answers: Callable[[socket.socket], None]) -> Iterator[Server]:
    server = Server(answers)
    try:
        yield server
    finally:
        server.close()


def says(data: bytes) -> Callable[[socket.socket], None]:
    return lambda talk: talk.sendall(data)


def drip(talk: socket.socket) -> None:
    while True:
        talk.sendall(b"H")
        time.sleep(0.02)


def hang(talk: socket.socket) -> None:
    talk.recv(1)


def flood(talk: socket.socket) -> None:
    talk.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        talk.sendall(b"x" * 65536)


class Looking:
    """A heartbeat that looks when a test says so."""

    def __init__(self, url: Callable[[], str] | str | None, every_s: float = 600.0) -> None:
        self.clock = FakeClock()
        self.shown = ""
        of = None if url is None else Address(url if callable(url) else lambda: url, every_s)
        self.beat = Heartbeat(self.clock, lambda: of, self._show)

    def _show(self, text: str) -> None:
        self.shown = text

    async def after(self, seconds: float, *, well: bool = True) -> None:
        self.clock.advance(seconds)
        if well:
            self.beat.decided()
        await self.beat.look()


def play(story: Callable[[], object]) -> None:
    asyncio.run(story())  # type: ignore[arg-type]


def test_it_is_called_every_ten_minutes_while_pimgr_is_well_and_not_otherwise():
    async def story() -> None:
        with serving(says(OK)) as server:
            looking = Looking(server.url)
            for seconds, well, calls in ((1, False, 0), (1, True, 1), (300, True, 1), (300, True, 2), (700, False, 2)):
                await looking.after(seconds, well=well)
                assert len(server.heard) == calls
            assert server.heard[0].startswith(b"GET /ping/token?a=1 HTTP/1.1\r\n")
            assert looking.shown == ""

    play(story)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (hang, "no answer in 0.3 s"),
        (drip, "no answer in 0.3 s"),
        (says(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n"), "status 302, which leads elsewhere"),
        (says(b"HTTP/1.1 404 Not Found\r\n\r\n"), "status 404"),
        (says(b"\x00\xff\n\n"), "127.0.0.1: "),
        (says(b""), "127.0.0.1: "),
    ],
    ids=["hangs", "drips", "redirects", "refuses", "garbage", "hangs up"],
)
def test_what_fails_is_silent_for_an_hour_then_shown_and_never_shows_the_address(answers, said, monkeypatch):
    monkeypatch.setattr(heartbeat, "DEADLINE_S", 0.3)

    async def story() -> None:
        with serving(answers) as server:
            looking = Looking(server.url)
            began = time.monotonic()
            for _ in range(6):
                await looking.after(601)
                assert looking.shown == ""
                await asyncio.sleep(0.2)
            await looking.after(601)
            assert said in looking.shown
            assert "token" not in looking.shown
            assert time.monotonic() - began < 20.0

    play(story)


def test_a_call_that_is_cut_leaves_the_thread_free_for_the_next(monkeypatch):
    monkeypatch.setattr(heartbeat, "DEADLINE_S", 0.3)

    async def story() -> None:
        with serving(drip) as server:
            looking = Looking(server.url)
            await looking.after(1)
            for _ in range(100):
                if not looking.beat._worker.busy:
                    return
                await asyncio.sleep(0.05)
            raise AssertionError("it hangs")

    play(story)


def test_a_call_that_is_not_answered_ends(monkeypatch):
    """By the deadline, and by the socket's own time-out where that isn't there."""
    monkeypatch.setattr(heartbeat, "DEADLINE_S", 0.3)
    monkeypatch.setattr(heartbeat, "SOCKET_TIMEOUT_S", 0.5)

    async def story() -> None:
        with serving(hang) as server:
            await asyncio.wait_for(Looking(server.url).after(1), 10.0)

    play(story)


def test_of_an_answer_without_end_only_the_beginning_is_read():
    async def story() -> None:
        with serving(flood) as server:
            looking = Looking(server.url)
            await asyncio.wait_for(looking.after(1), 10.0)
            await looking.after(3601)
            assert looking.shown == ""

    play(story)


def test_it_is_shown_no_more_once_it_is_heard_again():
    async def story() -> None:
        with serving(lambda talk: talk.sendall(OK if well else b"HTTP/1.1 500 No\r\n\r\n")) as server:
            looking = Looking(server.url)
            for _ in range(8):
                await looking.after(601)
            assert "status 500" in looking.shown
            well.append(True)
            await looking.after(601)
            assert looking.shown == ""

    well: list[bool] = []
    play(story)


def test_a_secret_that_is_missing_or_no_address_is_shown():
    def missing() -> str:
        raise Refused("secrets", "the secret beat", "it is not there")

    async def story(url: Callable[[], str], said: str) -> None:
        looking = Looking(url)
        for _ in range(8):
            await looking.after(601)
        assert said in looking.shown

    asyncio.run(story(missing, "it is not there"))
    asyncio.run(story(lambda: "ftp://example.net/x", "must begin with https://"))


def test_nobody_is_called_without_an_address():
    async def story() -> None:
        looking = Looking(None)
        await looking.after(601)
        assert looking.shown == ""

    play(story)


def test_the_address_is_taken_from_the_config_or_from_its_secret(tmp_path):
    (tmp_path / "beat").write_text("https://example.net/secret\n")
    (tmp_path / "beat").chmod(0o600)
    for told, url in (
        ("https://example.net/x", "https://example.net/x"),
        (Secret("beat"), "https://example.net/secret"),
    ):
        address = address_of(HouseConfig(heartbeat=told), Secrets(tmp_path))
        assert address is not None
        assert address.url() == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://hc.example.net/uuid", ""),
        ("http://127.0.0.1:8000/x", ""),
        ("http://[::1]/x", ""),
        ("http://example.net/x", "must begin with https://"),
        ("file:///etc/passwd", "no address"),
        ("ftp://example.net/", "must begin with https://"),
        ("https://user:pw@example.net/", "user or password"),
        ("https://example.net:port/", "no address"),
        ("https://exa mple.net/\r\nX: y", "no address"),
        ("https:///x", "no address"),
        ("", "no address"),
    ],
)
def test_only_an_address_that_nobody_reads_along_is_called(url, said):
    wrong = wrong_address(url)
    assert (said in wrong) if said else not wrong
