"""`pimgr plan` as a person calls it, and what it is made of."""

from __future__ import annotations

import json
import time

import msgspec
import pytest

from pimgr.api import ForecastHour, ForecastReading, Instant, Now
from pimgr.cli.planning import lines_of
from pimgr.simulate import home, year
from pimgr.simulate.plan import Plan, plan
from pimgr.simulate.present import Known
from pimgr.simulate.scenario import Planned, Scenario
from pimgr.snapshot import PartLine, SiteFact, Snapshot
from pimgr.units import Celsius, Percent, Watts
from tests.cli.making import pimgr, publish
from tests.simulate.houses import SMALL

HOUR_S = 3600.0
MONDAY = 1_783_353_600.0
"""2026-07-06T16:00Z: nine in the morning in California, on a Monday with a peak from 14:00."""


def snapshot(charge: float = 90.0, **states: str) -> Snapshot:
    at = Instant(5000.0, MONDAY, "boot-7")
    parts = tuple(
        PartLine(part=part, title=part, state=states.get(part, "on"), power_w=Watts(100.0), read_at=at)
        for part in home.default().policy.parts
    )
    facts = (SiteFact(name="load", value="3500 W", number=3500.0, source="gateway", at=at),)
    return Snapshot(
        at=at, pid=1, seq=1, headline="", phase="normal", grid="up", charge=Percent(charge), site=facts, parts=parts
    )


def known(view: Snapshot, sun: float = 500.0) -> Known:
    hours = tuple(
        ForecastHour(MONDAY + h * HOUR_S, Celsius(42.0 if 3 <= h <= 8 else 25.0), Percent(0.0), sun, 3.0)
        for h in range(48)
    )
    at = Instant(5000.0 - 3 * HOUR_S, MONDAY - 3 * HOUR_S, "boot-7")
    forecast = ForecastReading(at=at, source="forecast", hours=hours)
    return Known(now=Now(5000.0, MONDAY, "boot-7", True), snapshot=view, forecast=forecast)


def texts(made: Plan) -> list[str]:
    return [line.text for line in made.day]


def test_the_plan_of_a_day_has_the_tariffs_windows_and_what_is_asked_of_the_battery():
    made = plan(home.default(), known(snapshot()))
    assert "the tariff's period peak begins" in texts(made)
    begins = next(line for line in made.day if line.text == "the tariff's period peak begins")
    assert begins.wall == MONDAY + 4 * HOUR_S + 50 * 60.0  # 13:50
    reserve = [line for line in made.day if line.text.startswith("battery: reserve 20 %")]
    assert len(reserve) == 1
    assert reserve[0].wall == pytest.approx(begins.wall, abs=5.0)
    assert reserve[0].why


def test_the_plan_of_an_outage_says_what_goes_off_now_and_how_long_it_lasts():
    made = plan(home.default(), known(snapshot()))
    first = made.outage[0]
    assert first.wall - made.at < 60.0
    assert "ev-charger" in first.text
    assert first.why == "big loads"
    assert made.assumed == ()
    lines = lines_of(made)
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("If the grid failed now") for line in lines)
    assert "  The weather is that of the forecast, told 3 h 0 min ago." in lines


@pytest.mark.slow
def test_what_is_off_already_does_not_go_off():
    made = plan(home.default(), known(snapshot(**{"ev-charger": "off"})))
    assert "ev-charger" not in made.outage[0].text


@pytest.mark.slow
def test_a_battery_that_is_nearly_empty_does_not_last():
    made = plan(home.default(), known(snapshot(charge=3.0), sun=0.0))
    assert made.lasts_s is not None
    assert not made.overload
    assert any("would be empty" in line for line in lines_of(made))


@pytest.mark.slow
def test_the_same_house_has_the_same_plan():
    assert plan(home.default(), known(snapshot())) == plan(home.default(), known(snapshot()))


@pytest.mark.slow
def test_without_a_running_pimgr_the_plan_says_what_it_assumes(tmp_path):
    text = home.resources.files("pimgr.simulate").joinpath("house.toml").read_text()
    (tmp_path / "pimgr.toml").write_text(text)
    done = pimgr("plan", "--config", str(tmp_path / "pimgr.toml"), "--run", str(tmp_path), "--state", str(tmp_path))
    assert done.returncode == 3
    assert "not running" in done.stdout
    assert "are assumed" in done.stdout
    done = pimgr(
        "plan", "--json", "--config", str(tmp_path / "pimgr.toml"), "--run", str(tmp_path), "--state", str(tmp_path)
    )
    made = msgspec.convert(json.loads(done.stdout)["plan"], Plan)
    assert abs(made.at - time.time()) < 600.0
    assert made.outage


def test_a_plan_without_the_journal_says_so_and_what_that_means(tmp_path):
    (tmp_path / "pimgr.toml").write_text(SMALL.format(solar=0.0))
    publish(tmp_path, parts=(), phase="outage")
    done = pimgr("plan", "--config", str(tmp_path / "pimgr.toml"), "--run", str(tmp_path), "--state", str(tmp_path))
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    assert f"Note: the journal in {tmp_path} can't be read" in told
    assert "that pimgr has turned nothing off is assumed" in told
    assert "there is no forecast" in told


def test_planned_outages_are_local_time():
    scenario = Scenario(start="2026-07-01", days=2, often=0.0, planned=(Planned("2026-07-02T10:00", 60.0),))
    (outage,) = year.set_up(home.default(), scenario).outages
    assert outage.start == 34 * HOUR_S
