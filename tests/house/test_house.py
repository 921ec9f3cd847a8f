"""The house as a whole: its timeline, its witness, its darkness, and servers of others."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import pimgr.house
from pimgr.house import DeviceSpec, Fault, House, HouseState, LoadSpec, ServerKind, WireLog, read_spec, read_wire
from pimgr.house.faults import Line
from pimgr.house.world import World
from tests.house.clients import SYSINFO, ask_kasa, relay

PLUG = """
version = 1
speed = 3600.0
base_load_w = 0.0
charge = 50.0
[battery]
capacity_wh = 1000.0
[grid]
return_s = 0.0
[[device]]
id = "pump"
kind = "kasa"
watts = 1000.0
"""
CLIENTS = {"tesla_powerwall", "kasa", "paramiko", "smtplib", "tinytuya", "aiohttp", "requests", "aiosomecomfort"}


def test_it_knows_none_of_the_clients() -> None:
    imported = set()
    for file in Path(pimgr.house.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").split(".")[0])
    assert "pimgr" in imported
    assert not imported & CLIENTS


def test_the_timeline_happens_in_order_and_is_on_record() -> None:
    timeline = """
[[at]]
t = 0.10
grid = "up"
fault = { pump = "none" }
say = "over"
[[at]]
t = 0.0
grid = "SystemMicroGridFaulted"
charge = 90.0
solar_w = 10.0
base_load_w = 20.0
fault = { pump = "silent" }
person = { pump = false }
"""

    async def scene() -> None:
        async with House.from_toml(PLUG + timeline) as house:
            await house.play(pace=2.0)
            assert [(entry.what, entry.value) for entry in house.wire] == [
                ("fault", "silent"),
                ("person", "off"),
                ("truth", "off"),
                ("truth", "SystemMicroGridFaulted"),
                ("fault", "none"),
                ("truth", "SystemGridConnected"),
            ]
            state = house.state()
            assert (state.grid, state.connected, state.say, state.load_w) == ("SystemGridConnected", True, "over", 20.0)
            assert not house.is_on("pump")

    asyncio.run(scene())


def test_an_empty_battery_leaves_the_house_dark_and_its_plugs_dead() -> None:
    async def scene() -> None:
        async with House.from_toml(PLUG) as house:
            house.grid_up(False)
            house.set_charge(20.0)  # 200 Wh at 1000 W: dark in 12 minutes, 0.2 s here
            await house.wire.wait_for(lambda entry: entry.value == "dark", 3.0)
            state = house.state()
            assert (state.dark, state.charge, state.load_w) == (True, 0.0, 0.0)
            with pytest.raises(TimeoutError):
                await ask_kasa(house.port("pump"), SYSINFO, deadline_s=0.1)
            house.grid_up(True)
            assert not house.state().dark
            await ask_kasa(house.port("pump"), SYSINFO)

    asyncio.run(scene())


@pytest.mark.parametrize(("shed", "left"), [(False, 40.0), (True, 50.0)])
def test_a_load_that_is_shed_lets_the_battery_last(shed: bool, left: float) -> None:
    clock = [0.0]
    world = World(read_spec(PLUG), {"pump": LoadSpec(1000.0)}, lambda: clock[0], WireLog())
    world.grid_up(False)
    world.switch("pump", not shed)
    clock[0] = 360.0
    assert world.charge() == pytest.approx(left)


def test_the_wire_log_is_a_file_too_line_by_line(tmp_path: Path) -> None:
    async def scene() -> None:
        path = tmp_path / "wire.jsonl"
        async with House.from_toml(f'log = "{path}"\n' + PLUG.lstrip()) as house:
            await ask_kasa(house.port("pump"), relay(False))
            assert read_wire(path) == list(house.wire), "each entry is on its way to the disk at once"
            assert [entry.seq for entry in house.wire] == list(range(len(house.wire)))
            assert house.wire[0].wall > 0
            assert house.wire[0].mono_s > 0

    asyncio.run(scene())


def test_waiting_for_the_wire_has_a_deadline_and_can_look_back() -> None:
    async def scene() -> None:
        async with House.from_toml(PLUG) as house:
            house.switch_by_person("pump", False)
            entry = await house.wire.wait_for(lambda entry: entry.what == "person", 0.1)
            with pytest.raises(TimeoutError):
                await house.wire.wait_for(lambda entry: entry.what == "person", 0.01, since=entry.seq + 1)

    asyncio.run(scene())


def test_a_snapshot_is_frozen() -> None:
    async def scene() -> HouseState:
        async with House.from_toml(PLUG) as house:
            before = house.state()
            house.switch_by_person("pump", False)
            assert before.loads[0].on
            return before

    with pytest.raises(AttributeError):
        asyncio.run(scene()).grid = "up"  # type: ignore[misc]


class LampSpec(DeviceSpec, kw_only=True):
    """A device of somebody else's: a lamp that goes off when it hears "off"."""

    watts: float = 9.0


@asynccontextmanager
async def serve_lamp(spec: LampSpec, house: House) -> AsyncIterator[None]:
    async def handle(line: Line) -> None:
        word = (await line.reader.readline()).decode().strip()
        house.wire.note(spec.id, "", "switch", word)
        house.world.switch(spec.id, word == "on")
        await line.send(b"ok\n")

    async with house.listening(spec.id, spec.port, handle):
        yield


LAMP = ServerKind(kind="lamp", config=LampSpec, serve=serve_lamp, loads=lambda spec: {"": LoadSpec(spec.watts)})


def test_another_distribution_adds_a_server_with_every_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [EntryPoint("lamp", f"{__name__}:LAMP", "pimgr.house")]

    def entries(*, group: str, name: str = "lamp") -> list[EntryPoint]:
        return found if (group, name) == ("pimgr.house", "lamp") else []

    monkeypatch.setattr("pimgr.house.kinds.entry_points", entries)

    async def ask(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"off\n")
        answer = await reader.read(-1)
        writer.close()
        return answer

    async def scene() -> None:
        async with House.from_toml(PLUG + '[[device]]\nid = "lamp"\nkind = "lamp"\n') as house:
            assert house.state().load_w == 1009.0
            assert await ask(house.port("lamp")) == b"ok\n"
            assert not house.is_on("lamp")
            house.fault("lamp", Fault.GARBAGE)
            assert await ask(house.port("lamp")) != b"ok\n"
            house.fault("lamp", Fault.REFUSING)
            with pytest.raises(ConnectionRefusedError):
                await ask(house.port("lamp"))

    asyncio.run(scene())
