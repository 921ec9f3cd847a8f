"""What a tier of the config means to the policy, and what it is refused for."""

from __future__ import annotations

import pytest

from pimgr import config
from pimgr.policy.model import Goal, Tier
from pimgr.units import Percent
from tests.config.house import PLUGINS, changed


def parse(*changes: tuple[str, str]) -> config.HouseConfig:
    return config.parse(changed(*changes), "pimgr.toml", PLUGINS)


def low(text: str) -> Tier:
    """The second tier, with these lines for its condition."""
    return parse(("below = 50", text)).policy.tiers[1]


def test_a_tier_may_have_several_conditions() -> None:
    tier = low('after = "10min"\nbelow = 50\nbelow_runtime = "4h"\nrestore_runtime = "5h"\nrestore_above = 70')
    assert tier == Tier(
        name="low",
        loads=("nas",),
        after_s=600.0,
        below=Percent(50.0),
        restore_above=Percent(70.0),
        below_runtime_s=4 * 3600.0,
        restore_runtime_s=5 * 3600.0,
    )


@pytest.mark.parametrize(
    ("text", "goal"),
    [
        ('keep = "sunrise"', Goal(sunrise=True)),
        ('keep = "8h"', Goal(for_s=8 * 3600.0)),
        ('keep = "30min"\nleft = 25', Goal(for_s=1800.0, left=Percent(25.0))),
    ],
)
def test_a_goal_is_the_sunrise_or_a_duration(text: str, goal: Goal) -> None:
    tier = low(text)
    assert tier.keep == goal
    assert (tier.below, tier.restore_above, tier.at_once) == (None, None, False)


def test_a_goal_may_begin_to_count_later() -> None:
    tier = low('keep = "8h"\nbelow = 60')
    assert (tier.keep, tier.below, tier.restore_above) == (Goal(), 60.0, None)


def test_by_time_or_at_once_nothing_comes_back_in_mid_outage_unless_a_charge_is_given() -> None:
    assert low('after = "10min"').restore_above is None
    assert low('after = "10min"\nrestore_above = 90').restore_above == 90.0
    assert parse(("at_once = true", "at_once = true\nrestore_above = 95")).policy.tiers[0].restore_above == 95.0


def test_what_a_load_draws_and_how_long_it_rests_is_kept_with_it() -> None:
    part = parse(("enforce = true", 'watts = "1.2 kW"\nmin_off = "5min"')).policy.parts["pool-pump"]
    assert (part.watts, part.min_off_s) == (1200.0, 300.0)
    other = parse().policy.parts["pool-pump"]
    assert (other.watts, other.min_off_s) == (None, 0.0)


def test_the_charge_to_wait_for_and_what_going_off_grid_on_purpose_is() -> None:
    plain = parse().policy
    assert (plain.timing.restore_charge, plain.ignore_intentional) == (0.0, False)
    more = parse(('stagger = "5s"', "above = 30"), ('settle = "5min"', 'intentional = "ignore"')).policy
    assert (more.timing.restore_charge, more.ignore_intentional) == (30.0, True)


def test_the_panels_peak_becomes_what_they_give_for_each_watt_of_sun() -> None:
    """5 kWp at 1000 W/m2 would be 5 kW; a fifth is lost on the way."""
    assert parse().policy.battery.solar_w_per_w_m2 is None
    assert parse(("assumed_load = 800", 'solar = "5 kWp"')).policy.battery.solar_w_per_w_m2 == pytest.approx(4.0)


def test_a_witness_may_go_off_after_its_host_or_not_at_all() -> None:
    house = parse(
        ('loads = ["nas"]', 'loads = ["nas"]\n[[tiers]]\nname = "last"\nbelow = 10\nloads = ["strip/5"]'),
        ('witness = "strip/1"', 'witness = "strip/5"'),
    )
    assert house.policy.parts["nas"].witness == "strip/5"
