"""The site's keep: written, read back, watched in its effect, resent, escalated, alarmed; persons are respected."""

from __future__ import annotations

import msgspec
import pytest

from pimgr.api import Severity, SiteMode, SiteReading, replace
from pimgr.policy.aspects import GridCharging, Mode, Reserve
from pimgr.policy.battery import effect
from pimgr.policy.battery.settings import SitePolicy, Stage
from pimgr.policy.model import Decision, Inputs, State
from pimgr.policy.turn import Turn
from pimgr.policy.values import aspect_of
from pimgr.units import Percent, Watts
from tests.policy.battery import CLOUD, LOCAL, Site

R30, R100 = Reserve(Percent(30.0)), Reserve(Percent(100.0))
SELF, BACKUP = Mode(SiteMode.SELF_CONSUMPTION), Mode(SiteMode.BACKUP)


def test_what_is_as_wanted_is_never_written() -> None:
    site = Site(Reserve(Percent(20.0)), SELF, GridCharging(True)).live(3600)
    assert site.asked == []
    assert site.why.startswith("kept: ")


def test_a_setting_is_written_once_read_back_and_kept() -> None:
    site = Site(R30).live(3600)
    assert site.wishes() == ["reserve 30 %"]
    assert site.stage() is Stage.SEEN
    assert site.mailed == []
    assert "reserve 30 % (the config wants it): seen" in site.why


def test_a_reading_from_before_the_request_says_nothing_of_it() -> None:
    site = Site(R30).live(10)
    site.obeys[CLOUD] = False
    before = SiteReading(at=site.instant(), source=CLOUD, reserve=Percent(30.0))
    site.t += 5
    site.decide(Inputs(settings=(before,), grid=site._grid()))
    assert site.stage() is Stage.ASKED


def test_without_a_meter_that_tells_nothing_is_written() -> None:
    site = Site(R30)
    site.tells = False
    site.live(7200)
    assert site.asked == []
    assert len(site.looks) == 60, "the control is asked for a reading now and then"
    assert "not asked for yet, since no meter tells how it is" in site.why


def test_mode_and_reserve_never_race() -> None:
    site = Site(R30, Mode(SiteMode.AUTONOMOUS), GridCharging(False))
    site.live(10)
    assert site.wishes() == ["mode autonomous"]
    assert [p.stage for p in site.state.site.pursuits] == [Stage.ASKED, Stage.WAITING, Stage.WAITING]
    site.live(10)
    assert site.wishes() == ["mode autonomous", "reserve 30 %"], "the next goes out when the first was read back"
    site.live(60)
    assert site.wishes()[2:] == ["charging from the grid forbidden"]


def test_a_write_that_does_not_take_is_sent_again_ever_more_rarely_and_then_a_person_is_asked() -> None:
    site = Site(R30)
    site.obeys[CLOUD] = False
    site.live(1000)
    times = [t - site.asked[0][0] for t, _, _ in site.asked]
    assert times == [0.0, 30.0, 90.0, 210.0, 510.0, 810.0]
    assert site.alarms() == []
    site.live(3000)
    assert site.alarms() == ["Manual update required: reserve 30 %"]
    text = site.mailed[-1][2]
    assert "In the battery's app, set the backup reserve to 30 %." in text
    assert "alarm: " in site.why
    asked = len(site.asked)
    site.live(4 * 3600)
    assert len(site.asked) - asked <= 5, "once an hour"
    assert site.alarms()[1:] == ["Still so: Manual update required: reserve 30 %"], "once more after an hour"


def test_an_alarm_is_over_when_the_value_is_seen_whoever_set_it() -> None:
    site = Site(R30)
    site.obeys[CLOUD] = False
    site.live(4000)
    site.facts["reserve"] = 30.0
    site.live(60)
    assert site.mailed[-1][:2] == (Severity.INFO, "Over: reserve 30 % came through")
    assert not site.state.site.pursuits[0].alarmed


@pytest.mark.parametrize("error", ["Refused", "Unsupported", "Unreachable"])
def test_a_control_that_fails_is_followed_by_the_next_at_once(error: str) -> None:
    site = Site(R30, controls=(LOCAL, CLOUD))
    site.error[LOCAL] = error
    site.live(60)
    assert [part for _, part, _ in site.asked] == [LOCAL, CLOUD]
    assert site.asked[1][0] - site.asked[0][0] == 10.0
    assert site.stage() is Stage.SEEN


def test_when_every_control_fails_pimgr_waits_longer_and_longer_and_then_tells() -> None:
    site = Site(R30)
    site.error[CLOUD] = "Unreachable"
    site.live(1000)
    assert len(site.asked) == 6
    site.live(3000)
    assert site.alarms() == ["Manual update required: reserve 30 %"]
    assert "tesla: Unreachable" in site.mailed[-1][2]


def test_a_reserve_that_does_not_come_through_by_one_control_is_sent_by_the_other() -> None:
    site = Site(R30, controls=(LOCAL, CLOUD))
    site.obeys[LOCAL] = False
    site.live(1500)
    assert [part for _, part, _ in site.asked] == [LOCAL] * 6 + [CLOUD]
    assert site.stage() is Stage.SEEN
    assert site.alarms() == []


def test_in_place_of_a_reserve_of_100_the_mode_backup_is_asked_for_and_taken_back_afterwards() -> None:
    site = Site(R100)
    site.facts["charge"] = 60.0
    site.paper = {"reserve": 20.0}
    site.live(1500)
    assert site.wishes() == ["reserve 100 %"] * 6 + ["mode backup"]
    assert "mode backup stands in for it" in site.why
    assert site.alarms() == []
    site.paper = {}
    site.policy = replace(site.policy, site=SitePolicy(controls=(CLOUD,), keep=(R30,)))
    site.live(120)
    assert site.wishes()[7:] == ["mode self_consumption", "reserve 30 %"]
    site.live(120)
    assert site.state.site.mode_before is None
    assert len(site.asked) == 9


def test_a_mode_that_the_config_wants_steps_aside_while_it_stands_in_and_is_pursued_again_afterwards() -> None:
    site = Site(R100, SELF)
    site.paper = {"reserve": 20.0}
    site.live(3000)
    assert site.wishes() == ["reserve 100 %"] * 6 + ["mode backup"]
    site.paper = {}
    site.policy = replace(site.policy, site=SitePolicy(controls=(CLOUD,), keep=(R30, SELF)))
    site.live(120)
    assert site.wishes()[7:] == ["mode self_consumption", "reserve 30 %"]


def test_a_reserve_on_paper_that_the_battery_ignores_is_resent_escalated_and_alarmed() -> None:
    site = Site(Reserve(Percent(70.0)))
    site.facts |= {"charge": 60.0, "battery_w": 2000.0}
    site.live(500)
    assert len(site.asked) == 1
    site.live(200)
    assert len(site.asked) == 2, "ten minutes after it was read back"
    site.live(1300)
    assert site.alarms() == ["Manual update required: reserve 70 %"]
    assert "the battery discharges all the same" in site.mailed[-1][2]
    site.facts["battery_w"] = 0.0
    site.live(7200)
    assert [subject for _, subject, _ in site.mailed][-1] == "Over: reserve 70 % came through"


def test_a_reserve_of_100_that_the_battery_ignores_becomes_the_mode_backup() -> None:
    site = Site(R100)
    site.facts |= {"charge": 60.0, "battery_w": 2000.0}
    site.live(2100)
    assert site.wishes()[-1] == "mode backup"
    site.facts["battery_w"] = -1500.0
    site.live(7200)
    assert site.alarms() == []


@pytest.mark.parametrize(
    ("charge", "battery_w"),
    [(80.0, 5000.0), (30.0, 3000.0), (29.5, 3000.0), (20.0, 0.0), (20.0, -3000.0), (20.0, 80.0), (20.0, None)],
)
def test_a_battery_that_may_discharge_or_does_not_is_no_alarm(charge: float, battery_w: float | None) -> None:
    site = Site(R30)
    site.facts |= {"charge": charge, "battery_w": battery_w}
    site.live(4 * 3600)
    assert site.wishes() == ["reserve 30 %"]
    assert site.mailed == []


def test_two_glimpses_far_apart_are_no_ten_minutes() -> None:
    site = Site(R30).live(60)
    site.facts |= {"charge": 20.0, "battery_w": 3000.0}
    site.live(20)
    site.tells = False
    site.live(3600)
    site.tells = True
    site.live(300)
    assert len(site.asked) == 1


def test_nothing_is_written_in_an_outage_and_what_was_on_its_way_is_looked_at_after_it() -> None:
    site = Site(R30)
    site.grid = "down"
    site.live(3600)
    assert site.asked == []
    assert "nothing is changed during an outage" in site.why
    site.grid = "up"
    site.live(60)
    assert site.wishes() == ["reserve 30 %"]


def test_a_battery_that_discharges_in_an_outage_has_ignored_nothing() -> None:
    site = Site(R30).live(60)
    site.grid = "down"
    site.facts |= {"charge": 20.0, "battery_w": 3000.0}
    site.live(3600)
    site.grid = "up"
    site.live(300)
    assert len(site.asked) == 1


def test_nothing_is_written_while_the_grid_is_unknown_or_a_storm_has_the_battery() -> None:
    site = Site(R30)
    site.grid = "?"
    site.live(600)
    assert site.asked == []
    assert "nobody knows" in site.why
    site.grid, site.facts["storm"] = "up", True
    site.live(600)
    assert site.asked == []
    assert "storm" in site.why
    site.facts["storm"] = False
    site.live(600)
    assert site.wishes() == ["reserve 30 %"]


def test_a_reserve_that_a_storm_raised_and_gave_back_was_no_person() -> None:
    site = Site(R30).live(600)
    site.facts |= {"storm": True, "reserve": 100.0}
    site.live(3600)
    site.facts |= {"storm": False, "reserve": 30.0}
    site.live(600)
    assert site.stage() is Stage.SEEN


def test_a_change_in_the_app_is_respected_until_another_value_is_wanted() -> None:
    site = Site(R30).live(600)
    site.facts["reserve"] = 50.0
    site.live(6 * 3600)
    assert len(site.asked) == 1
    assert site.stage() is Stage.PERSON
    assert "reserve 50 %: somebody changed it in the app; left so until another value is wanted" in site.said
    assert site.why.startswith("hands off: ")
    site.policy = replace(site.policy, site=SitePolicy(controls=(CLOUD,), keep=(Reserve(Percent(40.0)),)))
    site.live(60)
    assert site.wishes() == ["reserve 30 %", "reserve 40 %"]


def test_a_cloud_that_tells_the_old_value_for_a_while_after_it_told_the_new_one_is_no_person() -> None:
    site = Site(R30).live(20)
    assert site.stage() is Stage.SEEN
    site.paper = {"reserve": 20.0}
    site.live(250)
    site.paper = {}
    site.live(600)
    assert site.stage() is Stage.SEEN
    assert len(site.asked) == 1


def test_a_reserve_that_is_told_with_a_point_of_difference_is_as_wanted() -> None:
    site = Site(R30)
    site.paper = {"reserve": 30.6}
    assert site.live(600).asked == []


def test_a_restart_in_mid_write_asks_again_only_if_it_did_not_take() -> None:
    for took in (True, False):
        site = Site(R30)
        site.obeys[CLOUD] = took
        site.live(10)
        site.outcomes = []
        site.restart()
        site.obeys[CLOUD] = True
        site.live(300)
        assert len(site.asked) == (1 if took else 2)
        assert site.stage() is Stage.SEEN


def test_without_a_control_or_without_a_wish_nothing_is_said_or_done() -> None:
    for site in (Site(), Site(R30, controls=())):
        site.live(600)
        assert (site.asked, site.why, site.state.site.pursuits) == ([], "", ())


def test_a_write_that_gets_no_answer_and_no_reading_is_taken_as_lost_after_a_quarter_of_an_hour() -> None:
    site = Site(R30)
    site.obeys[CLOUD] = False
    site.live(10)
    site.outcomes, site.tells = [], False
    site.live(890)
    assert len(site.asked) == 1
    site.live(30)
    assert len(site.asked) == 2


def test_what_is_decided_of_the_site_survives_the_journal() -> None:
    site = Site(R100, SELF, GridCharging(False))
    site.paper = {"reserve": 20.0}
    site.live(2000)
    blob = msgspec.msgpack.encode(site.decision)
    assert msgspec.msgpack.decode(blob, type=Decision) == site.decision
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(site.state), type=State) == site.state
    assert {aspect_of(p.wanted) for p in site.state.site.pursuits} == {"mode", "reserve", "grid charging"}


def told(site: Site, *readings: SiteReading) -> None:
    """Another tick, 10 s later, with these readings of the meters."""
    site.t += 10
    site.decide(Inputs(settings=readings, grid=site._grid()))


def test_a_cloud_whose_readings_are_dated_back_is_not_read_all_the_time() -> None:
    site = Site(R30)
    site.obeys[CLOUD], site.error[CLOUD] = False, ""
    site.dated_back_s = 300.0
    site.live(1000, step=1.0)
    assert len(site.looks) <= 80, "some seconds in two minutes"
    assert len(site.asked) == 4, "the old value, told as of after the request, is the first that counts"
    site.obeys[CLOUD] = True
    site.live(900)
    assert site.stage() is Stage.SEEN


def test_the_control_is_read_again_soon_after_a_request() -> None:
    site = Site(R30).live(10)
    assert site.wishes() == ["reserve 30 %"]
    assert site.decision.look == (CLOUD,)


def test_an_older_reading_of_another_meter_is_no_person() -> None:
    site = Site(R30)
    old = SiteReading(at=site.instant(), source=LOCAL, reserve=Percent(20.0))
    site.live(1200)
    assert site.stage() is Stage.SEEN
    told(site, old)
    assert site.stage() is Stage.SEEN


def test_what_the_battery_did_before_the_read_back_is_not_held_against_it() -> None:
    site = Site(R30).live(60)
    [pursuit] = site.state.site.pursuits
    assert pursuit.seen_at is not None
    site.site = SiteReading(at=site.instant(1010), source="gateway", charge=Percent(10.0), battery_w=Watts(3000.0))
    turn = Turn(
        before=site.state,
        inputs=Inputs(site=site.site),
        policy=site.policy,
        now=site.now(),
        action_ids=site.state.action_ids,
    )
    assert pursuit.seen_at.mono_s > 1010
    assert effect.obeyed(turn, pursuit) is None
    turn.inputs = Inputs(site=replace(site.site, at=site.instant()))
    assert effect.obeyed(turn, pursuit) is False
