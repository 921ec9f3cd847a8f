"""What systemd sees of pimgr: what it is told, when the beat stops, and with what status the process ends."""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from pimgr.api import Grid
from pimgr.journal import read_state
from pimgr.stall import hangs
from pimgr.testing import Fault
from tests.run.rig import Box, Init, Service, config, eventually, table, virtually

QUICK = 'sources = ["gateway"]\npoll = "200ms"\nconfirm = "0s"\nsettle = "500ms"\n[restore]\nstagger = "0s"'
BLOCKS = """
import asyncio, time
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from pimgr import api

class Config(api.Config):
    file: str = ""

class Part:
    def __init__(self, config, context):
        self.config, self.context = config, context
    async def read_load(self):
        while Path(self.config.file).exists():
            time.sleep(0.05)  # the line that hangs
        return api.LoadReading(at=self.context.now(), source="x", on=True)
    async def switch(self, on):
        pass

@asynccontextmanager
async def opens(config, context):
    yield SimpleNamespace(parts={"": Part(config, context)})

@api.hookimpl
def pimgr_device_types():
    load = frozenset({api.Capability.LOAD})
    return [api.DeviceType(name="blocks.plug", summary="", config=Config, provides=lambda c: {"": load}, open=opens,
                           poll_s={api.Capability.LOAD: 0.5}, floor_s=0.1)]
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    service.write(config("WORLD", grid=QUICK))
    yield service
    service.close()


@pytest.fixture
def init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Init]:
    init = Init(tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", str(init.path))
    yield init
    init.close()


# ------------------------------------------------------------------------------------------------------ what is told


def test_ready_comes_with_the_first_decision_then_status_on_change_and_a_beat_behind_each_decision(
    tmp_path: Path, init: Init
) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        await box.start()
        assert init.listen()[0] == "READY=1"
        await asyncio.sleep(60.0)
        await box.outage()
        await box.stop()
        heard = init.listen()
        assert heard.count("READY=1") == 1
        assert heard[-1] == "STOPPING=1"
        statuses = [line.removeprefix("STATUS=") for line in heard if line.startswith("STATUS=")]
        assert statuses[-1] == "GRID DOWN, 80 %, 2 shed"
        assert "on grid, 80 %, nothing shed" in statuses
        assert all(a != b for a, b in itertools.pairwise(statuses)), "only on change"
        assert 12 <= heard.count("WATCHDOG=1") < 120

    virtually(main())


def test_a_reload_is_told_with_its_time_and_ends_with_ready_also_where_it_is_refused(
    tmp_path: Path, init: Init
) -> None:
    async def main() -> None:
        async with Box(tmp_path).on() as box:
            for text in (config("WORLD"), "nonsense"):
                init.listen().clear()
                box.write(text)
                await box.reload()
                told = [line for line in init.listen() if not line.startswith(("WATCHDOG", "STATUS"))]
                reloading, ready = told
                assert reloading.splitlines()[0] == "RELOADING=1"
                usec = int(reloading.splitlines()[1].removeprefix("MONOTONIC_USEC="))
                assert abs(usec - box.clock.now().mono_s * 1e6) < 5e6
                assert ready == "READY=1"

    virtually(main())


def test_a_decision_that_is_never_written_stops_the_beat(tmp_path: Path, init: Init) -> None:
    async def main() -> None:
        async with Box(tmp_path).on() as box:
            await asyncio.sleep(20.0)

            async def never(_record: object) -> int:
                await asyncio.Event().wait()
                return 0

            box.supervisor.loop.wiring.commit = never
            box.world.set_grid(Grid.DOWN)
            await asyncio.sleep(10.0)
            init.listen().clear()
            await asyncio.sleep(600.0)
            assert init.listen() == []
            assert box.world.commands() == [], "and nothing is asked that isn't written"

    virtually(main())


def test_gateways_that_are_away_are_no_reason_to_withhold_the_beat(tmp_path: Path, init: Init) -> None:
    async def main() -> None:
        async with Box(tmp_path).on() as box:
            for part in ("gateway", "pump", "boiler", "heater", "mail"):
                box.world.fault(part, Fault.HANG)
            await asyncio.sleep(60.0)
            init.listen().clear()
            await asyncio.sleep(600.0)
            assert init.listen().count("WATCHDOG=1") >= 110

    virtually(main())


# ----------------------------------------------------------------------------------------------------- exit statuses


@pytest.mark.slow
def test_sigterm_in_mid_outage_ends_with_0_and_the_next_start_gives_back(service: Service) -> None:
    service.start()
    service.world.set_grid(Grid.DOWN)
    assert service.world.wait_for(lambda w: not w.is_on("pump") and not w.is_on("boiler"), 10.0)
    assert service.init.wait_for(lambda heard: any("2 shed" in line for line in heard), 10.0)
    assert service.stop() == 0
    assert service.init.listen()[-1] == "STOPPING=1"
    assert not service.world.is_on("pump")
    assert [claim.part for claim in read_state(service.state).claims] == ["pump", "boiler"]
    service.world.set_grid(Grid.UP)
    service.start()
    assert service.world.wait_for(lambda w: w.is_on("pump") and w.is_on("boiler"), 10.0)
    assert [c.wish for c in service.world.commands("pump")] == ["off", "on"]
    assert service.stop() == 0


@pytest.mark.slow
def test_a_second_one_ends_with_75_and_the_first_goes_on(service: Service) -> None:
    service.start()
    first = service.process
    assert first is not None
    service.begin()
    assert service.ended() == 75
    assert first.poll() is None
    service.process = first
    assert service.stop() == 0


@pytest.mark.slow
def test_without_any_valid_config_it_ends_with_78_and_names_every_error(service: Service) -> None:
    service.write("version = 1\n[grid]\nsauces = []\n[connections.a]\ntype = 'no.such'\n")
    service.begin()
    assert service.ended() == 78
    assert "sauces" in service.text()
    assert "no.such" in service.text()
    service.file.unlink()
    service.begin()
    assert service.ended() == 78


@pytest.mark.slow
def test_an_invalid_file_at_start_runs_the_last_valid_one_and_a_person_reads_why(service: Service) -> None:
    service.start()
    assert service.stop() == 0
    service.write("nonsense")
    service.start()
    status = service.pimgr("status")
    assert "The config needs attention" in status.stdout
    refused = service.pimgr("reload")
    assert refused.returncode == 1
    assert "stays in force" in refused.stderr
    service.world.set_grid(Grid.DOWN)
    assert service.world.wait_for(lambda w: not w.is_on("pump"), 10.0)
    assert service.world.wait_for(lambda w: any("config" in m.subject for m in w.messages()), 10.0)
    service.write(config("WORLD", grid=QUICK))
    assert service.pimgr("reload").returncode == 0
    assert "needs attention" not in service.pimgr("status").stdout
    assert service.stop() == 0


# ----------------------------------------------------------------------------------------------------- the watchdog


@pytest.mark.slow
def test_a_plugin_that_blocks_stops_the_beat_is_named_traced_and_left_out_the_second_time(service: Service) -> None:
    block = service.folder / "block"

    def hung(times: int) -> bool:
        return len(hangs(service.state)) == times

    service.install("blocks", "pimgr_blocks", BLOCKS)
    service.write(config("WORLD", table("odd", "blocks.plug", file=str(block)), grid=QUICK))
    for count in (1, 2):
        service.start()
        assert service.init.wait_for(lambda heard: heard.count("WATCHDOG=1") > 5, 10.0)
        block.touch()
        assert eventually(partial(hung, count), 20.0)
        service.init.listen().clear()
        time.sleep(1.0)
        assert service.init.listen() == [], "no beat while it hangs"
        assert service.process is not None
        service.process.send_signal(signal.SIGABRT)
        assert service.ended() == -signal.SIGABRT
        assert "pimgr_blocks.py" in service.text()
        assert f"line {BLOCKS[: BLOCKS.index('# the line')].count(chr(10)) + 1} in read_load" in service.text()
        block.unlink()
    assert {hang.plugin for hang in hangs(service.state)} == {"blocks"}
    block.touch()
    service.start()
    assert "The plugin blocks is left out" in service.pimgr("status").stdout
    service.world.set_grid(Grid.DOWN)
    assert service.world.wait_for(lambda w: not w.is_on("pump"), 10.0)
    assert service.world.wait_for(lambda w: "The plugin blocks is left out" in [m.subject for m in w.messages()], 10.0)
    assert service.stop() == 0


# ---------------------------------------------------------------------------------------------------------- the rest


@pytest.mark.slow
def test_a_dry_run_touches_nothing_records_nothing_mails_nothing_and_prints_what_would_happen(service: Service) -> None:
    service.start("--dry-run")
    service.world.set_grid(Grid.DOWN)
    assert service.init.wait_for(lambda heard: any("2 shed" in line for line in heard), 10.0)
    service.world.set_grid(Grid.UP)
    assert service.init.wait_for(lambda heard: "nothing shed" in heard[-1] or "nothing shed" in heard[-2], 10.0)
    assert service.stop() == 0
    assert service.world.commands() == []
    assert service.world.messages() == []
    assert list(service.state.iterdir()) == []
    assert list(service.run.iterdir()) == []
    text = service.text()
    assert "dry run: pump: to be off" in text
    assert "dry run: mail: The grid is down" in text
    assert all(line.startswith(("dry run: ", "  ")) for line in text.splitlines())


@pytest.mark.slow
def test_on_a_read_only_disk_it_protects_and_says_so(service: Service) -> None:
    script = f'mount -t tmpfs -o size=2m none {service.state} && mount -o remount,ro {service.state} && exec "$@"'
    service.begin(wrapped=("unshare", "-m", "sh", "-c", script, "sh"))
    if not service.init.wait_for(lambda heard: "READY=1" in heard, 20.0):
        assert "unshare" in service.text() or "mount" in service.text(), service.text()
        pytest.skip("this machine lets nobody make mounts of their own")
    status = service.pimgr("status")
    assert "The memory card does not take what pimgr writes" in status.stdout
    service.world.set_grid(Grid.DOWN)
    assert service.world.wait_for(lambda w: not w.is_on("pump") and not w.is_on("boiler"), 10.0)
    assert service.world.wait_for(lambda w: any("memory card" in m.subject for m in w.messages()), 10.0)
    assert service.stop() == 0
