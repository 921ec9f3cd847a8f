"""Whatever befalls cloud, grid, clock and pimgr: windows are told once, nobody is fought, and the end is right."""

from __future__ import annotations

import random
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimgr.almanac import Almanac
from pimgr.api import replace
from pimgr.local_time import first_moment
from pimgr.policy.aspects import Reserve
from pimgr.policy.battery.settings import FULL, Stage
from pimgr.policy.calendar import Place, Window
from pimgr.policy.model import Inputs
from pimgr.policy.values import aspect_of
from pimgr.units import Percent
from tests.policy.battery import CLOUD, Battery, at
from tests.policy.days import HOLIDAYS, TARIFF
from tests.policy.desk import Desk, house
from tests.policy.profiles import ci
from tests.policy.tally import Tally
from tests.policy.world import EPOCH

seen = Tally()
waits = st.sampled_from([60.0, 600.0, 3600.0, 5 * 3600.0])
events = st.one_of(
    st.tuples(st.just("grid"), st.sampled_from(["up", "down", "?"])),
    st.tuples(st.just("obeys"), st.booleans()),
    st.tuples(st.just("error"), st.sampled_from(["", "Unreachable"])),
    st.tuples(st.just("tells"), st.booleans()),
    st.tuples(st.just("person"), st.sampled_from([0.0, 55.0, 80.0])),
    st.tuples(st.just("storm"), st.booleans()),
    st.tuples(st.just("gusts"), st.tuples(st.sampled_from([60.0, 100.0]), st.sampled_from([1.0, 20.0, 40.0]))),
    st.tuples(st.just("away"), st.sampled_from([600.0, 8 * 3600.0, 60 * 3600.0])),
    st.tuples(st.just("reboot"), st.booleans()),
    st.tuples(st.just("clock"), st.none()),
)
beginnings = st.sampled_from([[], [(("person", 55.0), 3600.0)], [(("grid", "down"), 600.0)]])
histories = st.tuples(beginnings, st.lists(st.tuples(events, waits), max_size=12)).map(lambda h: h[0] + h[1])


class Watched(Battery):
    """At every tick, what must always hold."""

    def __init__(self, when: str) -> None:
        super().__init__(when)
        self.told: list[str] = []
        self.touched = ""

    def decide(self, inputs: Inputs) -> Any:
        before = {aspect_of(p.wanted): p for p in self.state.site.pursuits}
        decision = super().decide(inputs)
        seen.note(decision)
        state = decision.state
        if state.schedule.window and state.schedule.window != (self.told[-1:] or [""])[0]:
            assert state.schedule.window not in self.told, "a window is entered once"
            self.told.append(state.schedule.window)
        for action in decision.actions:
            if not isinstance(action.value, Reserve):
                continue
            assert self.trusted, "nothing is asked for while nobody knows the time"
            assert self.grid == "up"
            old = before.get(aspect_of(action.value))
            fights = old is not None and old.stage is Stage.PERSON and old.episode == state.schedule.window
            assert not fights, "what a person changed in this window is theirs"
            if self.facts.get("storm"):
                assert action.value.percent > self.reserve, "a storm's reserve is never lowered"
        return decision

    def present(self) -> Window:
        calendar = self.almanac.around(self.policy, replace(self.now(), wall_trusted=True))
        assert calendar is not None
        found = calendar.window(self.now().wall)
        assert found is not None
        return found

    def right_clock(self) -> None:
        self.wall_error, self.trusted = self.true_error, True

    true_error = 0.0


def befall(site: Watched, event: tuple[str, Any]) -> None:
    match event:
        case ("grid", how):
            site.grid = how
        case ("obeys", well):
            site.obeys[CLOUD] = well
        case ("error", error):
            site.error[CLOUD] = error
        case ("tells", well):
            site.tells = well
        case ("person", percent):
            site.facts["reserve"] = percent
            site.touched = site.present().id if site.trusted else "?"
        case ("storm", raging):
            site.facts["storm"] = raging
        case ("gusts", (km_h, hours)):
            site.gusts(km_h, hours)
        case ("away", seconds):
            site.t += seconds
            site.restart()
            site.outcomes = []
        case ("reboot", knows):
            wall = site.t + site.true_error
            site.reboot()
            site.true_error = wall + 20.0 - site.t
            site.wall_error, site.outcomes = site.true_error - 3e6, []
            if knows:
                site.right_clock()
        case ("clock", _):
            site.right_clock()


@ci(60)
@given(st.sampled_from(["2027-01-15T12:00", "2027-03-13T13:00", "2027-11-05T19:00"]), histories)
def in_ci(when: str, history: Any) -> None:
    site = Watched(when)
    site.live(60, step=30.0)
    for event, wait_s in history:
        befall(site, event)
        site.live(wait_s, step=max(30.0, wait_s / 60))
    site.right_clock()
    site.grid, site.tells, site.error, site.obeys[CLOUD], site.forecast = "up", True, {}, True, None
    site.facts |= {"storm": False, "battery_w": 0.0}
    site.live(2 * 3600, step=60.0)
    while site.present().end - site.now().wall < 600 or site.now().wall - site.present().start < 4200:
        site.live(1800, step=60.0)
    [mine] = [p for p in site.state.site.pursuits if isinstance(p.wanted, Reserve)]
    stands_in = mine.escalated and mine.wanted == FULL
    assert stands_in or site.state.site.pursuits == (mine,), "the mode from before waits only while backup stands in"
    if mine.stage is Stage.PERSON:
        assert site.touched in (mine.episode, "?")
        return
    lately = site.state.outage_ended is not None
    wanted = {True: 30.0 if lately else 20.0, False: 100.0}[site.present().peak]
    assert (mine.stage, mine.wanted) == (Stage.SEEN, Reserve(Percent(wanted)))
    assert site.reserve == wanted or (stands_in and site.facts["mode"] == "backup")


def test_in_the_end_the_reserve_is_that_of_the_window_or_of_a_person() -> None:
    """Though windows pass, reserves are set, persons set others, and the grid fails."""
    seen.of(in_ci).more_than(window=40, set=15, person=4, phase=5)


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_in_a_year_each_window_is_entered_and_left_once_across_restarts(zone: str) -> None:
    """Told a second before and at each edge, as the loop wakes, and now and then restarted in between."""
    chance = random.Random(zone)
    desk, book = Desk(house(tariff=replace(TARIFF, holidays=HOLIDAYS), place=Place(zone=zone))), Almanac()
    told, wall = list[str](), first_moment(date(2026, 1, 1), 0, ZoneInfo(zone))
    end, windows = wall + 400 * 86400, 0
    while wall < end:
        desk.t = wall - EPOCH
        calendar = book.around(desk.policy, desk.now())
        assert calendar is not None
        found = calendar.window(wall)
        assert found is not None
        windows += found.id != desk.state.schedule.window
        before = len(desk.said)
        desk.decide(Inputs(calendar=calendar))
        told += desk.said[before:]
        assert desk.state.schedule.window == found.id
        if chance.random() < 0.3:
            desk.restart()
        wall = wall + 1 if wall == found.end - 1 else min(found.end - 1, wall + 86400)
    assert len([text for text in told if " began" in text]) == windows
    assert len([text for text in told if " is over" in text]) == windows - 1
    assert windows > 250 * 2


def test_no_window_is_entered_twice_though_the_clock_is_nudged_at_every_edge() -> None:
    site = Watched("2027-01-14T12:00")
    for edge in ("2027-01-14T13:50", "2027-01-14T20:01", "2027-01-15T13:50", "2027-01-15T20:01"):
        site.wall_error = 0.0
        site.t = at(edge) - EPOCH - 20
        for error in (0.0, 30.0, -30.0, 5.0, -120.0, 0.0):
            site.wall_error = error
            site.live(10, step=10.0)
    assert len(site.told) == 5
