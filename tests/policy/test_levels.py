"""Graded loads: lowered instead of turned off, given back to the level that was read, and never against a person."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pimgr.api import LevelReading, replace
from pimgr.policy.model import Aspect, ClaimStatus, Decision, Level, Origin, PartPolicy, PartView, StandingTarget, Tier
from pimgr.policy.values import enough, fits
from tests.policy.desk import Desk, house
from tests.policy.profiles import ci


def charger(shed_to: float = 6.0, enforce: bool = False) -> PartPolicy:
    return PartPolicy(aspect=Aspect.LEVEL, origin=Origin("car", "x.charger", {}), shed_to=shed_to, enforce=enforce)


class Garage(Desk):
    """A car that charges; an outage leaves it 6 A."""

    def __init__(self, of: PartPolicy | None = None, **more: object) -> None:
        super().__init__(
            house(parts={"car": of or charger()}, tiers=(Tier(name="car", loads=("car",)),), never_shed=(), **more)
        )

    def reads(self, t: float, level: float, grid: str = "", *, gap: bool = False) -> list[float]:
        """The car's level was read at `t`; what is asked of it then."""
        self.t = t
        at, old = self.instant(), self.views.get("car", PartView())
        steady = at if gap or old.steady_since is None else old.steady_since
        self.views["car"] = PartView(reading=LevelReading(at=at, source="car", level=level), steady_since=steady)
        return levels(self.tick(grid=grid))

    def lowered(self, before: float = 16.0, to: float = 6.0) -> None:
        """The grid failed, and the car was seen at the lower level."""
        assert self.reads(1000, before, "down") == [6.0]
        assert self.reads(1003, to, "down") == []
        assert self.claim("car").status is ClaimStatus.TAKEN


def levels(decision: Decision) -> list[float]:
    return [action.value.level for action in decision.actions if isinstance(action.value, Level)]


def test_a_graded_load_is_lowered_and_given_back_to_the_level_that_was_read() -> None:
    garage = Garage()
    garage.lowered()
    assert garage.claim("car").before == Level(16.0)
    assert garage.reads(1010, 6, "up") == [16.0]
    assert garage.claimed() == ["car"]
    assert garage.reads(1013, 16, "up") == []
    assert garage.claimed() == []
    assert "car: to be at 6, because the grid is down" in garage.said
    assert "car: at 16 again" in garage.said


def test_without_a_word_in_the_config_a_graded_load_goes_to_nothing() -> None:
    garage = Garage(replace(charger(), shed_to=0.0))
    assert garage.reads(1000, 16, "down") == [0.0]


def test_a_load_that_is_at_or_below_its_level_already_is_skipped_and_never_restored() -> None:
    for found in (6.0, 6.4, 3.0, 0.0):
        garage = Garage()
        assert garage.reads(1000, found, "down") == []
        assert garage.claimed() == []
        assert [r.status for r in garage.decision.reasons] == ["skip"]
        assert garage.reads(1010, found, "up") == []


def test_a_charger_that_rounds_is_as_wanted_and_one_that_is_between_is_asked_again() -> None:
    garage = Garage()
    garage.reads(1000, 16, "down")
    assert garage.reads(1003, 11, "down") == []
    assert garage.reads(1020, 11, "down") == [6.0]
    garage.reads(1023, 6.5, "down")
    assert garage.claim("car").status is ClaimStatus.TAKEN


def test_a_charger_that_can_only_go_lower_still_is_taken_and_given_back() -> None:
    garage = Garage()
    garage.lowered(to=0.0)
    assert garage.claim("car").wanted == Level(0.0)
    assert garage.reads(1006, 0, "down") == [], "where it settled is no person's deed"
    assert garage.reads(1010, 0, "up") == [16.0]


def test_a_person_who_sets_another_level_is_left_alone_up_or_down() -> None:
    for theirs in (16.0, 10.0, 2.0):
        garage = Garage()
        garage.lowered()
        assert garage.reads(1010, theirs, "down") == []
        assert garage.claimed() == []
        assert garage.reads(1020, theirs, "down") == []
        assert garage.reads(1030, theirs, "up") == []
        assert "car: a person set its level; left alone until this outage is over" in garage.said


def test_a_person_who_sets_a_level_as_the_grid_returns_keeps_it() -> None:
    garage = Garage()
    garage.lowered()
    garage.reads(1006, 6, "down")
    assert garage.reads(1010, 10, "up") == []
    assert garage.claimed() == []


def test_an_enforced_level_is_asked_again_at_most_once_a_minute() -> None:
    garage = Garage(charger(enforce=True))
    garage.lowered()
    asked = [t for t in range(1010, 1200, 2) if garage.reads(t, 16.0 if t % 20 else 6.0, "down")]
    assert asked
    assert all(b - a >= 6 for a, b in pairwise(asked))
    assert garage.claimed() == ["car"]
    assert any("was set by hand, and the config enforces it" in said for said in garage.said)


def test_after_a_gap_the_level_is_asked_for_once_more() -> None:
    garage = Garage()
    garage.lowered()
    assert garage.reads(1010, 16, "down", gap=True) == [6.0]
    garage.reads(1013, 6, "down")
    assert garage.reads(1020, 16, "down", gap=True) == []
    assert garage.claimed() == []


def test_a_level_may_be_kept_and_a_person_changes_it() -> None:
    garage = Garage(keeps=(StandingTarget("car", Level(10.0)),))
    assert garage.reads(1000, 16, "up") == [10.0]
    assert garage.reads(1003, 10.3, "up") == []
    assert garage.reads(2000, 16, "up") == []


def test_what_is_kept_at_a_level_goes_back_to_that() -> None:
    garage = Garage(keeps=(StandingTarget("car", Level(10.0)),))
    garage.lowered()
    assert garage.reads(1010, 6, "up") == [10.0]


def test_a_debt_of_a_level_is_told_with_what_to_do_by_hand() -> None:
    garage = Garage()
    garage.lowered()
    told = []
    for t in range(1010, 1700, 20):
        garage.reads(t, 6, "up")
        told += [n.text for n in garage.decision.notices if n.subject == "car could not be given back yet"]
    [text] = told
    assert "it was at 16" in text
    assert "Set it to 16 by hand" in text


@ci(300)
@given(st.floats(0, 100), st.floats(0, 100))
def test_what_fits_is_enough_and_less_is_enough_too(found: float, wanted: float) -> None:
    if fits(Level(found), Level(wanted)):
        assert enough(Level(found), Level(wanted))
    assert enough(Level(found), Level(wanted)) is (found <= wanted + 0.5)
