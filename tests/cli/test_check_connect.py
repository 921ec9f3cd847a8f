"""`pimgr check --connect` says of each device what an installer would want to know, and touches nothing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pimgr.demo.plan import Plan, build_house, config_text
from pimgr.demo.stage import Stage
from pimgr.demo.tables import Writer
from pimgr.house import Fault, House, read_spec

pytestmark = pytest.mark.slow


async def _check(folder: Path, faults: dict[str, Fault]) -> tuple[int, str, list[str]]:
    """Exit status, what it printed, and the commands that reached the house."""
    house, key = build_house(Plan(), folder / "wire.jsonl")
    async with house:
        ca_file = folder / "house-ca.pem"
        ca_file.write_text(house.ca_pem, encoding="utf-8")
        stage = Stage(folder)
        stage.write(config_text(Plan(), house, ca_file), Writer(house, ca_file).secrets(key))
        for device, fault in faults.items():
            house.fault(device, fault)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pimgr.cli", "check", "--connect", "--config", str(stage.config)),
            env={**os.environ, "CREDENTIALS_DIRECTORY": str(stage.secrets)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        printed, _ = await asyncio.wait_for(process.communicate(), 60.0)
        commands = [f"{e.device} {e.what}" for e in house.wire if e.what in ("switch", "shut_down", "wake", "mail")]
        await stage.close()
    return process.returncode or 0, printed.decode(), commands


def test_a_house_that_is_well_is_told_so_and_nothing_is_touched(tmp_path: Path) -> None:
    status, printed, commands = asyncio.run(_check(tmp_path, {}))
    assert status == 0, printed
    assert "WRONG" not in printed
    assert "grid up (SystemGridConnected)" in printed
    assert "sudo lets it run shutdown -h now without a password" in printed
    assert commands == []


def test_a_silent_plug_is_named_with_a_cure_and_hides_no_other(tmp_path: Path) -> None:
    status, printed, commands = asyncio.run(_check(tmp_path, {"heater": Fault.SILENT}))
    assert status == 1
    assert printed.count("WRONG") == 1
    heater = printed.partition("\nheater\n")[2].partition("\nstrip\n")[0]
    assert "WRONG" in heater
    assert "check its power" in heater
    assert "grid up (SystemGridConnected)" in printed
    assert commands == []


def test_a_login_made_by_a_look_is_counted_for_the_next_look(tmp_path: Path) -> None:
    """Honeywell's portal locks accounts that log in often, whoever does it."""
    spec = 'version = 1\nname = "h"\n[[device]]\nid = "gateway"\nkind = "gateway"\n[[device]]\nid = "climate"\n'
    stat = 'kind = "honeywell"\nthermostats = [{ id = 1234567, name = "HALL" }]\n'
    told, logins = asyncio.run(_look_twice(tmp_path, spec + stat))
    assert "climate/hall is 'HALL'" in told[0]
    assert "one login in ten minutes, and there was one; pimgr asks again in 10 min" in " ".join(told[1].split())
    assert "one login in ten minutes, and there was one; pimgr asks again in 10 min" in " ".join(told[2].split())
    assert logins == 1


async def _look_twice(folder: Path, spec: str) -> tuple[list[str], int]:
    """What two checks and a trial print, one after the other, and the logins that the portal saw."""
    house = House(read_spec(spec))
    (folder / "state").mkdir(mode=0o700)
    (folder / "secrets").mkdir(mode=0o700)
    async with house:
        writer = Writer(house, folder / "ca.pem")
        config = folder / "pimgr.toml"
        config.write_text(f"version = 1\n[grid]\nsources = ['gateway']\n{writer.tables()}", encoding="utf-8")
        for name, text in writer.secrets("").items():
            (folder / "secrets" / name).write_text(text)
            (folder / "secrets" / name).chmod(0o600)
        options = ["--config", str(config), "--state", str(folder / "state"), "--run", str(folder / "run")]
        told = []
        for command in (["check", "--connect"], ["check", "--connect"], ["device", "try", "climate"]):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "pimgr.cli", *command, *options),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            printed, _ = await asyncio.wait_for(process.communicate(), 60.0)
            told.append(printed.decode())
        return told, sum(1 for entry in house.wire if (entry.device, entry.what) == ("climate", "login"))


def test_neither_a_trial_nor_a_dry_run_spends_the_refresh_token(tmp_path: Path) -> None:
    """It serves once: the new one would be lost with them, and the owner would have to authorise pimgr anew."""
    assert asyncio.run(_dry(tmp_path)) == []


async def _dry(folder: Path) -> list[str]:
    """What Tesla was asked to renew."""
    devices = "".join(f'[[device]]\nid = "{kind}"\nkind = "{kind}"\n' for kind in ("gateway", "tesla"))
    house = House(read_spec(f'version = 1\nname = "h"\n{devices}'))
    (folder / "secrets").mkdir(mode=0o700)
    async with house:
        writer = Writer(house, folder / "ca.pem")
        config = folder / "pimgr.toml"
        config.write_text(f"version = 1\n[grid]\nsources = ['gateway', 'tesla']\n{writer.tables()}", encoding="utf-8")
        for name, text in writer.secrets("").items():
            (folder / "secrets" / name).write_text(text)
            (folder / "secrets" / name).chmod(0o600)
        options = ["--config", str(config), "--state", str(folder / "state"), "--run", str(folder / "run")]
        for command, told in ((["device", "try", "tesla"], "serves only once"), (["run", "--dry-run"], "tesla (grid")):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "pimgr.cli", *command, *options),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            assert process.stdout is not None
            async with asyncio.timeout(30.0):
                while told not in (line := (await process.stdout.readline()).decode()):
                    assert line, f"{command} ended without saying {told!r}"
            if process.returncode is None:
                process.terminate()
            await process.wait()
        return [entry.value for entry in house.wire if entry.what == "refresh"]
