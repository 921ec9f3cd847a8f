"""Blocking calls: each connection has a thread of its own, and a call that never returns costs only that."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pimgr.api import Unreachable
from pimgr.context import MAX_HANGING, HostContext, Surroundings
from pimgr.testing import FakeClock, FakeStore
from pimgr.worker import Worker
from tests.shell.rig import NoSecrets, Unheard

ROOT = Path(__file__).parents[2]


def context() -> HostContext:
    return HostContext("nas", FakeStore(), Surroundings(FakeClock(), NoSecrets(), Unheard()))


async def until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(10.0):
        while not fact():  # noqa: ASYNC110 - a thread's doing, of which this loop hears nothing
            await asyncio.sleep(0.001)


async def hang(of: HostContext, stuck: threading.Event) -> None:
    """A call that was cancelled at its deadline, and whose thread hangs on."""
    begun = threading.Event()

    def call() -> None:
        begun.set()
        stuck.wait(60.0)

    task = asyncio.ensure_future(of.call(call))
    await until(begun.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "pimgr nas"]


def test_a_call_answers_at_once_while_dead_lookups_fill_the_default_executor() -> None:
    stuck = threading.Event()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        lookups = [loop.run_in_executor(None, stuck.wait, 60.0) for _ in range(64)]
        noop = loop.run_in_executor(None, int)
        began = time.monotonic()
        here = context()
        assert await here.call(lambda: 42) == 42
        assert time.monotonic() - began < 1.0
        assert not noop.done(), "the default executor is indeed full"
        stuck.set()
        await asyncio.gather(noop, *lookups)
        here.release()

    try:
        asyncio.run(main())
    finally:
        stuck.set()


def test_calls_of_one_connection_run_one_after_the_other_on_one_thread() -> None:
    async def main() -> None:
        here, seen = context(), []

        def call(n: int) -> int:
            seen.append((n, threading.current_thread().name, threading.get_ident()))
            return n

        assert await asyncio.gather(*(here.call(call, n) for n in range(20))) == list(range(20))
        assert [n for n, _, _ in seen] == list(range(20))
        assert len({ident for _, _, ident in seen}) == 1
        assert seen[0][1] == "pimgr nas"
        assert seen[0][2] != threading.get_ident()
        here.release()

    asyncio.run(main())


def test_an_exception_of_the_call_is_raised_where_it_is_awaited() -> None:
    async def main() -> None:
        here = context()
        with pytest.raises(ZeroDivisionError):
            await here.call(lambda: 1 // 0)
        with pytest.raises(RuntimeError, match="StopIteration"):
            async with asyncio.timeout(5.0):
                await here.call(next, iter(()))
        assert await here.call(int, "7") == 7
        here.release()

    asyncio.run(main())


def test_the_call_after_one_that_hangs_gets_another_thread() -> None:
    async def main() -> None:
        here, stuck = context(), threading.Event()
        await hang(here, stuck)
        assert await asyncio.wait_for(here.call(lambda: 42), 5.0) == 42
        stuck.set()
        here.release()
        await until(lambda: not threads())

    asyncio.run(main())


def test_threads_that_hang_are_bounded_and_recover() -> None:
    async def main() -> None:
        here, stuck = context(), threading.Event()
        for _ in range(MAX_HANGING):
            await hang(here, stuck)
        for _ in range(5):
            with pytest.raises(Unreachable, match="still hang"):
                await here.call(lambda: 42)
        assert len(threads()) == MAX_HANGING == 3
        stuck.set()
        await until(lambda: not threads())
        assert await here.call(lambda: 42) == 42
        here.release()

    asyncio.run(main())


def test_opening_and_closing_often_does_not_count_as_hanging() -> None:
    async def main() -> None:
        here = context()
        for n in range(200):
            assert await here.call(lambda n=n: n) == n
            here.release()

    asyncio.run(main())
    assert len(threads()) < 50


def test_calls_that_were_cancelled_before_they_began_never_run_and_do_not_count_as_hanging() -> None:
    async def main() -> None:
        here, ran = context(), list[str]()
        for _ in range(MAX_HANGING + 1):
            go = threading.Event()
            first = asyncio.ensure_future(here.call(go.wait, 60.0))
            second = asyncio.ensure_future(here.call(ran.append, "second"))
            await asyncio.sleep(0)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            go.set()
            assert await first
            await until(lambda: not threads())
        assert ran == []

    asyncio.run(main())


def test_a_worker_knows_whether_it_is_busy() -> None:
    worker, stuck = Worker("nas"), threading.Event()
    assert not worker.busy
    future = worker.submit(stuck.wait, 60.0)
    assert worker.busy
    stuck.set()
    assert future.result(10.0)
    assert not worker.busy
    worker.shutdown()


def test_a_thread_that_hangs_does_not_keep_the_process_from_ending() -> None:
    program = """
import asyncio, threading
from pimgr.context import HostContext, Surroundings
from pimgr.testing import FakeClock, FakeStore
from tests.shell.rig import NoSecrets, Unheard

async def main():
    context = HostContext("nas", FakeStore(), Surroundings(FakeClock(), NoSecrets(), Unheard()))
    begun = threading.Event()
    def hang():
        begun.set()
        threading.Event().wait()
    task = asyncio.ensure_future(context.call(hang))
    while not begun.is_set():
        await asyncio.sleep(0.001)
    task.cancel()
    print("ending", flush=True)

asyncio.run(main())
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20.0, check=False, cwd=ROOT
    )
    assert ended.stdout == "ending\n"
    assert ended.returncode == 0, ended.stderr
