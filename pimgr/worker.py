"""One thread of its own for one blocking connection; never the default executor, which dead look-ups fill up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Job = tuple[Callable[[], Any], "Future[Any]"]


class Worker(Executor):
    """Runs calls one by one on a daemon thread, so that a call which never returns can't keep the box from stopping.

    `shutdown` lets go of the thread, also of one that hangs: it ends when the calls that it was given do.
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._given = self._finished = 0  # each written by one thread only
        self._thread = threading.Thread(target=self._work, name=f"pimgr {name}", daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        self._given += 1
        self._jobs.put((lambda: fn(*args, **kwargs), future))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._jobs.put(None)

    @property
    def busy(self) -> bool:
        """Whether a call is running or waiting."""
        return self._finished < self._given

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            call, future = job
            if not future.set_running_or_notify_cancel():
                self._finished += 1
                continue
            result: Any = None
            error: BaseException | None = None
            try:
                result = call()
            except StopIteration as stop:  # asyncio can't carry it: whoever awaits the call would wait for ever
                error = RuntimeError("the call raised StopIteration")
                error.__cause__ = stop
            except BaseException as raised:  # whatever it is, it belongs to whoever awaits the call
                error = raised
            self._finished += 1
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
            del job, call, future, result, error
