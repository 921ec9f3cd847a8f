"""The stand-in context treats a plugin as pimgr does."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from pimgr import api
from pimgr.testing import FakeContext, FakeStore


def put(store: FakeStore, value: api.Storable) -> None:
    asyncio.run(store.put("key", value))


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "text", b"bytes", [1, ["a"]], {"a": {"b": [None]}}])
def test_plain_data_is_stored_as_it_is(value: api.Storable) -> None:
    store = FakeStore()
    put(store, value)
    assert store.get("key") == value
    assert type(store.get("key")) is type(value)


@pytest.mark.parametrize("value", [(1, 2), {1: "a"}, {"a": (1,)}, {1, 2}, api.Secret("x"), object()])
def test_what_would_come_back_changed_is_not_stored(value: object) -> None:
    store = FakeStore()
    with pytest.raises(TypeError):
        put(store, value)
    assert store.get("key") is None


def test_a_full_disk_keeps_the_old_value() -> None:
    store = FakeStore()
    put(store, "old")
    store.failure = OSError(28, "No space left on device")
    with pytest.raises(OSError, match="No space"):
        put(store, "new")
    assert store.get("key") == "old"


def test_what_is_stored_is_a_copy() -> None:
    store, value = FakeStore(), ["a"]
    put(store, value)
    value.append("b")
    store.get("key").append("c")
    assert store.get("key") == ["a"]


def test_an_unknown_secret_is_refused_by_name() -> None:
    context = FakeContext("pump", {"known": "text"})
    assert context.secret(api.Secret("known")) == "text"
    with pytest.raises(api.Refused, match=r"pump.*unknown"):
        context.secret(api.Secret("unknown"))


def test_calls_run_on_one_thread_of_the_connections_own() -> None:
    async def main() -> list[int]:
        context = FakeContext()
        idents = [await context.call(threading.get_ident) for _ in range(3)]
        context.close()
        context.close()
        return idents

    idents = asyncio.run(main())
    assert len(set(idents)) == 1
    assert idents[0] != threading.get_ident()


def test_a_calls_error_is_the_callers() -> None:
    async def main() -> None:
        context = FakeContext()
        with pytest.raises(ZeroDivisionError):
            await context.call(lambda: 1 / 0)
        context.close()

    asyncio.run(main())


def test_scripted_devices_need_no_pytest() -> None:
    program = "import sys, pimgr.testing.scripted; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=30.0).returncode == 0
