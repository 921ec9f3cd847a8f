"""A scenario says everything that is wrong with it at once, and what is right is what befalls the house."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from pimgr.config import ConfigErrors
from pimgr.config import parse as parse_house
from pimgr.simulate.rivals import Nothing
from pimgr.simulate.scenario import Planned, Scenario, parse
from pimgr.simulate.year import set_up
from tests.simulate.houses import PLUGINS, SMALL, small

ZONE = ZoneInfo("America/Los_Angeles")

WHOLE = """version = 1
start = 2026-07-01
days = 3
seed = 7
often = 0
[weather]
mean = 20
sun = 0.5
[house]
solar = "4 kW"
base = 300
charge = 55
[loads.pump]
watts = "2 kW"
use = "pool"
[[outages]]
at = 2026-07-02T18:00:00
for = "90min"
"""


def test_a_whole_scenario_is_read():
    scenario = parse(WHOLE)
    assert (scenario.start, scenario.days, scenario.seed, scenario.charge) == ("2026-07-01", 3, "7", 55.0)
    assert scenario.planned == (Planned("2026-07-02T18:00:00", 5400.0),)
    assert (scenario.climate.mean, scenario.climate.sun) == (20.0, 0.5)
    (outage,) = scenario.outages(ZONE)
    assert (outage.start, outage.length_s) == (42 * 3600.0, 5400.0)
    setup = set_up(small(), scenario)
    assert setup.world.home.site.solar_w == 4000.0
    assert next(a for a in setup.world.home.appliances if a.part == "pump").watts == 2000.0


def test_all_that_is_wrong_is_told_at_once_with_its_place():
    text = WHOLE.replace("days = 3", "days = 0").replace("mean = 20", "mean = nan").replace('"90min"', '"5 weeks"')
    text = text.replace('use = "pool"', 'use = "swimming"').replace("often = 0", "oftn = 0")
    with pytest.raises(ConfigErrors) as caught:
        parse(text, "storm.toml")
    told = str(caught.value)
    for word in ("days", "mean", "for", "swimming", "oftn"):
        assert word in told, word
    assert len(caught.value.errors) == 5


def test_a_load_that_the_house_does_not_have_is_told_with_the_nearest_that_it_has():
    with pytest.raises(ConfigErrors, match=r'did you mean "pump"\?') as caught:
        parse(WHOLE.replace("[loads.pump]", "[loads.pmup]"), "storm.toml", ["pump", "lamp"])
    (error,) = caught.value.errors
    assert (error.key, error.line) == ("loads.pmup", 13)
    assert parse(WHOLE, "storm.toml", ["pump", "lamp"]).habits.keys() == {"pump"}


@pytest.mark.parametrize("year", [1, 1969, 2101, 9999])
def test_a_year_that_no_zone_tells_of_is_refused(year):
    with pytest.raises(ConfigErrors, match="from 1970 to 2100"):
        parse(WHOLE.replace("start = 2026-07-01", f'start = "{year:04}-07-01"'))
    with pytest.raises(ConfigErrors, match="from 1970 to 2100"):
        parse(WHOLE.replace("at = 2026-07-02T", f"at = {year:04}-07-02T"))


@pytest.mark.parametrize("start", ["1970-01-01", "2100-12-31"])
def test_the_first_and_the_last_day_can_be_lived_through(start):
    setup = set_up(small(), parse(f"version = 1\ndays = 1\noften = 0\nstart = {start}\n"))
    run = setup.run(Nothing())
    run.until(setup.scenario.span_s)
    assert run.plant.tally.outage_s == 0.0


@pytest.mark.parametrize("text", ["", "version = 2", "version = [", "version = 1\nseed = true"])
def test_what_is_no_scenario_is_refused(text):
    with pytest.raises(ConfigErrors):
        parse(text)


def test_a_scenario_begins_at_local_midnight():
    assert Scenario(start="2026-07-01").begin(ZONE) == 1_782_889_200.0  # 07:00 UTC


def test_the_panels_are_those_of_the_config_unless_the_scenario_has_others():
    text = SMALL.replace("solar_w = {solar}\n", "").replace("reserve = 80", "reserve = 80\nsolar = '5 kWp'")
    house = parse_house(text, "panels", PLUGINS)
    assert set_up(house, Scenario(days=1)).world.home.site.solar_w == pytest.approx(5000.0)
    dark = parse("version = 1\ndays = 1\n[house]\nsolar = 0\n")
    assert set_up(house, dark).world.home.site.solar_w == 0.0
