"""What the checks of a year with faults are for, they see; and each window of the tariff is entered and left once.

The ten years themselves are in `test_years_1_to_5.py` and `test_years_6_to_10.py`: one file goes to one worker.
"""

from __future__ import annotations

import pytest

from pimgr.api import Grid, LoadReading, Now, replace
from pimgr.local_time import local
from pimgr.policy.aspects import Reserve
from pimgr.policy.battery.rates import Schedule
from pimgr.policy.calendar import Calendar
from pimgr.policy.decide import decide
from pimgr.simulate import checks as checking
from pimgr.simulate import faults, home, year
from pimgr.simulate.engine import Run
from pimgr.simulate.ring import Decide, Ring
from pimgr.simulate.scenario import Scenario

HOUR_S = 3600.0


def settings(start: str, days: int) -> list[tuple[str, float]]:
    """What the battery's reserve was set to in truth, by the house's own clock; nothing goes wrong."""
    checks, ring, run = peaks_of(start, days)
    run.plant.settings.reserve = 100.0
    run.until(days * 24 * HOUR_S)
    checks.end(run, ring)
    assert checks.found == []
    begin, zone = run.plant.world.weather.begin, run.plant.world.zone
    told = [(local(begin + t, zone), value) for t, value in run.trace.settings]
    return [(f"{at:%a %H:%M}", value.percent) for at, value in told if isinstance(value, Reserve)]


def day(name: str) -> list[tuple[str, float]]:
    """A weekday in winter, by hand: peaks 05:00-09:00 and 17:00-21:00, entered 10 min early and left 1 min late."""
    return [(f"{name} 04:50", 20.0), (f"{name} 09:01", 100.0), (f"{name} 16:50", 20.0), (f"{name} 21:01", 100.0)]


def test_each_window_is_entered_and_left_once_when_the_clocks_go_forward():
    """2026-03-08 has 23 hours. Nothing but the peaks of the four weekdays is set, each at its minute."""
    assert settings("2026-03-06", 5) == [*day("Fri"), *day("Mon"), *day("Tue")]


def test_each_window_is_entered_and_left_once_when_the_clocks_go_back():
    """2026-11-01 has 25 hours, and winter's peaks begin on it: the Friday before has summer's."""
    friday = [("Fri 13:50", 20.0), ("Fri 20:01", 100.0)]
    assert settings("2026-10-30", 5) == [*friday, *day("Mon"), *day("Tue")]


def peaks_of(start: str, days: int) -> tuple[checking.Checks, Ring, Run]:
    """The house as it comes, with nothing going wrong in it but what a test plans."""
    setup = year.set_up(home.default(), Scenario(start=start, days=days, often=0.0))
    setup.world.weather.storms = ()
    checks = checking.Checks()
    ring = Ring(policy=setup.policy, watches=(checks,))
    return checks, ring, setup.run(ring)


def test_a_window_that_is_entered_twice_is_seen():
    """Once, at Thursday noon, pimgr forgets which window it is in."""
    checks, ring, run = peaks_of("2026-01-01", 2)
    forgot: list[Now] = []

    def forgetful(state, inputs, policy, now):
        decision = decide(state, inputs, policy, now)
        if run.plant.t < 12 * HOUR_S or forgot:
            return decision
        forgot.append(now)
        return replace(decision, state=replace(decision.state, schedule=Schedule()))

    ring.decide = forgetful
    run.until(48 * HOUR_S)
    checks.end(run, ring)
    assert any("entered 2 times" in text for text in checks.found)


def test_a_window_that_is_never_entered_is_seen():
    """Of one of Friday's peaks, pimgr hears nothing."""
    checks, ring, run = peaks_of("2026-01-01", 3)
    missed: set[str] = set()

    def deaf(state, inputs, policy, now):
        windows = inputs.calendar.windows if inputs.calendar else ()
        missed.update(w.id for w in windows if w.peak and w.begins == run.plant.wall - run.plant.t + 29 * HOUR_S)
        heard = tuple(w for w in windows if w.id not in missed)
        return decide(state, replace(inputs, calendar=Calendar(windows=heard)), policy, now)

    ring.decide = deaf
    run.until(72 * HOUR_S)
    checks.end(run, ring)
    (window,) = missed
    assert f"{window} was entered 0 times" in "; ".join(checks.found)


def test_a_window_that_passed_while_pimgr_was_down_or_did_not_know_the_time_need_not_be_entered():
    checks, ring, run = peaks_of("2026-01-01", 3)
    run.at(28 * HOUR_S, lambda: ring.crash(run, 6 * HOUR_S))  # Friday's first peak, 04:50 to 09:01
    run.at(40 * HOUR_S, lambda: ring.crash(run, 60.0, reboot=True, error_s=-3e8))  # and its second, 16:50 to 21:01
    run.at(46 * HOUR_S, lambda: ring.set_clock(run))
    run.until(72 * HOUR_S)
    checks.end(run, ring)
    assert checks.found == []
    assert dict(checks.entered) == {
        "2025-12-31 off-peak 21:00": 1,
        "2026-01-02 off-peak 09:00": 1,
        "2026-01-02 off-peak 21:00": 1,
    }


def lived_hard(broken: Decide = decide, days: int = 60) -> tuple[int, checking.Checks]:
    """Two hard months under pimgr as it is, or under a broken one: wrong restores, and what the checks found."""
    setup = year.set_up(home.default(), Scenario(days=days, faults=True))
    checks = checking.Checks()
    ring = Ring(policy=setup.policy, decide=broken, watches=(checks,))
    run = setup.run(ring)
    rates = replace(faults.Rates(), hands=2500.0, unreachable=30_000.0, in_outage=8.0)
    faults.Mishaps(run, ring, setup.scenario.seed, rates).plan(setup.scenario.span_s)
    run.until(setup.scenario.span_s)
    checks.end(run, ring)
    return sum(d.wrong for d in run.plant.devices.values()), checks


@pytest.mark.slow
def test_two_months_of_many_hands_and_lost_devices_go_well():
    wrong, checks = lived_hard()
    assert (wrong, checks.found) == (0, [])


@pytest.mark.slow
def test_a_fight_is_seen():
    """No part was ever read without a gap, so nobody is believed to be a person."""

    def blind(state, inputs, policy, now):
        parts = {part: replace(view, steady_since=None) for part, view in inputs.parts.items()}
        return decide(state, replace(inputs, parts=parts), policy, now)

    _, checks = lived_hard(blind)
    assert checks.fights > 0


@pytest.mark.slow
def test_a_wrong_restore_is_seen():
    """What is off before anything is taken, is taken for something that is on."""

    def hopeful(state, inputs, policy, now):
        claimed = {claim.part for claim in state.claims}
        parts = {
            part: replace(view, reading=replace(view.reading, on=True))
            if isinstance(view.reading, LoadReading) and part not in claimed
            else view
            for part, view in inputs.parts.items()
        }
        return decide(state, replace(inputs, parts=parts), policy, now)

    wrong, checks = lived_hard(hopeful)
    assert wrong > 0
    assert any("without having been turned off" in text for text in checks.found)


@pytest.mark.slow
def test_an_action_on_what_is_not_known_is_seen():
    """A reading counts however old it is."""

    def credulous(state, inputs, policy, now):
        parts = {
            part: replace(view, reading=view.reading and replace(view.reading, at=now.instant))
            for part, view in inputs.parts.items()
        }
        return decide(state, replace(inputs, parts=parts), policy, now)

    _, checks = lived_hard(credulous)
    assert checks.unknown > 0


@pytest.mark.parametrize("believes", [False, True])
def test_a_battery_that_is_set_right_after_a_restart_without_knowing_the_grid_is_seen(believes):
    """Down while a peak begins; back, the gateway doesn't tell the grid. Who believes in it anyway is found out."""
    checks, ring, run = peaks_of("2026-01-02", 1)

    def believing(state, inputs, policy, now):
        memory = replace(state.memory, grid=Grid.UP, grid_at=now.instant)
        return decide(replace(state, memory=memory) if believes else state, inputs, policy, now)

    ring.decide = believing
    run.at(4.8 * HOUR_S, lambda: ring.crash(run, 1200.0))
    run.at(4.9 * HOUR_S, lambda: setattr(ring.reads, "gateway", "unknown"))
    run.until(5.5 * HOUR_S)
    assert ring.decisions > 0
    assert (checks.unknown > 0) is believes
