"""What goes on and off makes few mails, what is critical and lasts another one, and an outage makes all of its."""

from __future__ import annotations

import msgspec
import pytest

from pimgr.api import Now, Severity, replace
from pimgr.policy.model import Ack, Inputs, Notice, Policy, State
from pimgr.policy.news import alerts, limits
from pimgr.policy.persons.people import Family
from pimgr.policy.turn import Turn
from tests.policy.desk import Desk, house
from tests.policy.world import EPOCH

HOUR = 3600.0


class Letterbox:
    """A rule that has something to say, and what of it is mailed. `restarts`: after each tick."""

    def __init__(self, *, restarts: bool = False) -> None:
        self.t, self.boot, self.trusted, self.restarts = 1000.0, "boot-1", True, restarts
        self.state = State()
        self.mails: list[Notice] = []

    def tick(self, seconds: float, *say: str, severity: Severity = Severity.WARNING, ack: bool = False) -> None:
        """After so many seconds a change is to be told; "!x" raises the alarm x, "-x" clears it."""
        self.t += seconds
        now = Now(self.t, EPOCH + self.t, self.boot, self.trusted)
        inputs = Inputs(commands=(Ack(),) if ack else ())
        turn = Turn(before=self.state, inputs=inputs, policy=Policy(), now=now, action_ids=0)
        for what in say:
            if what[0] == "!":
                turn.alarm(what[1:], f"{what[1:]} is wrong", ["do something"])
            elif what[0] == "-":
                turn.clear(what[1:])
            else:
                turn.news("plug", severity, what, ["how it is"])
        self.state = limits.apply(turn, alerts.settle(turn, self.state))
        self.mails += turn.notices
        if self.restarts:
            self.state = msgspec.msgpack.decode(msgspec.msgpack.encode(self.state), type=State)

    def subjects(self) -> list[str]:
        return [notice.subject for notice in self.mails]


@pytest.mark.parametrize("every_s", [1.0, 60.0, 400.0])
@pytest.mark.parametrize("restarts", [False, True])
def test_a_hundred_flaps_make_five_mails_and_the_last_says_how_it_ended(every_s, restarts):
    box = Letterbox(restarts=restarts)
    for _ in range(100):
        box.tick(every_s, "lost")
        box.tick(every_s, "back")
    for _ in range(200):
        box.tick(60.0)
    assert box.subjects() == ["lost", "back", "lost", "Goes on and off: back", "back"]
    assert limits.GOES_ON in box.mails[3].text
    assert box.mails[4].text == "It changed 196 more times. It has been so for an hour now:\nhow it is"
    assert len({notice.key for notice in box.mails}) == 5


def test_changes_that_are_hours_apart_make_five_mails_a_day():
    box = Letterbox()
    for _ in range(24):
        box.tick(2 * HOUR, "lost")
        box.tick(1.5 * HOUR, "back")
        box.tick(1800.0)
    assert len(box.mails) <= 5 * 4 + 1


def test_the_next_day_it_counts_anew():
    box = Letterbox()
    for word in ("lost", "back", "lost"):
        box.tick(60.0, word)
    box.tick(25 * HOUR)
    assert box.state.families == {}
    box.tick(60.0, "back")
    assert box.subjects() == ["lost", "back", "lost", "back"]


def test_what_stays_as_the_fourth_mail_said_is_not_told_again():
    box = Letterbox()
    for word in ("lost", "back", "lost", "back"):
        box.tick(60.0, word)
    box.tick(2 * HOUR)
    assert len(box.mails) == 4
    assert box.subjects()[3] == "Goes on and off: back"


def test_something_critical_that_lasts_is_told_though_there_were_five_mails():
    box = Letterbox()
    for _ in range(2):
        for _ in range(10):
            box.tick(60.0, "lost", "back")
        box.tick(60.0, "lost", severity=Severity.CRITICAL)
        box.tick(1.1 * HOUR)
    assert box.subjects()[-1] == "lost"
    assert box.mails[-1].severity is Severity.CRITICAL


def test_a_restart_of_the_box_with_a_wrong_clock_makes_no_more_mails():
    box = Letterbox()
    for n in range(100):
        box.t, box.boot, box.trusted = 10.0, f"boot-{n}", False
        box.tick(10.0, "lost", "back")
    assert len(box.mails) == 4


def test_two_things_do_not_share_their_limit():
    now = Now(1.0, 1.0, "b", True)
    notice = Notice(key="a", severity=Severity.INFO, subject="s", text="t", about="x", limited=True)
    assert limits.offer(Family(), notice, now)[1] == notice


# -------------------------------------------------------------------------------------------------------------- alerts


def told_at(box: Letterbox, hours: int) -> list[int]:
    """At which minute each mail comes."""
    minutes = []
    for minute in range(hours * 60):
        before = len(box.mails)
        box.tick(60.0, "!budget")
        minutes += [minute] * (len(box.mails) - before)
    return minutes


def test_an_alert_is_told_again_after_an_hour_then_every_six_then_daily():
    assert told_at(Letterbox(), 96) == [0, 60, 420, 780, 1140, 2580, 4020, 5460]


def test_an_alert_is_told_again_until_somebody_has_seen_it():
    box = Letterbox()
    told_at(box, 2)
    assert box.subjects() == ["budget is wrong", "Still so: budget is wrong"]
    assert "mail number 2" in box.mails[1].text
    box.tick(60.0, ack=True)
    assert box.state.alerts[0].acked
    told_at(box, 48)
    assert len(box.mails) == 2
    box.tick(60.0, "-budget")
    assert box.state.alerts == ()
    box.tick(60.0, "!budget")
    assert len(box.mails) == 3, "another time is another alert"


def test_an_alert_ends_with_what_it_tells_of():
    box = Letterbox()
    box.tick(1.0, "!budget")
    box.tick(1.0, "-budget")
    box.tick(48 * HOUR)
    assert len(box.mails) == 1


def test_an_alert_survives_restarts_and_a_reboot_tells_it_no_sooner():
    box = Letterbox(restarts=True)
    box.tick(1.0, "!budget")
    for n in range(10):
        box.t, box.boot, box.trusted = 0.0, f"boot-{n}", False
        for _ in range(20):
            box.tick(60.0)
    assert len(box.mails) == 1
    for _ in range(60):
        box.tick(60.0)
    assert len(box.mails) == 2


def test_what_an_outage_asks_for_is_told_again_until_it_is_over():
    box = Letterbox()

    def tick(seconds: float, *, goes_on: bool, ask: bool = False) -> None:
        box.t += seconds
        now = Now(box.t, EPOCH + box.t, box.boot, True)
        turn = Turn(before=box.state, inputs=Inputs(), policy=Policy(), now=now, action_ids=0)
        turn.episodes = {"outage-7"} if goes_on else set()
        if ask:
            turn.mail("outage-7-short", Severity.CRITICAL, "The battery will not last", ["turn something off"])
            turn.repeat()
        box.state = limits.apply(turn, alerts.settle(turn, box.state))
        box.mails += turn.notices

    tick(1.0, goes_on=True, ask=True)
    tick(3600.0, goes_on=True)
    assert box.subjects() == ["The battery will not last", "Still so: The battery will not last"]
    tick(60.0, goes_on=False)
    assert box.state.alerts == ()


# -------------------------------------------------------------------------------------------------------------- outages


def test_a_hundred_flaps_of_the_grid_that_are_no_outage_make_no_mail():
    desk = Desk(house(timing=replace(house().timing, confirm_s=4.0, settle_s=60.0)))
    for n in range(100):
        for second, grid in enumerate(("down", "down", "up", "up")):
            desk.tick(1000.0 + 10 * n + 2 * second, grid)
    assert desk.state.episodes == 0
    assert desk.mails == []


def test_a_hundred_outages_are_each_told():
    desk = Desk()
    for n in range(100):
        for part, t in (("began", 0.0), ("over", 100.0)):
            desk.t = 1000.0 + 300 * n + t
            desk.tick(grid="down" if part == "began" else "up")
    assert desk.mails.count("The grid is down") == desk.mails.count("The grid is back") == 100


def test_the_mails_of_an_outage_say_which_one_they_are_about():
    desk = Desk()
    desk.everything_on()
    assert [n.about for n in desk.tick(1000, "down").notices] == ["outage-1"]
