"""What the config may want of the site, and what is refused with its reason and its cure."""

from __future__ import annotations

import pytest

from pimgr import config
from pimgr.api import SiteMode
from pimgr.policy.aspects import GridCharging, Mode, Reserve
from pimgr.policy.battery.settings import SitePolicy
from pimgr.units import Percent
from tests.config.house import PLUGINS, VALID, changed

TESLA = '\n[connections.tesla]\ntype = "acme.control"\n[connections.inverter]\ntype = "acme.local-control"\n'


def battery(*lines: str, more: str = TESLA) -> config.HouseConfig:
    text = changed(('capacity = "13.5 kWh"', "\n".join(['capacity = "13.5 kWh"', *lines]))) + more
    return config.parse(text, "pimgr.toml", PLUGINS)


def told(*lines: str, more: str = TESLA) -> str:
    with pytest.raises(config.ConfigErrors) as caught:
        battery(*lines, more=more)
    [error] = caught.value.errors
    return f"{error.key}: {error.expected}; {error.cure}"


def test_without_a_word_nothing_is_wanted_and_local_controls_come_before_clouds() -> None:
    assert battery().policy.site == SitePolicy(controls=("inverter", "tesla"))
    assert config.parse(VALID, "x", PLUGINS).policy.site == SitePolicy()


def test_the_config_may_order_the_controls_and_want_three_things() -> None:
    site = battery(
        'control = ["tesla"]', "reserve = 30", 'mode = "self_consumption"', "grid_charging = false"
    ).policy.site
    assert site.controls == ("tesla",)
    assert set(site.keep) == {Mode(SiteMode.SELF_CONSUMPTION), Reserve(Percent(30.0)), GridCharging(False)}


@pytest.mark.parametrize("percent", ["0", "30", '"80 %"', "100"])
def test_a_reserve_that_a_powerwall_takes_is_taken(percent: str) -> None:
    assert battery(f"reserve = {percent}").policy.site.keep


@pytest.mark.parametrize("percent", ["81", "95.5", "99", '"99 %"'])
def test_a_reserve_that_a_powerwall_refuses_is_refused_with_the_reason_and_the_cure(percent: str) -> None:
    expected = "battery.reserve: 0 to 80, or 100: Powerwalls refuse what lies between; write 80 or 100"
    assert told(f"reserve = {percent}") == expected


@pytest.mark.parametrize(
    ("line", "more", "expected"),
    [
        ("reserve = -1", TESLA, "battery.reserve: a percentage"),
        ('mode = "self-consumption"', TESLA, 'did you mean "self_consumption"?'),
        ("mode = 1", TESLA, "put it in quotes"),
        ('grid_charging = "no"', TESLA, "battery.grid_charging: true or false"),
        ('control = ["gateway"]', TESLA, "battery.control #1: a site control; a site control here: "),
        ("reserve = 30", "", "battery.reserve: a connection that can set it"),
        (
            "reserve = 30",
            TESLA + '[connections.site]\ntype = "acme.host"\n',
            "connections.site: no connection called site",
        ),
    ],
)
def test_what_can_not_be_is_refused(line: str, more: str, expected: str) -> None:
    assert expected in told(line, more=more)


def test_a_cloud_meter_stands_for_a_quarter_of_an_hour_and_one_in_the_house_for_a_minute() -> None:
    house = config.parse(changed(('meters = ["gateway"]', 'meters = ["gateway", "cloud"]')), "x", PLUGINS)
    assert house.meter_fresh_s == {"gateway": 60.0, "cloud": 900.0}
