"""Which device is meant, and where it is: pinned when first seen, looked for when it moved, followed by its id only."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from pimgr_kasa import PLUG, PlugConfig, search
from pimgr_kasa.plug import Outlet
from pimgr_kasa.search import Ears, broadcast_for

from pimgr.api import Deadlines, DeviceError, Garbled, Severity, Unreachable
from pimgr.house import Fault, House
from pimgr.testing import FakeClock, FakeContext, FakeStore

pytestmark = pytest.mark.slow

HOUSE = """
version = 1
[[device]]
id = "plug"
kind = "kasa"
discovery = true
[[device]]
id = "klap"
kind = "kasa"
protocol = "klap2"
discovery = true
"""
HERE, NOBODY = "127.0.0.1", "127.0.0.9"
CLOSED_PORT = 1
QUICK = Deadlines(read_s=1.0, switch_s=1.0)


@dataclass
class Home:
    """A house, and what one connection keeps while pimgr is restarted around it."""

    house: House
    store: FakeStore
    clock: FakeClock
    told: list[tuple[str, Any]]

    @asynccontextmanager
    async def outlet(self, device: str = "plug", **keys: Any) -> AsyncIterator[Outlet]:
        """A new start of pimgr, with one plug."""
        context = FakeContext(device, {}, QUICK, store=self.store, clock=self.clock)
        context.told = self.told
        port = {"port": self.house.port("plug"), "klap_port": CLOSED_PORT}
        if device == "klap":
            port = {"port": CLOSED_PORT, "klap_port": self.house.port("klap")}
        config = msgspec.convert({"address": HERE, **port, **keys}, PlugConfig)
        try:
            async with PLUG.open(config, context) as connection:
                part = connection.parts[""]
                assert isinstance(part, Outlet)
                yield part
        finally:
            context.close()

    async def read(self, device: str = "plug", **keys: Any) -> bool:
        async with self.outlet(device, **keys) as outlet:
            return (await outlet.read_load()).on

    def searches(self) -> int:
        """How often the plug was asked by a broadcast to tell who it is; there is one connection a reading at most."""
        return sum(entry.what == "query" for entry in self.house.wire)


@asynccontextmanager
async def home(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Home]:
    """Its devices listen to searches at ports of their own, on the loopback's broadcast address."""
    async with House.from_toml(HOUSE) as house:
        monkeypatch.setattr(search, "EARS", Ears(house.port("plug"), house.port("klap")))
        yield Home(house, FakeStore(), FakeClock(), [])


async def failure(call: Awaitable[object], kind: type[DeviceError]) -> DeviceError:
    with pytest.raises(DeviceError) as caught:
        await call
    assert type(caught.value) is kind, caught.value
    return caught.value


# --------------------------------------------------------------------------------------------------------- who it is


def test_the_first_device_seen_is_pinned_and_another_neither_believed_nor_switched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        async with home(monkeypatch) as at:
            assert await at.read()
            at.house.controls("plug").new_identity()
            other = at.house.controls("plug").device_id
            async with at.outlet() as outlet:
                error = await failure(outlet.read_load(), Garbled)
                assert f"another device answers at {HERE}" in error.fact
                assert f'device_id = "{other}"' in error.cure
                await failure(outlet.switch(False), Garbled)
            assert at.house.wire.of("switch") == []

    asyncio.run(main())


def test_a_device_exchanged_while_connected_is_noticed_without_a_configured_id(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with home(monkeypatch) as at, at.outlet("klap") as outlet:
            assert (await outlet.read_load()).on
            at.house.controls("klap").new_identity()
            await failure(outlet.switch(False), Garbled)
            assert at.house.wire.of("switch") == []

    asyncio.run(main())


def test_the_pin_outlives_a_power_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with home(monkeypatch) as at:
            assert await at.read()
            at.store = at.store.after_power_cut()
            at.house.controls("plug").new_identity()
            await failure(at.read(), Garbled)

    asyncio.run(main())


def test_a_replaced_device_is_accepted_by_its_id_in_the_config_and_pinned_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        async with home(monkeypatch) as at:
            assert await at.read()
            at.house.controls("plug").new_identity()
            assert await at.read(device_id=at.house.controls("plug").device_id.lower())
            assert await at.read()

    asyncio.run(main())


# -------------------------------------------------------------------------------------------------------- where it is


@pytest.mark.parametrize("device", ["plug", "klap"])
def test_a_device_that_moved_is_found_followed_and_told(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The legacy discovery tells the id, the newer one only the MAC address."""

    async def main() -> None:
        async with home(monkeypatch) as at:
            assert await at.read(device)
            assert await at.read(device, address=NOBODY)
            assert at.store.get("followed") == HERE
            (key, finding) = at.told[-1]
            assert (key, finding.severity) == ("address", Severity.WARNING)
            assert NOBODY in finding.text
            assert "fixed address" in finding.cure
            assert HERE in finding.cure

    asyncio.run(main())


def test_where_it_was_found_is_asked_at_once_from_then_on_also_after_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with home(monkeypatch) as at:
            await at.read()
            await at.read(address=NOBODY)
            at.store = at.store.after_power_cut()
            monkeypatch.setattr(search, "EARS", Ears(CLOSED_PORT, CLOSED_PORT))
            async with at.outlet(address=NOBODY) as outlet:
                await outlet.switch(False)
            assert at.house.is_on("plug") is False

    asyncio.run(main())


def test_it_is_forgotten_where_it_was_once_the_configured_address_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with home(monkeypatch) as at:
            await at.read()
            await at.store.put("followed", NOBODY)
            assert await at.read()
            assert at.store.get("followed") is None
            assert at.told[-1] == ("address", None)

    asyncio.run(main())


@pytest.mark.parametrize("keys", [{}, {"follow": False}], ids=["followed", "no longer followed"])
def test_that_it_moved_is_over_once_the_config_says_where_it_is(
    keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with home(monkeypatch) as at:
            await at.read()
            await at.read(address=NOBODY)
            assert at.told[-1][1] is not None
            assert await at.read(address=HERE, **keys)  # as the message advises
            assert at.told[-1] == ("address", None)
            assert at.store.get("followed") is None

    asyncio.run(main())


def test_a_search_is_made_at_most_once_in_ten_minutes_also_across_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with home(monkeypatch) as at:
            await at.read()
            at.house.fault("plug", Fault.REFUSING)
            counts = []
            for seconds in (0.0, 300.0, 299.0, 2.0, 10.0):
                at.clock.advance(seconds)
                before = at.searches()
                await failure(at.read(), Unreachable)
                counts.append(at.searches() - before)
                at.store = at.store.after_power_cut()
            assert [count > 0 for count in counts] == [True, False, False, True, False]

    asyncio.run(main())


def test_a_clock_that_was_wrong_before_a_blackout_forbids_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with home(monkeypatch) as at:
            await at.read()
            await at.store.put("searched", {"mono_s": 5.0, "wall": at.clock.now().wall + 1e6, "boot": "an-earlier-one"})
            assert await at.read(address=NOBODY)

    asyncio.run(main())


@pytest.mark.parametrize("keys", [{"follow": False}, {}], ids=["told not to", "not known yet"])
def test_nobody_is_searched_for_where_that_is_not_wanted_or_nobody_is_known(
    keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with home(monkeypatch) as at:
            if keys:
                await at.read()
            before = at.searches()
            await failure(at.read(address=NOBODY, **keys), Unreachable)
            assert at.searches() == before
            assert at.store.get("searched") is None

    asyncio.run(main())


def test_another_device_at_the_new_address_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer may come by way of a router and bear its address: only a connection there proves who it is."""

    async def main() -> None:
        async with home(monkeypatch) as at:
            await at.read()
            plug = at.house.controls("plug")
            said = plug.found(search._ASKED)
            plug.new_identity()
            plug.found = lambda _probe: said
            before = at.searches()
            await failure(at.read(address=NOBODY), Unreachable)
            assert at.searches() > before, "nobody asked the one that was found"
            assert at.store.get("followed") is None
            assert at.told == []
            assert at.house.wire.of("switch") == []

    asyncio.run(main())


def test_a_silent_device_is_searched_for_within_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with home(monkeypatch) as at:
            await at.read()
            at.house.fault("plug", Fault.SILENT)
            began = time.monotonic()
            await failure(at.read(), Unreachable)
            assert time.monotonic() - began < 1.3
            assert at.store.get("searched") is not None

    asyncio.run(main())


def test_a_name_that_no_server_answers_for_leaves_time_to_search(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def look_up(*_: Any, **__: Any) -> Any:
        over.wait(20.0)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    async def main() -> None:
        async with home(monkeypatch) as at:
            await at.read()
            monkeypatch.setattr(search, "EVERYBODY", broadcast_for(HERE))
            monkeypatch.setattr(socket, "getaddrinfo", look_up)
            try:
                assert await at.read(address="plug.example.org")
            finally:
                over.set()

    asyncio.run(main())


def test_a_search_for_a_device_on_this_machine_never_leaves_it() -> None:
    assert broadcast_for("127.0.0.9") == "127.255.255.255"
    assert broadcast_for("192.0.2.14") == broadcast_for("plug.example.org") == "255.255.255.255"


@pytest.mark.parametrize(
    "said",
    [b"", b"\x02", b"\x02" + bytes(40), b"\x02" * 16 + b'{"result": {}}', b"\x02" * 16 + b'{"result": 3}', b"noise",
     b"\xd0\xf2\x81\xf8" * 5000],
)  # fmt: skip
def test_nonsense_on_the_network_is_nobody(said: bytes) -> None:
    async def main() -> None:
        searcher = search.Searcher()
        searcher.datagram_received(said, ("192.0.2.1", 9999))
        assert searcher.sightings.empty()

    asyncio.run(main())
