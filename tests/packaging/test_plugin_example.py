"""The example of somebody else's plugin: a part that no plugin of ours has, and nothing in pimgr that knows of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from pimgr.house import House
from pimgr.installs import change
from pimgr.installs.pip import Sources
from pimgr.plugins import PluginRecord, PluginStatus

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
CHARGER = ROOT / "examples" / "pimgr-ev-charger"


def test_the_charger_passes_the_tests_that_it_brings() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    done = subprocess.run(command, cwd=CHARGER, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_the_charger_is_added_from_its_folder_and_loads(tmp_path: Path) -> None:
    base = tmp_path / "plugins"
    made = change.add(base, str(CHARGER), Sources(offline=True))
    assert [root.plugins for root in made.allowed.roots] == [("ev-charger",)]
    command = [str(Path(sys.executable).parent / "pimgr"), "plugin", "list", "--json"]
    environment = os.environ | {"PIMGR_PLUGINS": str(base)}
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment)
    found = [one for one in msgspec.json.decode(told.stdout, type=list[PluginRecord]) if one.name == "ev-charger"]
    assert [(one.status, one.types) for one in found] == [(PluginStatus.LOADED, ("ev-charger.go-e",))]


def test_an_added_charger_is_told_its_current_by_hand(tmp_path: Path) -> None:
    """The whole way of a third party's plugin: added, named in a config, read, and graded."""
    base = tmp_path / "plugins"
    change.add(base, str(CHARGER), Sources(offline=True))

    async def main() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(str(base / "current" / "site"))
            async with House.from_toml('version = 1\n[[device]]\nid = "car"\nkind = "ev-charger"\n') as house:
                address = f'type = "ev-charger.go-e"\naddress = "127.0.0.1"\nport = {house.port("car")}\n'
                (tmp_path / "pimgr.toml").write_text(f"[connections.car]\n{address}")
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "pimgr.cli", "device", "try", "car", "--level", "8", "--yes"),
                    *("--config", tmp_path / "pimgr.toml", "--run", tmp_path, "--state", tmp_path),
                    env=os.environ | {"PIMGR_PLUGINS": str(base)},
                    stdout=subprocess.PIPE,
                )
                printed, _ = await asyncio.wait_for(process.communicate(), 60.0)
                assert process.returncode == 0, printed.decode()
                assert "car: read_level: source charger, level 16.0, power_w 3680.0" in printed.decode()
                assert printed.decode().endswith("It is 8 now.\n")
                assert house.world.load("car/8A").on
                assert not house.world.load("car/16A").on

    asyncio.run(main())


def test_nothing_in_pimgr_knows_of_the_charger() -> None:
    knowing = [path for path in (ROOT / "pimgr").rglob("*.py") if "ev_charger" in path.read_text()]
    assert knowing == []
