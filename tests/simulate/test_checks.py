"""What the checks of a year with faults are for, they see; and each window of the tariff is entered and left once.

The ten years themselves are in `test_years_1_to_5.py` and `test_years_6_to_10.py`: one file goes to one worker.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pimgr.api import replace
from pimgr.policy.aspects import Reserve
from pimgr.simulate import checks as checking
from pimgr.simulate import faults, home, year
from pimgr.simulate.ring import Ring
from pimgr.simulate.scenario import Scenario


def settings(start: str, days: int) -> list[tuple[str, float]]:
    """What the battery's reserve was set to in truth, by the house's own clock; nothing goes wrong."""
    setup = year.set_up(home.default(), Scenario(start=start, days=days, often=0.0))
    setup.world.weather.storms = ()
    checks = checking.Checks()
    run = setup.run(Ring(policy=setup.policy, watches=(checks,)))
    run.plant.settings.reserve = 100.0
    run.until(setup.scenario.span_s)
    assert checks.found == []
    begin, zone = setup.world.weather.begin, setup.world.zone
    told = [(datetime.fromtimestamp(begin + t, UTC).astimezone(zone), value) for t, value in run.trace.settings]
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


def lived_hard(seed: str = "1", days: int = 60) -> tuple[int, checking.Checks]:
    """Two hard months under pimgr as it is now, perhaps broken: wrong restores, and what the checks found."""
    setup = year.set_up(home.default(), Scenario(days=days, seed=seed, faults=True))
    checks = checking.Checks()
    ring = Ring(policy=setup.policy, watches=(checks,))
    run = setup.run(ring)
    rates = replace(faults.Rates(), hands=2500.0, unreachable=30_000.0, in_outage=8.0)
    faults.Mishaps(run, ring, seed, rates).plan(setup.scenario.span_s)
    run.until(setup.scenario.span_s)
    return sum(d.wrong for d in run.plant.devices.values()), checks


def test_two_months_of_many_hands_and_lost_devices_go_well():
    wrong, checks = lived_hard()
    assert (wrong, checks.found) == (0, [])


def test_a_fight_is_seen(monkeypatch):
    """Nobody is believed to be a person."""
    from pimgr.policy.ledger import claims
    from pimgr.policy.ledger.verdict import Verdict

    real = claims.left_alone

    def blind(turn, claim):
        verdict = real(turn, claim)
        return Verdict.GAP if verdict is Verdict.PERSON else verdict

    monkeypatch.setattr(claims, "left_alone", blind)
    _, checks = lived_hard()
    assert checks.fights > 0


def test_a_wrong_restore_is_seen(monkeypatch):
    """What was off before is taken for something that was on."""
    from pimgr.policy.ledger import claims

    monkeypatch.setattr(claims.Ledger, "_begin", _assumed_on(claims))
    wrong, _ = lived_hard()
    assert wrong > 0


def _assumed_on(claims):
    from pimgr.policy.aspects import Aspect, Switch

    real_value, real_begin = claims.value_of, claims.Ledger._begin

    def begin(self, want):
        claims.value_of = lambda reading: Switch(True) if want.aspect is Aspect.SWITCH else real_value(reading)
        try:
            return real_begin(self, want)
        finally:
            claims.value_of = real_value

    return begin


def test_an_action_on_what_is_not_known_is_seen(monkeypatch):
    """A reading counts however old it is, and a request is repeated though nothing was read since."""
    from pimgr.policy.ledger import claims, verdict
    from pimgr.policy.ledger.verdict import Verdict
    from pimgr.policy.turn import Turn

    monkeypatch.setattr(Turn, "fresh", lambda self, part, fresh_s: self.view(part).reading)
    real = verdict.in_flight

    def impatient(turn, claim, goal):
        found = real(turn, claim, goal)
        return Verdict.NOT_YET if found is Verdict.BLIND else found

    monkeypatch.setattr(claims, "in_flight", impatient)
    _, checks = lived_hard()
    assert checks.unknown > 0
