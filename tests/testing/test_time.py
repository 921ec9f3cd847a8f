"""Virtual time jumps when nothing else can happen, and waits when something can."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from pimgr.testing import FakeClock, FakeContext, run_virtual
from pimgr.testing import time as virtual


def test_a_year_passes_in_no_time_and_to_the_second() -> None:
    async def main() -> float:
        for _ in range(365):
            await asyncio.sleep(86_400.0)
        return asyncio.get_running_loop().time()

    began = time.monotonic()
    assert run_virtual(main()) == 365 * 86_400.0
    assert time.monotonic() - began < 5.0


def test_timers_ring_in_order_and_at_their_time() -> None:
    async def main() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        rung: list[tuple[str, float]] = []

        def ring(name: str) -> None:
            rung.append((name, loop.time()))

        for name, at in (("c", 3.0), ("a", 1.0), ("b", 2.5)):
            loop.call_later(at, ring, name)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.75):
                await asyncio.Event().wait()
        await asyncio.sleep(10.0)
        return rung

    assert run_virtual(main()) == [("a", 1.0), ("b", 2.5), ("c", 3.0)]


def test_a_thread_that_answers_soon_costs_no_virtual_time() -> None:
    async def main() -> float:
        context = FakeContext()
        async with asyncio.timeout(0.01):
            await context.call(threading.Event().wait, 0.1)
        context.close()
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 0.0


def test_a_thread_that_hangs_meets_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual, "THREADS_FREE_S", 0.05)
    let_go = threading.Event()

    async def main() -> float:
        context = FakeContext()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await context.call(let_go.wait, 30.0)
        assert await context.call(lambda: "another thread") == "another thread"
        context.close()
        return asyncio.get_running_loop().time()

    try:
        assert run_virtual(main()) == pytest.approx(0.2, abs=0.1)
    finally:
        let_go.set()


def test_a_socket_is_waited_for_however_short_the_deadline() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()
        await writer.wait_closed()

    async def main() -> bytes:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        await asyncio.sleep(1000.0)  # an idle listener holds nothing back
        async with asyncio.timeout(2.0):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello\n")
            line = await reader.readline()
            writer.close()
            await writer.wait_closed()
        server.close()
        await server.wait_closed()
        return line

    assert run_virtual(main()) == b"hello\n"


def test_waiting_for_ever_is_an_error_and_no_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual, "STALL_S", 0.05)

    async def stuck() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="waits for ever"):
        run_virtual(stuck())


def test_the_clock_follows_the_loop_and_what_the_test_adds() -> None:
    async def main() -> None:
        clock = FakeClock(wall_offset_s=1_000_000.0)
        first = clock.now()
        await asyncio.sleep(60.0)
        clock.advance(5.0)
        assert clock.now().since(first) == 65.0
        assert clock.now().wall == first.wall + 65.0
        assert asyncio.get_running_loop().time() == 60.0

    run_virtual(main())


def test_a_reboot_is_another_boot_and_the_wall_clock_went_on() -> None:
    clock = FakeClock()
    before = clock.now()
    clock.reboot("boot-2", off_s=120.0)
    after = clock.now()
    assert (after.boot, after.wall_trusted, after.mono_s) == ("boot-2", False, 10.0)
    assert after.since(before) == 120.0


def test_a_clock_outlives_its_loop() -> None:
    clock = FakeClock()
    began = clock.now()

    async def main() -> None:
        clock.now()
        await asyncio.sleep(7.0)

    for _ in range(2):
        run_virtual(main())
    assert clock.now().since(began) == 14.0
