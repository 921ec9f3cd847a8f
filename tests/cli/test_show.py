"""What a person reads on the screen."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from pimgr.api import Instant
from pimgr.cli import show, sights
from pimgr.cli.word import Word, ago, alive, judge, spoken
from pimgr.plugins import PluginRecord, PluginStatus
from pimgr.snapshot import ConnectionLine, ForecastLine, PartLine, SiteFact, ThermostatLine
from tests.cli.making import earlier, view

NOW = Instant(10_000.0, 1.8e9, "b007" * 8)
FRESH = Word(running=True, age_s=1.0)

STATUS = """\
on battery, 48 %, 2 shed

grid     down (gateway), 3 s ago
phase    outage, the outage began 1 h 6 min ago
battery  48 %
owed     2 to be given back

Parts
  pool-pump  off          0 W  taken
      the grid is down; comes back when the grid is back
  strip/3    on        1200 W
  nas        unknown
      ! no answer in 5 s (192.0.2.14)

2 connections, 1 not well
  nas (ssh-host.linux) lost, since 1 min ago: timeout"""


def test_the_status_of_a_house_reads_so() -> None:
    assert "\n".join(show.status(view(), FRESH, earlier(0))) == STATUS


def test_what_nobody_needed_yet_is_not_called_ill() -> None:
    idle = [ConnectionLine(id=name, type="gmail.mail", health="waiting") for name in ("mail", "phone")]
    assert show.status(view(connections=tuple(idle)), FRESH, NOW)[-2:] == [
        "2 connections, all well",
        "  not heard from yet: mail, phone",
    ]


def test_what_was_never_read_is_not_called_old() -> None:
    line = ThermostatLine(part="attic", title="attic", fault="asks again in 9 min")
    assert sights.thermostat(line, NOW, "") == ["  attic  not read yet", "      ! asks again in 9 min"]


SIGHTS = """\
owed     2 to be given back
site     charge 84 %, load 500 W (gateway, 3 s ago)
         reserve 30 %, mode self_consumption (tesla, 4 min ago)

Thermostats
  hall  22.5 °C, cool, heat to 20 °C, cool to 25.5 °C, by its own schedule; read
      4 min ago
  bedroom  21 °C, heat, heat to 19 °C, held for good; read 1 h 0 min ago
      ! old: it is disconnected
  attic  not read yet

Forecast
  sky  384 hours and 16 days to come, read 20 min ago
      ! old: no answer in 30 s

Parts
"""


def test_what_is_seen_and_not_switched_is_told_with_its_source_and_its_age() -> None:
    facts = (("charge", "84 %"), ("load", "500 W"), ("reserve", "30 %"), ("mode", "self_consumption"))
    at = {"gateway": earlier(3), "tesla": earlier(250)}
    sources = ("gateway", "gateway", "tesla", "tesla")
    house = view(
        site=tuple(SiteFact(name=n, value=v, source=s, at=at[s]) for (n, v), s in zip(facts, sources, strict=True)),
        thermostats=(
            ThermostatLine(part="hall", title="Hall", indoor=22.5, mode="cool", heat=20.0, cool=25.5,  # type: ignore[arg-type]
                           read_at=earlier(250)),
            ThermostatLine(part="bedroom", title="", indoor=21.0, mode="heat", heat=19.0, permanent=True,  # type: ignore[arg-type]
                           read_at=earlier(3600), fault="it is disconnected"),
            ThermostatLine(part="attic", title="attic"),
        ),
        forecasts=(ForecastLine(part="sky", hours=384, days=16, read_at=earlier(1200), fault="no answer in 30 s"),),
    )  # fmt: skip
    assert SIGHTS in "\n".join(show.status(house, FRESH, earlier(0)))


def test_a_moved_thermostat_says_why_and_until_when_in_its_owners_degrees() -> None:
    line = ThermostatLine(part="hall", title="Hall", indoor=25.0, mode="cool", cool=76 / 1.8 - 32 / 1.8,  # type: ignore[arg-type]
                          read_at=earlier(5), status="taken", why="the battery fell to 50 %", fahrenheit=True,
                          returns="comes back when the peak is over")  # fmt: skip
    assert sights.thermostat(line, earlier(0), "") == [
        "  hall  77 °F, cool, cool to 76 °F, by its own schedule; read 5 s ago",
        "      taken: the battery fell to 50 %; comes back when the peak is over",
    ]


@pytest.mark.parametrize(("zone", "time"), [("America/New_York", "17:30"), ("", "21:30"), ("Mars/Base", "21:30 UTC")])
def test_a_hold_is_told_with_its_end_by_the_clock_of_the_house(
    monkeypatch: pytest.MonkeyPatch, zone: str, time: str
) -> None:
    """Not by the clock of the box, which is set to UTC."""
    monkeypatch.setenv("TZ", "UTC")
    until = datetime(2026, 7, 31, 21, 30, tzinfo=UTC).timestamp()
    line = ThermostatLine(part="hall", title="", indoor=22.5, mode="cool", until=until, read_at=earlier(0))  # type: ignore[arg-type]
    assert f"held until Fri {time};" in " ".join(show.status(view(thermostats=(line,), zone=zone), FRESH, earlier(0)))
    never = msgspec.structs.replace(line, until=1e300)
    assert "until a time that no calendar has" in " ".join(sights.thermostat(never, earlier(0), zone))


def test_lines_fit_the_screen() -> None:
    long = "a rather long reason that goes on and on, since somebody thought it should be said in full; " * 3
    part = PartLine(part="a-connection-with-a-long-name/and-part", title="x", state="unknown", status="taken", why=long)
    house = view(parts=(part,), trouble=(long,))
    assert max(map(len, show.status(house, Word(running=False, age_s=1, problem=long), NOW))) <= show.WIDTH


@pytest.mark.parametrize("name", ["\x1b[2Jx", "\u202ex", "x\ny", "x\r"])
def test_hostile_names_do_nothing_in_any_line(name: str) -> None:
    part = PartLine(part=name, title=name, state="on", status=name, why=name, returns=name, fault=name)
    house = view(
        headline=name, grid_raw=name, trouble=(name,), parts=(part,),
        connections=(view().connections[1].__class__(id=name, type=name, health="lost", reason=name),),
    )  # fmt: skip
    record = PluginRecord(name=name, distribution=name, version=name, status=PluginStatus.FAILED, reason=name)
    lines = [*show.status(house, FRESH, NOW), *show.why(house.parts, NOW), *show.plugins([record])]
    assert all(line.isprintable() for line in lines)


def test_an_estimated_charge_is_said_to_be_one() -> None:
    assert any("estimated" in line for line in show.status(view(charge_estimated=True), FRESH, NOW))


def test_a_dry_run_is_said_to_be_one() -> None:
    assert "This is a dry run: nothing is switched." in show.status(view(dry_run=True), FRESH, NOW)


@pytest.mark.parametrize(
    ("at", "lives", "running", "problem"),
    [
        (Instant(9_998.0, 0.0, "b007b007b007"), True, True, ""),
        (Instant(9_960.0, 0.0, "b007b007b007"), True, False, "has said nothing for 40 s"),
        (Instant(9_998.0, 0.0, "b007b007b007"), False, False, "pimgr is not running; its last word is from 2 s ago"),
        (Instant(9_998.0, 0.0, "0123b007b007"), True, False, "has not run since this box was started"),
        (Instant(9_998.0, 0.0, ""), True, False, "has not run since this box was started"),
    ],
)
def test_an_old_word_is_not_relied_on(at: Instant, lives: bool, running: bool, problem: str) -> None:
    word = judge(view(at=at), NOW, alive=lives)
    assert word.running is running
    assert problem in word.problem
    assert bool(problem) is bool(word.problem)


def test_an_unreliable_word_says_so_first() -> None:
    word = judge(view(at=Instant(1.0, 0.0, NOW.boot)), NOW, alive=False)
    assert show.status(view(), word, NOW)[0].startswith("! pimgr is not running")


def test_a_process_is_told_from_none() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    assert alive(os.getpid())
    assert alive(1)
    assert not any(map(alive, (gone.pid, 0, -1, 2**80)))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3660, "1 h 1 min"), (90000, "1 d 1 h")],
)
def test_a_span_is_said_in_two_units_at_most(seconds: float, words: str) -> None:
    assert spoken(seconds) == words


def test_a_moment_of_another_boot_has_no_age() -> None:
    assert ago(Instant(5.0, 0.0, "0123"), NOW) == "before the last start of this box"


def test_why_says_until_when() -> None:
    lines = show.why(view().parts[:1], earlier(0))
    assert lines == [
        "pool-pump (Pool pump): off, read 12 s ago",
        "    taken: the grid is down",
        "    comes back when the grid is back",
    ]


def test_no_plugins_are_said_with_the_cure(tmp_path: Path) -> None:
    assert "pip install pimgr[all]" in show.plugins([])[0]
