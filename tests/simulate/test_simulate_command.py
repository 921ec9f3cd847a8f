"""`pimgr simulate` as a person calls it: what its options do, what it says, and with which status it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from pimgr.api import replace
from pimgr.cli.simulating import Wanted, simulate
from pimgr.simulate import engine, year
from pimgr.simulate.chart import CURE
from tests.cli.making import pimgr
from tests.simulate.houses import SMALL

SCENARIO = """version = 1
start = "2026-07-01"
days = 2
often = 0
[[outages]]
at = "2026-07-02T10:00"
for = "2h"
"""
USUAL = {"days": None, "scenario": None, "seed": None, "json": None, "chart": None, "alone": True, "faults": False}


def test_a_simulation_prints_its_scorecard_in_80_columns_and_writes_json_and_chart(tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "storm.toml").write_text(SCENARIO)
    told, chart = tmp_path / "card.json", tmp_path / "chart.png"
    done = pimgr("simulate", "--scenario", str(tmp_path / "storm.toml"), "--json", str(told), "--chart", str(chart))
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "1 outage, 2.0 h in all." in done.stdout
    card = json.loads(told.read_text())
    assert card["policies"][0]["policy"] == "pimgr"
    assert len(card["policies"]) == 7
    assert card["policies"][0]["wrong"] == 0
    assert chart.read_bytes().startswith(b"\x89PNG")


def test_whoever_waits_at_a_terminal_is_told_why_and_a_pipe_gets_the_result_only(tmp_path):
    (tmp_path / "house.toml").write_text(SMALL.format(solar=0.0))
    words = ("simulate", "--config", str(tmp_path / "house.toml"), "--days", "1", "--alone")
    assert pimgr(*words).stderr == ""
    ours, theirs = os.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "pimgr.cli", *words], stdout=subprocess.PIPE, stderr=theirs, check=True
    )
    os.close(theirs)
    with open(ours, "rb", buffering=0) as terminal:
        assert terminal.read(200) == b"Living through 1 day; a year takes about a minute ...\r\n"
    assert b"Living" not in done.stdout


def test_every_option_of_the_command_line_is_heeded(tmp_path):
    (tmp_path / "house.toml").write_text(SMALL.format(solar=0.0))
    told = tmp_path / "card.json"
    words = ["--config", str(tmp_path / "house.toml"), "--days", "1", "--seed", "x", "--alone", "--faults"]
    done = pimgr("simulate", *words, "--json", str(told))
    assert done.returncode == 0, done.stderr
    made = json.loads(told.read_text())
    assert [made["scenario"][key] for key in ("days", "seed", "faults")] == [1, "x", True]
    assert "a house with 6 things" in done.stdout
    assert "No wrong restore" in done.stdout


class Simulated:
    """The small house, two days, an outage of two hours: exit status, what was printed, and the JSON."""

    def __init__(self, tmp_path, capsys, text: str = SCENARIO, **wanted) -> None:
        for name, content in (("house.toml", SMALL.format(solar=0.0)), ("storm.toml", text)):
            (tmp_path / name).write_text(content)
        told = tmp_path / "card.json"
        given = {"config": tmp_path / "house.toml", "scenario": tmp_path / "storm.toml", "json": told}
        with pytest.raises(SystemExit) as ended:
            simulate(Wanted(**{**USUAL, **given, **wanted}))
        self.status, (self.out, self.err) = ended.value.code, capsys.readouterr()
        self.made = json.loads(told.read_text()) if told.exists() else None


def test_with_faults_pimgr_is_alone_wherever_they_were_asked_for(tmp_path, capsys):
    for text, faults in ((SCENARIO.replace("often", "faults = true\noften"), False), (SCENARIO, True)):
        done = Simulated(tmp_path, capsys, text, alone=False, faults=faults)
        assert [each["policy"] for each in done.made["policies"]] == ["pimgr"]
        assert "No wrong restore" in done.out
        assert done.status == 0
    others = Simulated(tmp_path, capsys, alone=False)
    assert len(others.made["policies"]) == 7
    assert "No wrong restore" not in others.out


def test_the_status_says_no_exactly_where_something_wrong_is_printed(tmp_path, capsys, monkeypatch):
    """Also without faults: what the checks found is never kept back."""
    assert Simulated(tmp_path, capsys).status == 0
    monkeypatch.setattr(year, "ours", lambda setup, real=year.ours: replace(real(setup), found=("5 s: it fought",)))
    done = Simulated(tmp_path, capsys)
    assert done.status == 1
    assert "WRONG:" in done.out
    assert "5 s: it fought" in done.out


def test_what_is_wrong_with_a_scenario_is_told_and_the_status_says_no(tmp_path, capsys):
    done = Simulated(tmp_path, capsys, "version = 1\ndays = 0\nwether = 1\n[loads.pmup]\nwatts = 5\n")
    assert (done.status, done.made) == (1, None)
    for word in ("days", "wether", 'did you mean "pump"?'):
        assert word in done.err


@pytest.mark.parametrize("days", [0, -1, 3661])
def test_a_number_of_days_that_cannot_be_is_refused(tmp_path, capsys, days):
    done = Simulated(tmp_path, capsys, days=days)
    assert done.status == 2
    assert f"--days {days}: from 1 to 3660" in done.err


def test_without_matplotlib_the_cure_is_told_before_a_year_is_lived_through(tmp_path, capsys, monkeypatch):
    for name in [n for n in sys.modules if n.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = Simulated(tmp_path, capsys, chart=tmp_path / "chart.png")
    assert (done.status, done.out, done.made) == (1, "", None)
    assert CURE in done.err
    assert "pimgr[plot]" in CURE


def test_a_simulation_that_never_comes_to_rest_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(engine, "SPIN", 3.0)
    done = Simulated(tmp_path, capsys)
    assert (done.status, done.out) == (1, "")
    assert "never comes to rest" in done.err
    assert "Traceback" not in done.err
