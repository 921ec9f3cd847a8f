"""Silence is the machine's own: what is amiss on this box or with its name server proves nothing about a machine."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import pytest
from pimgr_windows_host import RPC
from pimgr_windows_host.config import RpcConfig
from pimgr_windows_host.rpc import RpcHost

from pimgr.api import Deadlines, Unreachable
from pimgr.testing import FakeContext

pytestmark = pytest.mark.slow


@asynccontextmanager
async def machine(address: str, port: int = 9) -> AsyncIterator[RpcHost]:
    context = FakeContext("pc", {"pw": "secret"}, Deadlines(read_s=1.0))
    config = msgspec.convert(
        {"address": address, "port": port, "user": "pimgr", "password": {"secret": "pw"}}, RpcConfig
    )
    async with RPC.open(config, context) as connection:
        assert isinstance(connection, RpcHost)
        yield connection
    context.close()


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


def test_a_name_server_that_never_answers_is_no_silence_of_the_machine(dead_names: None) -> None:
    async def use() -> None:
        async with machine("pc.example.org") as host, asyncio.timeout(2.0):
            with pytest.raises(Unreachable, match="name server"):
                await host.read_host()

    asyncio.run(use())


def test_a_name_that_nobody_knows_is_no_silence_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def use() -> None:
        async with machine("pc.example.org") as host:
            monkeypatch.setattr(socket, "getaddrinfo", look_up)
            with pytest.raises(Unreachable, match="no machine is called"):
                await host.read_host()

    asyncio.run(use())


def test_a_box_without_a_network_says_nothing_about_the_machine() -> None:
    async def use() -> None:
        async with machine("255.255.255.255") as host:  # the kernel has no way to it, and sends nothing
            with pytest.raises(Unreachable, match="check the network of this box"):
                await host.read_host()

    asyncio.run(use())


def test_a_name_is_looked_up_though_other_look_ups_fill_the_thread_pool() -> None:
    async def use() -> None:
        over, pool = threading.Event(), ThreadPoolExecutor(1)
        loop = asyncio.get_running_loop()
        loop.set_default_executor(pool)
        pool.submit(over.wait, 10.0)
        try:
            async with machine("localhost") as host:
                began_s = loop.time()
                assert not (await host.read_host()).up
                assert loop.time() - began_s < 0.5, "refused at once; what hangs in the pool was waited for"
        finally:
            over.set()

    asyncio.run(use())


@pytest.mark.parametrize("steps", [1, 5, 30])
def test_no_shutdown_is_asked_for_once_the_connection_was_closed(steps: int) -> None:
    """Closing may come while `net` is just being started."""

    async def use() -> None:
        asked = asyncio.Event()

        async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError, asyncio.IncompleteReadError):
                await reader.readexactly(1)
                asked.set()
            writer.close()

        async with await asyncio.start_server(hear, "127.0.0.1", 0) as server:
            async with machine("127.0.0.1", server.sockets[0].getsockname()[1]) as host:
                call = asyncio.create_task(host.shut_down(None))
                for _ in range(steps):
                    await asyncio.sleep(0)
            async with asyncio.timeout(5.0):
                with pytest.raises(Unreachable, match="closed meanwhile"):
                    await call
            assert not asked.is_set()

    asyncio.run(use())
