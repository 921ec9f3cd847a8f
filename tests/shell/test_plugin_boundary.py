"""Whatever a plugin raises, gives back or leaves hanging: it becomes a fact about its part, and the house goes on."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from typing import Any

import pytest

from pimgr import api
from pimgr.api import DeviceError, Garbled, LoadReading, Refused, Unreachable, Unsupported
from pimgr.testing import run_virtual
from tests.shell.rig import Odd, OddConfig, Shell


class OfItsOwn(BaseException):
    """As of tesla-fleet-api 1.18, whose errors derive from BaseException."""


RAISED: list[BaseException] = [
    ValueError("a defect"),
    KeyError("part"),
    TimeoutError(),
    OSError(111, "refused"),
    RecursionError(),
    MemoryError(),
    ExceptionGroup("several", [ValueError("a"), OSError("b")]),
    BaseExceptionGroup("several", [OfItsOwn(), asyncio.CancelledError()]),
    AssertionError(),
    OfItsOwn("deep"),
    SystemExit(3),
    KeyboardInterrupt(),
    GeneratorExit(),
    asyncio.CancelledError(),
    StopIteration(),
    StopAsyncIteration(),
    DeviceError("plug", "off", "not one of the four"),
]


class Defect:
    @staticmethod
    async def switch(context: api.Context, on: bool) -> None:
        raise ValueError("a defect")


@pytest.mark.parametrize("raised", RAISED, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("where", ["switch", "read", "opening", "closing"])
def test_an_exception_of_any_type_becomes_an_outcome_and_the_connection_is_opened_again(
    raised: BaseException, where: str
) -> None:
    async def main() -> None:
        odd, good = Odd(), Odd()

        async def fail(*_: Any) -> Any:
            raise raised

        async with Shell() as shell:
            shell.add("good", good.type(), OddConfig())
            setattr(odd, where, fail)
            if where == "closing":  # something has to close it
                odd.switch = Defect.switch
            shell.add("plug", odd.type(), OddConfig())
            error = await shell.switch("plug", False)
            if where in ("switch", "opening"):
                assert isinstance(error, Garbled)
                assert (
                    type(raised).__name__ in str(error)
                    or "not one of the four" in str(error)
                    or type(raised)
                    in (
                        StopIteration,
                        StopAsyncIteration,
                    )
                )
            assert await shell.switch("good", False) is None
            odd.switch = Odd().switch
            if where != "closing":
                setattr(odd, where, getattr(Odd(), where))
            opens = odd.opens
            assert await shell.switch("plug", True) is None
            assert odd.switched[-1][1] is True
            if where == "opening":
                assert odd.opens > opens
            elif where in ("switch", "closing") and not isinstance(raised, DeviceError):
                assert odd.opens >= 2
                assert odd.closes >= 1

    run_virtual(main())


@pytest.mark.parametrize("raised", RAISED, ids=lambda e: type(e).__name__)
def test_what_a_blocking_call_raises_becomes_an_outcome_at_once(raised: BaseException) -> None:
    async def main() -> None:
        odd = Odd()

        def blocking() -> None:
            raise raised

        async def fail(context: api.Context, on: bool) -> None:
            await context.call(blocking)

        odd.switch = fail
        async with Shell() as shell:
            shell.add("plug", odd.type(), OddConfig())
            await shell.settle()
            asked = shell.switch("plug", False, deadline_s=5.0)
            began = shell.now_s
            assert isinstance(await asked, Garbled)
            assert asked.at_s - began < 2.0
            assert await shell.switch("plug", True) is not None

    run_virtual(main())


ONLY_TOLD = lambda config: {"": frozenset({api.Capability.NOTIFIER})}  # noqa: E731 - never polled, never read back


def _at(context: api.Context) -> api.Instant:
    return context.now()


NONSENSE: dict[str, Any] = {
    "nothing": lambda c: None,
    "a dict": lambda c: {"on": True},
    "another kind of reading": lambda c: api.HostReading(at=_at(c), source="x", up=True),
    "a text for a number": lambda c: LoadReading(at=_at(c), source="x", on=True, power_w="12"),  # type: ignore[arg-type]
    "a number for a switch": lambda c: LoadReading(at=_at(c), source="x", on=1),  # type: ignore[arg-type]
    "no date": lambda c: LoadReading(at=None, source="x", on=True),  # type: ignore[arg-type]
    "a date of its own": lambda c: LoadReading(at=api.Instant(5.0, 5.0, "elsewhere"), source="x", on=True),
    "a date that is not a number": lambda c: LoadReading(
        at=api.Instant(float("nan"), 0.0, _at(c).boot), source="x", on=True
    ),
    "the future": lambda c: LoadReading(at=api.Instant(_at(c).mono_s + 60.0, 0.0, _at(c).boot), source="x", on=True),
    "not a number": lambda c: LoadReading(at=_at(c), source="x", on=True, power_w=float("nan")),  # type: ignore[arg-type]
    "what msgpack can't carry": lambda c: LoadReading(at=_at(c), source=object(), on=True),  # type: ignore[arg-type]
    "broken text": lambda c: LoadReading(at=_at(c), source="\ud800", on=True),
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_for_a_reading_never_reaches_the_board_and_no_task_dies_of_it(nonsense: Any) -> None:
    async def main() -> None:
        odd = Odd()

        async def read(context: api.Context) -> Any:
            return nonsense(context)

        odd.read = read
        async with Shell() as shell:
            shell.add("plug", odd.type(), OddConfig())
            assert await shell.switch("plug", False) is None
            view = shell.board.views()["plug"]
            assert view.reading is None
            assert view.fault
            assert shell.tasks["plug"].health.state == "lost"
            odd.read = Odd().read
            await shell.until(lambda: shell.board.views()["plug"].reading is not None)

    run_virtual(main())


def test_an_errors_words_arrive_as_text_of_bounded_length() -> None:
    async def main() -> None:
        odd = Odd()

        async def read(context: api.Context) -> Any:
            raise Unreachable("plug", "a reading", OSError("x" * 1_000_000), None)  # type: ignore[arg-type]

        odd.read = read
        async with Shell() as shell:
            shell.add("plug", odd.type(), OddConfig())
            await shell.settle()
            fault = shell.board.views()["plug"].fault
            assert isinstance(fault, str)
            assert len(fault) <= 500
            assert len(shell.tasks["plug"].health.reason) < 2100

    run_virtual(main())


def test_a_close_that_hangs_is_left_behind() -> None:
    async def main() -> None:
        odd, stubborn = Odd(), True

        async def never(context: api.Context) -> None:
            while stubborn:
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.1)

        async def defect(context: api.Context, on: bool) -> None:
            raise ValueError

        odd.closing = never
        async with Shell() as shell:
            shell.add("plug", odd.type(), OddConfig())
            await shell.settle()
            odd.switch = defect
            began = shell.now_s
            assert await shell.switch("plug", False) is not None
            assert shell.now_s - began < 2.5
            odd.switch, odd.closing = Odd().switch, Odd().closing
            assert await shell.switch("plug", True) is None
            stubborn = False
            await shell.settle(1.0)

    run_virtual(main())


def test_an_open_that_hangs_in_its_thread_does_not_block_the_next_one() -> None:
    async def main() -> None:
        odd, stuck = Odd(), threading.Event()

        async def hang(context: api.Context) -> None:
            await context.call(stuck.wait, 60.0)

        async def through_the_thread(context: api.Context, on: bool) -> None:
            assert await context.call(lambda: 41 + 1) == 42

        odd.opening, odd.switch = hang, through_the_thread
        shell = Shell()
        try:
            async with shell:
                shell.add("plug", odd.type(provides=ONLY_TOLD), OddConfig())
                error = await shell.switch("plug", False, deadline_s=0.05)
                assert isinstance(error, Unreachable)
                odd.opening = Odd().opening
                assert await shell.switch("plug", False) is None
        finally:
            stuck.set()

    asyncio.run(main())


def test_closing_lets_the_thread_go() -> None:
    async def main() -> None:
        odd = Odd()

        async def through_the_thread(context: api.Context, on: bool) -> None:
            await context.call(int)

        odd.switch = through_the_thread
        async with Shell() as shell:
            shell.add("threaded", odd.type(), OddConfig())
            assert await shell.switch("threaded", False) is None
            assert [t for t in threading.enumerate() if t.name == "pimgr threaded"]

    asyncio.run(main())
    for thread in threading.enumerate():
        if thread.name == "pimgr threaded":
            thread.join(10.0)
            assert not thread.is_alive()


def test_a_library_that_does_not_import_is_reported_and_everything_else_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        odd, good = Odd(), Odd()
        async with Shell() as shell:
            shell.add("plug", odd.type(vendor_modules=("no_such_vendor_library",)), OddConfig())
            shell.add("good", good.type(), OddConfig())
            assert await shell.switch("good", False) is None
            error = await shell.switch("plug", False)
            assert isinstance(error, Unsupported)
            assert "no_such_vendor_library" in str(error)
            assert odd.opens == 0
            health = shell.tasks["plug"].health
            assert health.state == "lost"
            assert "no_such_vendor_library" in health.reason
            assert health.since is not None
            await shell.settle(3600.0)
            assert shell.tasks["good"].health.state == "ok"

    with caplog.at_level(logging.INFO):
        run_virtual(main())
    about = [r for r in caplog.records if "no_such_vendor_library" in r.getMessage()]
    assert len(about) <= 3, "the library, its reading, its requests: once each"


@pytest.mark.parametrize(
    "text", ["raise SystemExit(1)", "raise BaseException('x')", "1/0", "import nope_nope", "def ("]
)
def test_a_library_may_fail_to_import_in_any_way(text: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vendor_that_fails.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    async def main() -> None:
        odd = Odd()
        async with Shell() as shell:
            shell.add("plug", odd.type(vendor_modules=("vendor_that_fails",)), OddConfig())
            assert isinstance(await shell.switch("plug", False), Unsupported)

    run_virtual(main())


def test_libraries_are_imported_off_the_loop(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vendor_that_is_slow.py").write_text(
        "import threading\nTHREAD = threading.current_thread()\nfrom tests.shell import gate\ngate.OPEN.wait(30)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from tests.shell import gate

    async def main() -> None:
        odd, good = Odd(), Odd()
        async with Shell() as shell:
            shell.add("plug", odd.type(vendor_modules=("vendor_that_is_slow",)), OddConfig())
            shell.add("good", good.type(), OddConfig())
            asked = shell.switch("plug", False)
            for _ in range(5):
                assert await shell.switch("good", False) is None
            assert not asked.answer.done()
            assert shell.tasks["plug"].health.state == "waiting"
            gate.OPEN.set()
            assert await asked is None, "the first call does not pay for the import with its deadline"

    asyncio.run(main())
    import vendor_that_is_slow  # type: ignore[import-not-found]

    assert vendor_that_is_slow.THREAD is not threading.main_thread()


def test_a_refusal_with_a_missing_word_is_the_plugins_defect() -> None:
    async def main() -> None:
        odd = Odd()

        async def refuse(context: api.Context, on: bool) -> None:
            raise Refused("plug")  # type: ignore[call-arg]

        odd.switch = refuse
        async with Shell() as shell:
            shell.add("plug", odd.type(), OddConfig())
            error = await shell.switch("plug", False)
            assert isinstance(error, Garbled)
            assert "its plugin failed with TypeError" in str(error)

    run_virtual(main())
