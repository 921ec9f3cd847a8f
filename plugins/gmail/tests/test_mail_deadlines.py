"""No mail server keeps us, or a thread of ours, waiting: not by its name, not by its silence, not by its chatter."""

from __future__ import annotations

import asyncio
import io
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import msgspec
import pytest
from pimgr_gmail import MAIL, MailConfig
from pimgr_gmail.mail import Mail
from pimgr_gmail.smtp import TooMuchError, _BoundedReader

from pimgr.api import Deadlines, Message, Severity, Unreachable
from pimgr.testing import FakeContext

QUICK = Deadlines(cloud_s=0.6)
NEWS = Message(key="k", severity=Severity.INFO, subject="The grid is back", text="It is.", written=1_790_000_000.0)


@asynccontextmanager
async def mail(host: str, port: int) -> AsyncIterator[Mail]:
    context = FakeContext("mail", {"pw": "secret"}, QUICK)
    table = {"user": "me@example.org", "password": {"secret": "pw"}, "to": ["me@example.com"]}
    try:
        async with MAIL.open(msgspec.convert({**table, "host": host, "port": port}, MailConfig), context) as connection:
            assert isinstance(connection, Mail)
            yield connection
    finally:
        context.close()


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "pimgr mail"]


@pytest.fixture
def dead_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No name server answers."""
    over = threading.Event()

    def look_up(*_: Any, **__: Any) -> Any:
        over.wait(20.0)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield
    over.set()


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port on which connecting never ends: its queue is full, and nobody takes from it."""
    with ExitStack() as open_ones:
        server = open_ones.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            filler = open_ones.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def test_a_name_that_no_server_knows_of_is_waited_for_no_longer_than_a_mail(dead_names: None) -> None:
    async def main() -> None:
        async with mail("smtp.example.org", 465) as account:
            began = time.monotonic()
            async with asyncio.timeout(5.0):
                with pytest.raises(Unreachable):
                    await account.send(NEWS)
            assert time.monotonic() - began < 1.5

    asyncio.run(main())


def test_a_network_that_swallows_connections_holds_no_thread(black_hole: int) -> None:
    async def main() -> None:
        async with mail("127.0.0.1", black_hole) as account:
            with pytest.raises(Unreachable, match="no answer"):
                await account.send(NEWS)
            (thread,) = threads()
            with pytest.raises(Unreachable, match="no answer"):
                await account.send(NEWS)
            assert threads() == [thread], "the same thread was free for the next mail"

    asyncio.run(main())


def test_a_reply_of_lines_without_end_is_not_collected() -> None:
    reader = _BoundedReader(io.BytesIO(b"250-and more\r\n" * 100_000))

    def collect() -> None:
        for _ in range(100_000):
            reader.readline(8192)

    with pytest.raises(TooMuchError):
        collect()


@pytest.mark.parametrize("steps", [1, 5])
def test_no_mail_is_begun_once_the_connection_was_closed(steps: int) -> None:
    """Closing may come while the session is only being made."""

    async def main() -> None:
        heard = asyncio.Event()
        async with await asyncio.start_server(lambda *_: heard.set(), "127.0.0.1", 0) as server:
            async with mail("127.0.0.1", server.sockets[0].getsockname()[1]) as account:
                call = asyncio.create_task(account.send(NEWS))
                for _ in range(steps):
                    await asyncio.sleep(0)
            with pytest.raises(Unreachable, match="closed meanwhile"):
                await call
            assert not heard.is_set()

    asyncio.run(main())
