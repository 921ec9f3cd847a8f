"""A history in virtual time: the same seed gives the same account, and the account is true."""

from __future__ import annotations

import pytest

from pimgr.api import replace
from pimgr.simulate import home, year
from pimgr.simulate.engine import Spinning
from pimgr.simulate.ring import Ring
from pimgr.simulate.rivals import AllOff, Nothing, by_charge_only
from pimgr.simulate.scenario import Scenario
from pimgr.simulate.score import Card
from pimgr.simulate.year import ours, set_up
from tests.simulate.houses import evening, small

HOUR_S = 3600.0


def account(lived: year.Lived) -> Card:
    return replace(lived.card, took_s=0.0)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_account_and_another_seed_another():
    def of(seed: str) -> Card:
        return account(ours(set_up(home.default(), Scenario(days=12, seed=seed, faults=True))))

    assert of("1") == of("1")
    assert of("1") != of("2")


def test_an_outage_of_an_hour_takes_the_big_loads_and_gives_them_back():
    setup = set_up(small(), evening(HOUR_S))
    mine = ours(setup)
    assert mine.card.outage_h == pytest.approx(1.0)
    assert mine.card.dark_h == 0.0
    assert mine.card.switchings == {"pump": 2, "car": 2}
    assert mine.card.left_off == ()
    assert mine.card.wrong == 0
    # off 4 s after the grid, by two requests at once; back after 5 min of settling, the second 5 s after the first
    assert mine.card.tiers[0].load_hours == pytest.approx(2 * (HOUR_S + 300.0 - 4.0) / HOUR_S, abs=0.01)
    assert [t.name for t in mine.card.tiers] == ["big", "low"]


def test_without_anybody_the_house_is_dark_when_the_battery_is_empty():
    """8 kWh at some 4.5 kW of load (fridge, pump, lamp, NAS, car, base): not two hours, then dark."""
    setup = set_up(small(), evening(8 * HOUR_S))
    run = setup.run(Nothing())
    run.plant.battery = replace(run.plant.battery, power_w=20_000.0)
    run.plant.settings.reserve = 80.0
    run.until(setup.scenario.span_s)
    flows = [row for row in run.trace.rows if not row[4]]
    lasted_s = next(row[0] for row in flows if row[5]) - flows[0][0]
    assert lasted_s == pytest.approx(0.8 * 10_000.0 / 4500.0 * HOUR_S, rel=0.3)
    assert run.plant.tally.dark_s == pytest.approx(8 * HOUR_S - lasted_s, abs=1.0)


def test_the_predecessors_way_is_off_after_ten_minutes_and_on_at_return():
    setup = set_up(small(), evening(2 * HOUR_S))
    run = setup.run(AllOff(setup.policy))
    run.until(setup.scenario.span_s)
    off = run.plant.tally.off_s
    assert off["pump"] == pytest.approx(2 * HOUR_S - 600.0, abs=1.0)
    assert set(off) == {"pump", "car", "lamp", "nas"}
    assert not run.plant.shed


def test_the_predecessors_way_turns_on_what_was_off_before():
    setup = set_up(small(), evening(2 * HOUR_S))
    run = setup.run(AllOff(setup.policy))
    run.plant.devices["lamp"].move(False, "person")
    run.until(setup.scenario.span_s)
    assert run.plant.devices["lamp"].wrong == 1
    mine = setup.run(Ring(policy=setup.policy))
    mine.plant.devices["lamp"].move(False, "person")
    mine.until(setup.scenario.span_s)
    assert not mine.plant.devices["lamp"].on
    assert sum(d.wrong for d in mine.plant.devices.values()) == 0


def test_tiers_by_charge_only_take_the_same_loads_in_the_same_order():
    policy = small().policy
    theirs = by_charge_only(policy)
    assert [p for t in theirs.tiers for p in t.loads] == [p for t in policy.tiers for p in t.loads]
    assert [t.below for t in theirs.tiers] == [50.0, 35.0, 20.0]
    assert not theirs.site.keep


def test_all_live_through_the_same_weather_and_the_same_outages():
    setup = set_up(small(4000.0), evening(5 * HOUR_S))
    mine = ours(setup)
    others = list(year.compared(setup, mine.run.trace.settings))
    assert [(o.card.policy, o.card.reserve) for o in others] == [
        (policy, reserve)
        for policy in ("no shedding", "all off after 10 min", "tiers by charge only")
        for reserve in ("its own", "pimgr's")
    ]
    assert {o.card.outage_h for o in others} == {mine.card.outage_h}
    for other in others:
        same = [v for _, v in other.run.trace.settings]
        assert same == []  # what it keeps is laid down, not decided
        if other.card.reserve == "pimgr's":
            assert other.run.plant.settings == mine.run.plant.settings


def test_time_goes_on_when_a_rule_wants_to_be_woken_at_once_for_ever():
    """A wake that lies in the past is served a moment later, and a rule that never rests is told."""

    class Restless(Nothing):
        def think(self, run):
            self.wake = run.plant.t

    setup = set_up(small(), evening(HOUR_S))
    run = setup.run(Restless(wake=0.0))
    with pytest.raises(Spinning):
        run.until(60.0)


def test_an_outage_is_confirmed_by_continuous_evidence_and_settling_takes_its_time():
    house = small()
    timing = replace(house.policy.timing, confirm_s=8.0, settle_s=240.0)
    setup = set_up(house, evening(HOUR_S))
    ring = Ring(policy=replace(setup.policy, timing=timing))
    run = setup.run(ring)
    run.until(setup.scenario.span_s)
    began = setup.outages[0]
    first = next(t for t, action, _ in ring.wire if action.part == "pump")
    back = next(t for t, action, _ in ring.wire if action.part in ("pump", "car") and t > began.end)
    assert 8.0 < first - began.start < 10.0
    assert 240.0 < back - began.end < 246.0


def test_a_crash_at_any_moment_leaves_nothing_off():
    setup = set_up(small(), evening(HOUR_S))
    for moment in ("before", "committed", "half", "sent"):
        ring = Ring(policy=setup.policy)
        run = setup.run(ring)
        outage = setup.outages[0]
        for t in (outage.start - 1.0, outage.end + 200.0):
            run.at(t, lambda ring=ring, moment=moment: setattr(ring, "crash_when", moment))
        run.until(setup.scenario.span_s)
        assert ring.life == 2, moment
        assert not run.plant.shed, moment
        assert {name: d.switchings for name, d in run.plant.devices.items() if d.switchings} == {"pump": 2, "car": 2}


def test_what_a_person_turned_on_after_a_gap_and_off_again_was_not_left_off_by_pimgr():
    setup = set_up(small(), evening(HOUR_S))
    ring = Ring(policy=setup.policy)
    run = setup.run(ring)
    pump, end = run.plant.devices["pump"], setup.outages[0].end
    for after_s, what in ((10.0, False), (60.0, True)):
        run.at(end + after_s, lambda what=what: setattr(pump, "reachable", what))
    for after_s, on in ((100.0, True), (1000.0, False)):
        run.at(end + after_s, lambda on=on: pump.move(on, "person"))
    run.until(end + 500.0)
    assert pump.on
    assert pump.switchings == 1
    run.until(setup.scenario.span_s)
    assert not pump.on
    assert not run.plant.shed


def test_a_box_that_boots_with_a_wrong_clock_gives_everything_back():
    setup = set_up(small(), evening(2 * HOUR_S))
    ring = Ring(policy=setup.policy)
    run = setup.run(ring)
    at = setup.outages[0].start + 600.0
    run.at(at, lambda: ring.crash(run, 30.0, reboot=True, error_s=-3e8))
    run.until(setup.scenario.span_s)
    assert ring.box.boot == 2
    assert not ring.box.trusted
    assert not run.plant.shed


def test_the_engine_sleeps_while_nothing_happens():
    """A quiet day costs a decision an hour and a few more, not one every five seconds."""
    ring = Ring(policy=small().policy)
    setup = set_up(small(), replace(evening(HOUR_S), planned=()))
    setup.run(ring).until(setup.scenario.span_s)
    assert 48 <= ring.decisions <= 75
    assert ring.wake >= setup.scenario.span_s
