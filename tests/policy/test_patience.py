"""What giving back waits for: a charge after an outage, and a compressor's rest. And for neither for ever."""

from __future__ import annotations

import pytest

from pimgr.api import replace
from pimgr.policy.model import Tier
from pimgr.units import Percent
from tests.policy.evening import HOUR, Evening, policy
from tests.policy.world import switch

LOADS = {"fridge": 100.0, "tv": 200.0}


def living(charge: float = 50.0, *, above: float = 0.0, min_off_s: float = 0.0, **more: object) -> Evening:
    """Fridge and TV go off at once."""
    parts = {"fridge": replace(switch(), min_off_s=min_off_s, **more)}
    of = policy(Tier(name="at once", loads=tuple(LOADS)), parts=parts)
    return Evening(replace(of, timing=replace(of.timing, restore_charge=Percent(above))), LOADS, charge=charge)


def returned(house: Evening, after_s: float) -> set[str]:
    """What is on so long after the grid came back."""
    house.grid = "up"
    house.run(after_s)
    return {part for part, on in house.on.items() if on}


def test_after_an_outage_nothing_is_given_back_below_the_charge_to_wait_for():
    house = living(20.0, above=30.0)
    house.run(60)
    assert returned(house, HOUR) == set()
    assert house.desk.state.claims[0].owed_since is None
    assert not any("could not be given back" in mail for mail in house.desk.mails)
    reason = next(r for r in house.desk.decision.reasons if r.part == "fridge")
    assert reason.returns == "comes back when the battery is at 30 %"
    house.charge = 30.0
    assert returned(house, 30.0) == {"fridge", "tv"}


def test_without_such_a_charge_it_is_given_back_at_once():
    house = living(0.0)
    house.run(60)
    assert returned(house, 30.0) == {"fridge", "tv"}


def test_a_charge_that_nobody_knows_holds_nothing_back_for_more_than_an_hour():
    house = living(20.0, above=30.0)
    house.run(60)
    house.meters = False
    assert returned(house, HOUR - 60.0) == set()
    assert returned(house, 90.0) == {"fridge", "tv"}


def test_nor_does_a_battery_that_is_never_charged_for_more_than_half_a_day():
    house = living(20.0, above=30.0)
    house.run(60)
    house.grid = "up"
    for _ in range(12 * 60 - 2):
        house.step(60.0)
    assert house.off() == {"fridge", "tv"}
    for _ in range(4):
        house.step(60.0)
    assert house.off() == set()


def test_a_new_outage_in_the_meantime_takes_over_what_is_held_back():
    house = living(20.0, above=30.0)
    house.run(60)
    returned(house, 120.0)
    house.grid = "down"
    house.run(60)
    assert {c.episode for c in house.desk.state.claims} == {"outage-2"}
    house.charge = 50.0
    assert returned(house, 60.0) == {"fridge", "tv"}


def test_in_mid_outage_the_tiers_say_when():
    """The charge to wait for is one for after the outage."""
    of = policy(Tier(name="low", loads=("tv",), below=Percent(20.0), restore_above=Percent(25.0)))
    of = replace(of, timing=replace(of.timing, restore_charge=Percent(90.0)))
    house = Evening(of, {"tv": 200.0}, charge=15.0)
    house.run(60)
    house.charge = 40.0
    house.run(60)
    assert house.off() == set()


@pytest.mark.parametrize(("outage_s", "waits_s"), [(60.0, 250.0), (400.0, 0.0)])
def test_a_compressor_that_went_off_stays_off_for_its_rest_and_holds_up_no_other(outage_s, waits_s):
    house = living(min_off_s=300.0)
    house.run(outage_s)
    assert returned(house, 40.0) == ({"tv"} if waits_s else {"fridge", "tv"})
    if waits_s:
        reason = next(r for r in house.desk.decision.reasons if r.part == "fridge")
        assert reason.returns == "comes back when it has been off for 5 min"
    assert returned(house, waits_s - 60.0 if waits_s else 0.0) >= {"tv"}
    if waits_s:
        assert "fridge" in house.off()
    assert returned(house, 60.0) == {"fridge", "tv"}


def test_a_restart_of_the_box_makes_the_rest_no_shorter():
    house = living(min_off_s=300.0)
    house.run(60)
    house.desk.reboot(20.0)
    assert returned(house, 200.0) == {"tv"}
    assert returned(house, 120.0) == {"fridge", "tv"}


def test_the_rest_counts_anew_when_it_was_switched_off_again():
    house = living(min_off_s=300.0, enforce=True)
    house.run(280)
    house.on["fridge"] = True
    house.run(30)
    assert "fridge" in house.off()
    assert returned(house, 200.0) == {"tv"}
    assert returned(house, 120.0) == {"fridge", "tv"}
