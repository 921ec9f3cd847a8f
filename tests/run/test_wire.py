"""The supervisor with the real plugins against the house in a box; judged by the house's wire log."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pimgr import snapshot
from pimgr.control import Request
from pimgr.house import Fault, House, read_spec
from pimgr.journal import Journal
from pimgr.supervise import Options, Supervisor
from tests.run.rig import Service, table

pytestmark = pytest.mark.slow

COMMANDS = ("switch", "shut_down", "wake", "mail")
CHARGE = "/api/system_status/soe"
STATUS = "/api/system_status/grid_status"


def house_of(plugs: int = 2, gateways: int = 1) -> House:
    devices = [f'[[device]]\nid = "gateway-{n}"\nkind = "gateway"\n' for n in range(gateways)]
    devices += [f'[[device]]\nid = "plug-{n}"\nkind = "kasa"\n' for n in range(plugs)]
    return House(read_spec("version = 1\n[grid]\nreturn_s = 0.2\n" + "".join(devices)))


def config_for(house: House, *, confirm: str = "0s", poll: str = "300ms", **gateway: str) -> str:
    """The gateways in their order, and every plug off at once."""
    gateways = [d.id for d in house.spec.device if d.kind == "gateway"]
    plugs = [d.id for d in house.spec.device if d.kind == "kasa"]
    tables = [
        table(
            name,
            "powerwall.gateway",
            address=gateway.get(name.replace("-", "_"), f"127.0.0.1:{house.port(name)}"),
            password='{ secret = "gateway-password" }',
            fingerprint=f"sha256:{house.fingerprint(name)}",
        )
        for name in gateways
    ]
    tables += [table(name, "kasa.plug", address="127.0.0.1", port=house.port(name)) for name in plugs]
    listed = ", ".join(f'"{plug}"' for plug in plugs)
    sources = ", ".join(f'"{name}"' for name in gateways)
    return (
        f'version = 1\n[grid]\nsources = [{sources}]\npoll = "{poll}"\nconfirm = "{confirm}"\nsettle = "1s"\n'
        f'[restore]\nstagger = "0s"\n[[tiers]]\nname = "all"\nat_once = true\nloads = [{listed}]\n' + "\n".join(tables)
    )


def secrets(folder: Path) -> None:
    (folder / "secrets").mkdir(mode=0o700)
    (folder / "secrets" / "gateway-password").touch(mode=0o600)
    (folder / "secrets" / "gateway-password").write_text("S3cr3t")


def prepare(folder: Path, text: str) -> None:
    for each in (folder, folder / "state", folder / "run"):
        each.mkdir(exist_ok=True)
    (folder / "pimgr.toml").write_text(text)
    secrets(folder)


@asynccontextmanager
async def watching(folder: Path, text: str) -> AsyncIterator[Supervisor]:
    """A supervisor in this process."""
    prepare(folder, text)
    journal = await Journal.open(folder / "state", folder / "run")
    options = Options(config=folder / "pimgr.toml", state=folder / "state", run=folder / "run")
    supervisor = Supervisor(options, journal)
    await supervisor.prepare()
    running = asyncio.create_task(supervisor.run())
    try:
        yield supervisor
    finally:
        supervisor.stop.set()
        await running
        await journal.close()


async def seen(supervisor: Supervisor, grid: str = "up", timeout_s: float = 20.0) -> None:
    """Until it has read the grid, and every plug."""

    def ready() -> bool:
        try:
            view = snapshot.read(supervisor.options.run)
        except snapshot.NoSnapshot:
            return False
        return view.grid == grid and all(part.state != "unknown" for part in view.parts)

    await _until(ready, timeout_s)


async def _until(fact: object, timeout_s: float) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not fact():  # type: ignore[operator]
        assert loop.time() - began < timeout_s, "it never came to that"
        await asyncio.sleep(0.02)
    return loop.time() - began


def all_off(house: House) -> bool:
    return not any(load.on for load in house.world.loads())


# ---------------------------------------------------------------------------------------------------------- gateways

FAULTS = (
    Fault.SILENT,
    Fault.REFUSING,
    Fault.DRIPPING,
    Fault.GARBAGE,
    Fault.NONSENSE,
    Fault.CUT,
    Fault.OVERSIZE,
    Fault.HTTP_503,
)


def test_an_outage_is_seen_within_seconds_through_the_second_gateway_whatever_ails_the_first(tmp_path: Path) -> None:
    async def one(fault: Fault) -> tuple[Fault, float]:
        house = house_of(gateways=2)
        async with house, watching(tmp_path / fault, config_for(house)) as supervisor:
            await seen(supervisor)
            house.fault("gateway-0", fault)
            house.grid_up(False)
            return fault, await _until(lambda: all_off(house), 15.0)

    async def main() -> None:
        took = dict(await asyncio.gather(*map(one, FAULTS)))
        print({str(fault): f"{seconds:.2f} s" for fault, seconds in took.items()})
        assert max(took.values()) < 8.0, took

    asyncio.run(main())


@pytest.mark.parametrize(
    "body", [b'{"percentage": NaN}', b"{}", b"[]", b"null", b'{"percentage": "\\ud800"}', b"{" * 99_999]
)
def test_a_charge_that_makes_no_sense_keeps_nobody_from_seeing_the_outage(tmp_path: Path, body: bytes) -> None:
    async def main() -> None:
        house = house_of()
        async with house, watching(tmp_path / "box", config_for(house)) as supervisor:
            await seen(supervisor)
            house.gateway_says(CHARGE, body)
            await asyncio.sleep(0.5)
            house.grid_up(False)
            assert await _until(lambda: all_off(house), 10.0) < 3.0

    asyncio.run(main())


@pytest.mark.parametrize(
    "body",
    [
        b'{"grid_status": "SystemFluxIsland"}',
        b'{"grid_status": "Sys\\u001b[2J\\ud800"}',
        b'{"grid_status": 7}',
        b"<html>",
        b"",
    ],
)
def test_a_status_that_makes_no_sense_switches_nothing(tmp_path: Path, body: bytes) -> None:
    async def main() -> None:
        house = house_of()
        async with house, watching(tmp_path / "box", config_for(house)) as supervisor:
            await seen(supervisor)
            house.gateway_says(STATUS, body)
            await asyncio.sleep(2.0)
            assert not [entry for entry in house.wire if entry.what in COMMANDS]
            house.gateway_says(STATUS, None)
            house.grid_up(False)
            await _until(lambda: all_off(house), 15.0)

    asyncio.run(main())


def test_two_silent_gateways_in_mid_outage_give_nothing_back(tmp_path: Path) -> None:
    async def main() -> None:
        house = house_of(gateways=2)
        async with house, watching(tmp_path / "box", config_for(house)) as supervisor:
            await seen(supervisor)
            house.grid_up(False)
            await _until(lambda: all_off(house), 10.0)
            for name in ("gateway-0", "gateway-1"):
                house.fault(name, Fault.SILENT)
            house.grid_up(True)
            await asyncio.sleep(8.0)
            assert all_off(house)
            assert snapshot.read(supervisor.options.run).phase == "outage"
            house.fault("gateway-1", Fault.NONE)
            await _until(lambda: all(load.on for load in house.world.loads()), 30.0)

    asyncio.run(main())


# -------------------------------------------------------------------------------------------------------- dead ones


@pytest.mark.parametrize("fault", [Fault.DEAD, Fault.SILENT, Fault.DRIPPING])
def test_thirty_dead_plugs_delay_the_living_ones_not_at_all(tmp_path: Path, fault: Fault) -> None:
    async def main() -> None:
        house = house_of(plugs=40)
        living = [f"plug-{n}" for n in range(30, 40)]
        async with house, watching(tmp_path / "box", config_for(house)) as supervisor:
            await seen(supervisor)
            for n in range(30):
                house.fault(f"plug-{n}", fault)
            await asyncio.sleep(1.0)
            since = len(house.wire)
            house.grid_up(False)
            await _until(lambda: not any(house.is_on(plug) for plug in living), 10.0)
            entries = house.wire[since:]
            first = min(e.mono_s for e in entries if e.what == "switch")
            last = max(e.mono_s for e in entries if e.what == "truth" and e.device in living)
            print(f"{fault}: {last - first:.2f} s from the first command to the last living plug")
            assert last - first < 2.0

    asyncio.run(main())


def test_a_name_server_that_never_answers_delays_nobody_else(tmp_path: Path) -> None:
    """In a mount namespace of its own, whose resolv.conf names a server on loopback that only listens."""

    async def main() -> None:
        house = house_of(gateways=2)
        async with house:
            service = Service(tmp_path)
            service.file.write_text(config_for(house, gateway_0="gateway.house.test"))
            secrets(tmp_path)
            (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.53\noptions timeout:30 attempts:5\n")
            script = f'mount --bind {tmp_path}/resolv.conf /etc/resolv.conf && exec "$@"'
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
                try:
                    deaf.bind(("127.0.0.53", 53))
                except OSError as error:
                    pytest.skip(f"no name server can be played here: {error}")
                service.begin(wrapped=("unshare", "-m", "sh", "-c", script, "sh"))
                try:
                    await _until(lambda: "READY=1" in service.init.heard or service.process.poll() is not None, 20.0)  # type: ignore[union-attr]
                    if "READY=1" not in service.init.heard:
                        pytest.skip(f"this machine lets nobody make mounts of their own: {service.text()}")
                    await _until(lambda: all(p.state != "unknown" for p in service.view().parts), 10.0)
                    await _until(lambda: service.view().grid == "up", 15.0)
                    house.grid_up(False)
                    assert await _until(lambda: all_off(house), 10.0) < 2.0
                    lost = next(c for c in service.view().connections if c.id == "gateway-0")
                    assert lost.health != "ok"
                    deaf.setblocking(False)
                    assert deaf.recv(512), "it was really asked"
                finally:
                    service.close()

    asyncio.run(main())


# ------------------------------------------------------------------------------------------------------------ reload


def test_a_reload_makes_no_new_login_and_reopens_only_what_changed(tmp_path: Path) -> None:
    async def main() -> None:
        house = house_of()
        async with house, watching(tmp_path / "box", config_for(house)) as supervisor:
            await seen(supervisor)
            logins = len(house.wire.of("login"))
            text = config_for(house, confirm="1s")
            supervisor.options.config.write_text(text.replace(f"port = {house.port('plug-1')}", "port = 9"))
            assert (await supervisor.handle(Request(do="reload"))).ok
            await _until(lambda: _health(supervisor, "plug-1") == "lost", 10.0)
            asked = len(house.wire.of("query", "gateway-0"))
            await _until(lambda: len(house.wire.of("query", "gateway-0")) > asked + 3, 10.0)
            assert len(house.wire.of("login")) == logins
            assert _health(supervisor, "plug-0") == "ok"
            house.grid_up(False)
            await _until(lambda: not house.is_on("plug-0"), 10.0)

    asyncio.run(main())


def _health(supervisor: Supervisor, connection: str) -> str:
    lines = snapshot.read(supervisor.options.run).connections
    return next((line.health for line in lines if line.id == connection), "between two")


# ----------------------------------------------------------------------------------------------------------- dry run


def test_of_a_dry_run_the_house_hears_questions_only(tmp_path: Path) -> None:
    async def main() -> None:
        house = house_of()
        async with house:
            prepare(tmp_path, config_for(house))
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "pimgr.cli", "run", "--dry-run", "--config", str(tmp_path / "pimgr.toml")),
                *("--state", str(tmp_path / "state"), "--run", str(tmp_path / "run")),
                stderr=asyncio.subprocess.PIPE,
            )
            assert process.stderr is not None
            await _until(lambda: all(house.wire.of("query", p) for p in ("gateway-0", "plug-0", "plug-1")), 20.0)
            house.grid_up(False)
            said = ""
            async with asyncio.timeout(10.0):
                while "dry run: plug-1: off" not in said:
                    said += (await process.stderr.readline()).decode()
            process.terminate()
            assert await process.wait() == 0
            assert {e.what for e in house.wire if e.what in COMMANDS} == set()
            assert not all_off(house)
            assert list((tmp_path / "state").iterdir()) == []

    asyncio.run(main())
