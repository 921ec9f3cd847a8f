"""The heartbeat is sent while pimgr is well, and whatever answers it harms nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pimgr.api import Refused, Secret
from pimgr.config import HouseConfig, Secrets
from pimgr.config.beat import wrong_address
from pimgr.heartbeat import LIMITS, Address, Heartbeat, Limits, address_of
from pimgr.testing import FakeClock
from tests.shell.listener import OK, drip, flood, hang, says, serving

LONG_S = 30.0
SHORT = Limits(deadline_s=0.1, socket_s=LONG_S)


class Looking:
    """A heartbeat that looks when a test says so."""

    def __init__(self, url: Callable[[], str] | str | None, limits: Limits = LIMITS) -> None:
        self.clock = FakeClock()
        self.shown = ""
        of = None if url is None else Address(url if callable(url) else lambda: url, 600.0)
        self.beat = Heartbeat(self.clock, lambda: of, self._show, limits)

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
    ("answers", "limits", "said"),
    [
        (hang, SHORT, "no answer in 0.1 s"),
        (drip, SHORT, "no answer in 0.1 s"),
        (
            says(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n"),
            LIMITS,
            "status 302, which leads elsewhere",
        ),
        (says(b"HTTP/1.1 404 Not Found\r\n\r\n"), LIMITS, "status 404"),
        (says(b"\x00\xff\n\n"), LIMITS, "127.0.0.1: "),
        (says(b""), LIMITS, "127.0.0.1: "),
    ],
    ids=["hangs", "drips", "redirects", "refuses", "garbage", "hangs up"],
)
def test_what_fails_is_silent_for_an_hour_then_shown_and_never_shows_the_address(answers, limits, said):
    async def story() -> None:
        with serving(answers) as server:
            looking = Looking(server.url, limits)
            for _ in range(6):
                await looking.after(601)
                assert looking.shown == ""
            async with asyncio.timeout(LONG_S):
                while said not in looking.shown:  # a call that was cut may take a moment to end
                    await looking.after(601)
                    await asyncio.sleep(0)
            assert "token" not in looking.shown

    play(story)


def test_a_call_that_is_cut_leaves_the_thread_free_for_the_next():
    async def story() -> None:
        with serving(drip) as server:
            looking = Looking(server.url, SHORT)
            async with asyncio.timeout(LONG_S):
                while len(server.heard) < 2:
                    await looking.after(601)
                    await asyncio.sleep(0)

    play(story)


@pytest.mark.parametrize(
    ("limits", "said"),
    [(SHORT, "no answer in 0.1 s"), (Limits(deadline_s=LONG_S, socket_s=0.1), "timed out")],
    ids=["by the deadline", "by the socket"],
)
def test_a_call_that_is_not_answered_ends(limits, said):
    """The limit that is shorter has ended it: what is shown names the one or the other."""

    async def story() -> None:
        with serving(hang) as server:
            looking = Looking(server.url, limits)
            async with asyncio.timeout(10.0):
                while said not in looking.shown:
                    await looking.after(3601)
                    await asyncio.sleep(0)

    play(story)


def test_what_nobody_foresaw_is_shown_and_ends_nothing_and_the_next_call_is_made():
    def url() -> str:
        if not well:
            raise ZeroDivisionError("token")
        return server.url

    async def story() -> None:
        looking = Looking(url)
        for _ in range(8):
            await looking.after(601)
        assert looking.shown == "it failed: ZeroDivisionError"
        well.append(True)
        await looking.after(601)
        assert len(server.heard) == 1
        assert looking.shown == ""

    well: list[bool] = []
    with serving(says(OK)) as server:
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
        with serving(lambda talk, _stop: talk.sendall(OK if well else b"HTTP/1.1 500 No\r\n\r\n")) as server:
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
