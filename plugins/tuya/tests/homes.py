"""A house with a Tuya plug and Tuya's cloud in it, and the plugin's connection to the plug."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from pimgr_tuya import PLUG, PlugConfig
from pimgr_tuya.plug import Outlet, Plug

from pimgr.api import Deadlines, DeviceError, Garbled, Refused, Unreachable, Unsupported
from pimgr.house import House
from pimgr.testing import FakeContext, FakeStore

QUICK = Deadlines(read_s=1.0, switch_s=1.0, cloud_s=1.0)
VERSIONS = ("3.1", "3.3", "3.4", "3.5")


def house_of(version: str = "3.3", more: str = "") -> House:
    return House.from_toml(
        f'version = 1\n[[device]]\nid = "plug"\nkind = "tuya"\nversion = "{version}"\n{more}\n'
        '[[device]]\nid = "cloud"\nkind = "tuya-cloud"\n'
    )


@dataclass
class Home:
    house: House
    context: FakeContext
    connection: Plug

    @property
    def server(self) -> Any:
        return self.house.controls("plug")

    @property
    def cloud(self) -> Any:
        return self.house.controls("cloud")

    def outlet(self, key: str = "") -> Outlet:
        outlet = self.connection.parts[key]
        assert isinstance(outlet, Outlet)
        return outlet

    def heard(self, what: str, device: str = "plug") -> list[tuple[str, str]]:
        return [(entry.part, entry.value) for entry in self.house.wire.of(what, device)]


@asynccontextmanager
async def home(
    house: House, *, cloud: bool = False, store: FakeStore | None = None, secrets: dict[str, str] | None = None,
    deadlines: Deadlines = QUICK, **keys: Any,
) -> AsyncIterator[Home]:  # fmt: skip
    """A connection to the plug of a house that is entered already."""
    server, project = house.controls("plug"), house.controls("cloud").spec
    known = {"key": server.key, "id": project.client_id, "secret": project.secret, **(secrets or {})}
    table = {
        "address": "127.0.0.1",
        "port": house.port("plug"),
        "device_id": server.device_id,
        "key": {"secret": "key"},
    }
    table |= {"version": server.spec.version}
    if cloud:
        table |= {"cloud_endpoint": f"http://127.0.0.1:{house.port('cloud')}"}
        table |= {"cloud_key": {"secret": "id"}, "cloud_secret": {"secret": "secret"}}
    context = FakeContext("pump", known, deadlines, store=store)
    try:
        async with PLUG.open(msgspec.convert(table | keys, PlugConfig), context) as connection:
            assert isinstance(connection, Plug)
            yield Home(house, context, connection)
    finally:
        context.close()
        told = f"{context.told!r}{context.recorded!r}"
        assert not any(secret in told for secret in filter(None, (server.key, *known.values())))


@contextmanager
def crowded(port: int) -> Iterator[None]:
    """Connecting to this port hangs: nobody accepts there, and so many wait already."""
    lines = [socket.socket() for _ in range(140)]
    for line in lines:
        line.setblocking(False)
        line.connect_ex(("127.0.0.1", port))
    try:
        yield
    finally:
        for line in lines:
            line.close()


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


async def failure(call: Awaitable[object]) -> DeviceError:
    """What a call raises: one of the four errors, complete."""
    with pytest.raises(DeviceError) as caught:
        await call
    error = caught.value
    assert type(error) in (Unreachable, Refused, Garbled, Unsupported)
    assert error.part.split("/")[0] == "pump"
    assert all((error.wish, error.fact, error.cure))
    return error
