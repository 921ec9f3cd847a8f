"""Every mail as its reader sees it: the examples of docs/mails.md are what pimgr writes, to the letter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pimgr.api import LoadReading, replace
from pimgr.policy.model import PartView, Policy, Tier
from pimgr.policy.news.report_words import Drill, Reports
from pimgr.units import Percent, Watts
from tests.policy.days import Days, dated

DOCS = Path(__file__).parents[2] / "docs" / "mails.md"
TITLES = {"pump": "Pool pump", "nas": "NAS", "desk": "Desk", "heater": "Water heater", "fridge": "Fridge"}
DRAWS = {"pump": 1100.0, "desk": 120.0, "heater": 2000.0}


def a_house(**more: object) -> Policy:
    """The desk's house with titles: pump and NAS at once, desk and heater below 50 %."""
    policy = dated(reports=Reports(daily=True, drill_weekday=6), **more)
    policy = replace(policy, timing=replace(policy.timing, settle_s=300.0, stagger_s=5.0, max_gap_s={"gateway": 1e6}))
    parts = {name: replace(part, title=TITLES[name]) for name, part in policy.parts.items()}
    names = ("big loads", "comfort")
    tiers = tuple(replace(tier, name=name) for tier, name in zip(policy.tiers, names, strict=True))
    return replace(policy, parts=parts, tiers=tiers)


class SummerEvening(Days):
    """A summer evening in that house; every load is metered."""

    def __init__(self, start: str = "2026-07-15T18:00", policy: Policy | None = None) -> None:
        super().__init__(policy or a_house(), start)

    def load(self, part: str, on: bool, *, age: float = 0.0, gap: bool = False) -> None:
        super().load(part, on, age=age, gap=gap)
        view = self.views[part]
        assert isinstance(view.reading, LoadReading)
        watts = Watts(DRAWS.get(part, 90.0) if on else 0.0)
        self.views[part] = PartView(reading=replace(view.reading, power_w=watts), steady_since=view.steady_since)

    def read(self, charge: float, load: float, **off: bool) -> None:
        """Everything is read now; named parts are off."""
        for part in ("pump", "desk", "heater", "fridge"):
            if not self.views.get(part, PartView()).fault:
                self.load(part, not off.get(part, False))
        if not self.views.get("nas", PartView()).fault:
            self.host(not off.get("nas", False))
        self.meters(charge, load=load, solar=0.0, battery=load, grid=0.0)

    def lives(self, clock: str, charge: float, load: float, grid: str, **off: bool) -> SummerEvening:
        """At this time all is so, and for most of a minute more."""
        self.until(f"2026-07-15T{clock}")
        for _ in range(6):
            self.read(charge, load, **off)
            self.tick(grid=grid)
            self.t += 10.0
        return self

    def fails(self) -> SummerEvening:
        return self.lives("18:39", 80, 3300.0, "up").lives("18:40", 80, 3300.0, "down")


def began() -> SummerEvening:
    return SummerEvening().fails()


def shed() -> SummerEvening:
    return began().lives("18:41", 80, 2200.0, "down", pump=True, nas=True)


def half_shed() -> SummerEvening:
    desk = began()
    desk.lost("nas", "no answer in 5 s (192.0.2.20)")
    for clock in ("18:41", "18:43:30"):
        desk.lives(clock, 80, 2300.0, "down", pump=True)
    return desk


def tier() -> SummerEvening:
    return shed().lives("20:10", 49, 2200.0, "down", pump=True, nas=True)


def all_shed() -> SummerEvening:
    return tier().lives("20:11", 48, 350.0, "down", pump=True, nas=True, desk=True, heater=True)


def low() -> SummerEvening:
    return all_shed().lives("23:30", 14, 650.0, "down", pump=True, nas=True, desk=True, heater=True)


def over() -> SummerEvening:
    return (
        shed()
        .lives("19:47", 61, 2200.0, "up", pump=True, nas=True)
        .lives("19:52", 61, 2200.0, "up", pump=True, nas=True)
    )


def given_back() -> SummerEvening:
    return over().lives("19:54", 61, 3300.0, "up")


def left_to_a_person() -> SummerEvening:
    desk = shed()
    desk.lives("19:00", 75, 3300.0, "down", nas=True)
    desk.lives("19:47", 61, 3300.0, "up", nas=True)
    desk.lives("19:52", 61, 3300.0, "up", nas=True)
    desk.host(True, "nas-2")
    desk.tick(grid="up")
    return desk


def rest_owed() -> SummerEvening:
    desk = shed()
    desk.lost("pump", "no answer in 5 s (192.0.2.15)")
    for clock in ("19:47", "19:52"):
        desk.lives(clock, 61, 2200.0, "up", nas=True)
    for clock in ("19:54", "20:02:30"):
        desk.lives(clock, 61, 2300.0, "up")
    return desk


def buying() -> SummerEvening:
    desk = SummerEvening("2026-07-15T15:00")
    for _ in range(8):
        desk.read(21, 3300.0)
        desk.meters(20, load=3300.0, solar=900.0, battery=0.0, grid=2400.0)
        desk.tick(grid="up")
        desk.t += 10.0
    return desk


def day() -> SummerEvening:
    desk = SummerEvening("2026-07-14T19:58")
    outage = (desk.moment("2026-07-15T18:40"), desk.moment("2026-07-15T19:06"))
    while desk.instant().wall <= desk.moment("2026-07-15T20:03"):
        wall = desk.instant().wall
        sunny, away = 8 <= int(desk.shown()[11:13]) < 18, outage[0] <= wall < outage[1]
        taken = outage[0] + 30 < wall < outage[1] + 330
        desk.read(84, 1000.0, pump=taken, nas=taken)
        flows = {"solar": 3000.0, "load": 1000.0, "grid": -500.0, "battery": -1500.0}
        desk.meters(84, **(flows if sunny else {"solar": 0.0, "load": 600.0, "grid": 200.0, "battery": 400.0}))
        desk.tick(grid="down" if away else "up")
        near = outage[0] - 120 <= wall < outage[1] + 600
        desk.t += 20.0 if near else 60.0
    return desk


def drill() -> SummerEvening:
    desk = SummerEvening("2026-07-19T09:58")
    desk.read(84, 3300.0)
    desk.tick(grid="up", command=None)
    desk.until("2026-07-19T10:00")
    desk.tick(grid="up", command=Drill())
    desk.t += 5.0
    desk.read(84, 3300.0, heater=True)
    desk.lost("nas", "no answer in 5 s (192.0.2.20)")
    desk.tick(grid="up")
    desk.t += 20.0
    desk.tick(grid="up")
    return desk


WRITTEN = {
    "The grid is down": began,
    "Off as planned": shed,
    "1 of 2 is not off": half_shed,
    "Battery at 49 %": tier,
    "Everything is off": all_shed,
    "Battery at 14 %": low,
    "The grid is back": over,
    "Everything was given back": given_back,
    "Given back, except for": rest_owed,
    "Buying": buying,
    "Wednesday 15 July": day,
    "Drill": drill,
}


def examples() -> dict[str, str]:
    """The examples of the page, by their subjects."""
    found = re.findall(r"```mail\n(Subject: (.*?)\n.*?)\n```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    return {subject: text for text, subject in found}


@pytest.mark.parametrize("subject", WRITTEN)
def test_the_page_shows_each_mail_as_it_is_written(subject):
    mail = WRITTEN[subject]().last(subject)
    assert examples().get(mail.subject) == f"Subject: {mail.subject}\n\n{mail.text}"


def test_every_example_of_the_page_is_written_by_some_event():
    shown = [next((start for start in WRITTEN if subject.startswith(start)), "") for subject in examples()]
    assert shown == list(WRITTEN)


def test_an_outage_is_told_in_few_mails_one_for_each_turn():
    desk = low()
    desk.lives("23:45", 13, 650.0, "up", pump=True, nas=True, desk=True, heater=True)
    desk.lives("23:50", 13, 650.0, "up", pump=True, nas=True, desk=True, heater=True)
    desk.lives("23:52", 13, 3300.0, "up")
    assert [mail.partition(":")[0] for mail in desk.mails if "July" not in mail] == [
        "The grid is down",
        "Off as planned",
        "Battery at 49 %",
        "Everything is off that may go off",
        "Battery at 14 %, about 2 h 50 min left",
        "The grid is back",
        "Everything was given back",
    ]


def test_what_was_left_to_a_person_is_told_as_that():
    desk = left_to_a_person()
    assert "pump: a person turned it on; it is left so." in desk.last("The grid is back").text
    text = desk.last("Everything was given back").text
    assert "As it was found again: NAS." in text
    assert "Otherwise, and left so: pump: a person turned it on." in text


def test_what_is_taken_for_another_reason_is_not_called_given_back():
    """Such as one that a person keeps off for a while."""
    desk = over()
    claims = tuple(replace(c, episode="lease-1") if c.part == "pump" else c for c in desk.state.claims)
    desk.state = replace(desk.state, claims=tuple(c for c in claims if c.part == "pump"))
    desk.until("2026-07-15T19:52:59")
    desk.tick(grid="up")
    text = desk.last("Everything was given back").text
    assert "As it was found again: NAS." in text
    assert text.endswith("Still taken, for another reason: Pool pump.")


def test_while_nobody_trusts_the_clock_no_time_is_told():
    desk = SummerEvening()
    desk.trusted = False
    desk.fails()
    assert desk.last("The grid is down").text.startswith("The grid failed, and the house runs on its battery: 80 %")


def test_an_outage_that_began_yesterday_says_so():
    desk = shed()
    desk.until("2026-07-16T02:00")
    desk.read(14, 650.0, pump=True, nas=True)
    desk.tick(grid="down")
    assert "The grid is down since yesterday 18:40, and" in desk.last("Battery at 14 %").text


def test_several_tiers_to_come_are_told_with_their_conditions():
    policy = a_house()
    tiers = (
        *policy.tiers[:1],
        Tier(name="later", loads=("desk",), after_s=1800.0, below=Percent(50.0)),
        Tier(name="last", loads=("heater", "fridge"), below_runtime_s=4 * 3600.0),
    )
    desk = SummerEvening(policy=replace(policy, tiers=tiers))
    desk.fails()
    assert "Later, after 30 min or below 50 %: Desk.\nLater, when less than 4 h are left: Water heater." in (
        desk.last("The grid is down").text
    )


def test_a_part_that_does_not_answer_is_named_for_a_hand():
    desk = SummerEvening()
    desk.lives("18:39", 80, 3300.0, "up")
    desk.lost("pump", "no answer in 5 s (192.0.2.15)")
    desk.lives("18:40", 80, 3300.0, "down")
    assert (
        "No answer from Pool pump (no answer in 5 s (192.0.2.15)). Turn it off by hand; else pimgr does as soon as it "
        "answers."
    ) in desk.last("The grid is down").text
