"""Going off-grid on purpose: an outage, or none, as the config says; and where nobody can tell, an outage."""

from __future__ import annotations

import pytest

from pimgr.api import Grid, GridReading, replace
from pimgr.policy.model import Inputs, Phase
from tests.policy.desk import Desk, house
from tests.policy.world import GATEWAY


def desk(*, ignore: bool) -> Desk:
    at = Desk(replace(house(), ignore_intentional=ignore))
    at.everything_on()
    return at


def told(at: Desk, grid: Grid, *, intentional: bool = False, t: float | None = None) -> Phase:
    at.t = at.t + 2.0 if t is None else t
    reading = GridReading(at=at.instant(), source=GATEWAY, grid=grid, intentional=intentional)
    at.decision = at.decide(Inputs(grid=(reading,), parts=at.views, site=at.site))
    return at.state.phase


@pytest.mark.parametrize(("ignore", "phase"), [(False, Phase.OUTAGE), (True, Phase.NORMAL)])
def test_the_config_says_whether_it_is_an_outage(ignore, phase):
    at = desk(ignore=ignore)
    assert told(at, Grid.DOWN, intentional=True) is phase
    assert bool(at.decision.actions) is (phase is Phase.OUTAGE)


def test_where_a_reading_can_not_tell_it_is_an_outage():
    assert told(desk(ignore=True), Grid.DOWN) is Phase.OUTAGE


def test_ignored_it_is_no_evidence_that_the_grid_is_back_either():
    at = desk(ignore=True)
    told(at, Grid.DOWN)
    for _ in range(50):
        assert told(at, Grid.DOWN, intentional=True) is Phase.OUTAGE
    assert told(at, Grid.UP) is Phase.NORMAL


def test_ignored_it_adds_nothing_to_a_suspicion():
    at = desk(ignore=True)
    at.policy = replace(at.policy, timing=replace(at.policy.timing, confirm_s=4.0))
    told(at, Grid.DOWN)
    for _ in range(10):
        assert told(at, Grid.DOWN, intentional=True) is Phase.SUSPECT
    assert at.decision.actions == ()
