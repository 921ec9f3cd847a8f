"""`pimgr plugin new`: a plugin to begin with, which passes everything that is asked of a plugin."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pimgr.cli.app import app
from pimgr.installs import scaffold


@pytest.mark.parametrize("name", ["", "Porch", "1st", "a" * 33, "a b", "../up", "-x", "läuft", "a.b", "x\n", "kasa"])
def test_a_name_that_no_plugin_can_have_is_refused_and_nothing_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(scaffold.NotMade):
        scaffold.make(name, tmp_path, "MIT")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x", "a" * 32, "porch-light", "my_lamp2"])
def test_any_other_name_is_taken(name: str, tmp_path: Path) -> None:
    folder = scaffold.make(name, tmp_path / "deep" / "inside", "Apache-2.0")
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    package = f"pimgr_{name.replace('-', '_')}"
    assert project["name"] == f"pimgr-{name}"
    assert project["entry-points"]["pimgr"] == {name: package}
    for path in folder.rglob("*.py"):
        text = path.read_text()
        assert "@" not in text.replace("@hookimpl", "").replace("@asynccontextmanager", "").replace("@pytest", "")
        compile(text, str(path), "exec")


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "pimgr-lamp" / "precious"
    mine.parent.mkdir()
    mine.write_text("mine")
    told = CliRunner().invoke(app, ["plugin", "new", "lamp", "--into", str(tmp_path)])
    assert told.exit_code == 1
    assert "is there already" in told.stderr
    assert [path.name for path in mine.parent.iterdir()] == ["precious"]


@pytest.mark.parametrize("licence", ["Apache-2.0", "MIT", "GPL-3.0-or-later", "none"])
def test_the_licence_is_the_authors_choice(licence: str, tmp_path: Path) -> None:
    folder = scaffold.make("lamp", tmp_path, licence)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project.get("license") == (None if licence == "none" else licence)
    assert (folder / "LICENSE").exists() is (licence != "none")
    told = CliRunner().invoke(app, ["plugin", "new", "other", "--into", str(tmp_path), "--licence", "WTF"])
    assert told.exit_code == 1
    assert "one of Apache-2.0, MIT" in told.stderr


def test_it_is_written_as_our_own_code_is(tmp_path: Path) -> None:
    folder = scaffold.make("porch-light", tmp_path, "MIT")
    config = Path(__file__).parents[2] / "pyproject.toml"
    for words in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        command = [sys.executable, "-m", "ruff", *words, "--config", str(config), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_its_tests_pass_at_once(tmp_path: Path) -> None:
    """Every rule of the contract and every trouble, before its author has written a line."""
    folder = scaffold.make("porch-light", tmp_path, "MIT")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b[2-9][0-9] passed, 1 skipped in", done.stdout), "it can do all that its methods say"
