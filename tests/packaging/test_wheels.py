"""What a home owner installs: wheels of everything, into an empty venv, without a network."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PLUGINS = ("apprise", "gmail", "honeywell", "kasa", "powerwall", "ssh-host", "tuya", "weather", "windows-host")
SECONDS = 300


@pytest.fixture(scope="session")
def installed(python: str, our_wheels: list[Path], wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a venv that was empty, and got `pimgr[all,house,screen]` from two folders of wheels."""
    venv = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([python, "-m", "venv", str(venv)], check=True, timeout=SECONDS)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--isolated", "--disable-pip-version-check", "install", "--quiet"]
    sources = ["--no-index", f"--find-links={our_wheels[0].parent}", f"--find-links={wheelhouse}"]
    subprocess.run([*pip, *sources, "pimgr[all,house,screen]==0.1.0"], check=True, timeout=SECONDS)
    return venv / "bin"


def run(*command: str | Path) -> str:
    """What it prints, with nothing of this checkout on its path. Fails the test with its words if it fails."""
    words = [str(word) for word in command]
    bare = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, cwd="/", env=bare)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def metadata(wheel: Path) -> Message:
    """The core metadata of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_string(archive.read(name).decode())


def test_the_extra_all_brings_every_plugin_and_all_it_needs(installed: Path) -> None:
    assert "No broken requirements" in run(installed / "python", "-m", "pip", "check")
    listed = json.loads(run(installed / "python", "-m", "pip", "list", "--format=json"))
    ours = {entry["name"]: entry["version"] for entry in listed if entry["name"].startswith("pimgr")}
    assert ours == {"pimgr": "0.1.0"} | {f"pimgr-{name}": "0.1.0" for name in PLUGINS}


def test_plugin_list_names_the_seven_there(installed: Path) -> None:
    shown = run(installed / "pimgr", "plugin", "list")
    assert [name for name in PLUGINS if not re.search(rf"^{name}\b", shown, re.MULTILINE)] == [], shown
    records = json.loads(run(installed / "pimgr", "plugin", "list", "--json"))
    assert {record["name"]: record["status"] for record in records} == dict.fromkeys(PLUGINS, "loaded")


def test_the_command_knows_its_version_there(installed: Path) -> None:
    assert "0.1.0" in run(installed / "pimgr", "version")


def test_wheels_carry_types_scenarios_and_nothing_of_the_tests(our_wheels: list[Path]) -> None:
    assert len(our_wheels) == 1 + len(PLUGINS)
    for wheel in our_wheels:
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
        package = wheel.name.split("-")[0]
        assert f"{package}/py.typed" in names
        tops = {name.split("/")[0] for name in names}
        assert tops == {package, f"{package}-0.1.0.dist-info"}, f"{wheel.name} brings {tops}"
    with zipfile.ZipFile(next(wheel for wheel in our_wheels if wheel.name.startswith("pimgr-0.1.0"))) as archive:
        assert "pimgr/house/scenarios/evening.toml" in archive.namelist()


def test_each_wheel_names_its_licence(our_wheels: list[Path]) -> None:
    for wheel in our_wheels:
        about = metadata(wheel)
        wanted = "GPL-3.0-or-later" if about["Name"] == "pimgr-kasa" else "Apache-2.0"
        assert about["License-Expression"] == wanted, about["Name"]
