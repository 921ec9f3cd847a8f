"""The systemd unit: contained, watched, and still able to do its work."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parents[2] / "etc" / "systemd" / "pimgr.service"


def settings() -> dict[str, list[str]]:
    """The values of each key of the [Service] section; systemd allows a key more than once."""
    found: dict[str, list[str]] = {}
    section = UNIT.read_text(encoding="utf-8").split("[Service]")[1].split("\n[")[0]
    for key, value in re.findall(r"^([A-Z][A-Za-z]+)=(.*)$", section, re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_an_intruder_in_pimgr_gets_little() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", "--offline=yes", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    exposure = re.search(r"Overall exposure level for pimgr\.service: ([0-9.]+)", done.stdout)
    assert exposure, done.stdout + done.stderr
    assert float(exposure.group(1)) <= 1.5


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    unit = tmp_path / "pimgr.service"
    unit.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/pimgr/bin/pimgr", "/bin/true"), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False, timeout=30
    )
    about_ours = [line for line in done.stderr.splitlines() if "pimgr.service" in line]
    assert about_ours == []


def test_it_can_reach_the_lan_and_tell_the_boot() -> None:
    service = settings()
    families = service["RestrictAddressFamilies"][0].split()
    assert {"AF_INET", "AF_INET6", "AF_UNIX"} <= set(families)
    assert "PrivateNetwork" not in service
    assert "IPAddressDeny" not in service
    assert service["ProcSubset"] == ["all"], "/proc/sys/kernel/random/boot_id must be readable"


def test_it_may_ask_whether_the_clock_is_synchronised() -> None:
    """pimgr.clock asks by adjtimex(2); were that forbidden, the clock would never be trusted."""
    service = settings()
    assert "ProtectClock" not in service
    assert service["CapabilityBoundingSet"] == [""], "or it could set the clock"
    allowed = {call for line in service["SystemCallFilter"] if not line.startswith("~") for call in line.split()}
    assert {"adjtimex", "clock_adjtime"} <= allowed


def test_a_hung_decision_ends_in_an_abort_and_a_restart() -> None:
    service = settings()
    assert service["Type"] == ["notify"]
    assert service["WatchdogSec"] == ["30"]
    assert service["WatchdogSignal"] == ["SIGABRT"]
    assert service["Restart"] == ["always"]
    assert service["RestartPreventExitStatus"] == ["78"]
    text = configparser.RawConfigParser(strict=False)
    text.read(UNIT)
    assert text["Unit"]["StartLimitIntervalSec"] == "0"


def test_promises_in_run_survive_a_restart() -> None:
    service = settings()
    assert service["RuntimeDirectory"] == ["pimgr"]
    assert service["RuntimeDirectoryPreserve"] == ["yes"]
    assert service["StateDirectory"] == ["pimgr"]
