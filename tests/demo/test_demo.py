"""The rehearsal itself, as `make demo` plays it: the real supervisor passes, and three broken ones don't."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pimgr.demo import Options, main
from pimgr.demo.mutants import MUTANTS
from pimgr.demo.score import Score

pytestmark = pytest.mark.slow


def test_the_demo_passes_and_writes_its_scorecard(tmp_path: Path) -> None:
    card = tmp_path / "new folder" / "score.json"
    command = [sys.executable, "-m", "pimgr.cli", "demo", "--fast", "--no-tty", "--json", str(card)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    score = json.loads(card.read_text())
    assert score["failures"] == []
    assert set(score) == set(Score.__struct_fields__)
    assert set(score["owed"]) == set(score["given_back"]) >= {"ev-charger", "pool-pump", "strip/2", "strip/5", "nas"}
    assert "differ from the defaults" in done.stdout


def test_the_full_house_sheds_without_the_internet_and_shows_who_is_lost(tmp_path: Path) -> None:
    card = tmp_path / "score.json"
    command = [
        sys.executable,
        "-m",
        "pimgr.cli",
        "demo",
        "--scenario",
        "full",
        "--fast",
        "--no-tty",
        "--json",
        str(card),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    score = json.loads(card.read_text())
    assert set(score["owed"]) == set(score["given_back"])
    assert {"pool-pump", "spa", "workshop/1", "nas", "sun", "office-pc"} <= set(score["owed"])
    assert {"tesla", "climate", "weather"} <= set(score["lost"])
    assert (score["grid_by"], score["mails_offline"]) == ("SystemIslandedActive", 0)
    assert score["mails"] > 0


def test_a_scenario_that_is_not_there_is_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pimgr.cli", "demo", "--scenario", "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "there are: house, full" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("mutant", "failure"),
    [("amnesiac", "never given back"), ("generous", "restored wrongly"), ("late", "first command after")],
)
def test_a_broken_supervisor_fails_the_demo(tmp_path: Path, mutant: str, failure: str) -> None:
    assert mutant in MUTANTS
    card = tmp_path / "score.json"
    assert main(Options(fast=True, tty=False, mutant=mutant, json=card)) == 1
    assert any(failure in found for found in json.loads(card.read_text())["failures"])
