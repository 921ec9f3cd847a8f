"""The scorecard sees what went wrong, and nothing else: it judges made-up evenings before a real one."""

from __future__ import annotations

import msgspec
import pytest

from pimgr.demo.plan import DemoTier, Plan
from pimgr.demo.score import Score, Witness, judge
from pimgr.house import WireEntry

PLAN = Plan(
    tiers=(DemoTier("at once", ("pump", "lamp"), None, 3.0), DemoTier("low", ("tv", "nas"), 50.0, 12.0)),
    never_shed=("router",),
    person="pump",
)
BEFORE = {"pump": True, "lamp": False, "tv": True, "nas": True, "router": True, "spare": False}
GOOD = [
    (10.0, "house", "truth", "SystemIslandedActive", "down"),
    (10.5, "pump", "switch", "off", ""),
    (10.5, "pump", "truth", "off", ""),
    (20.8, "tv", "switch", "off", ""),
    (20.8, "tv", "truth", "off", ""),
    (22.0, "nas", "shut_down", "boot-1", ""),
    (22.0, "nas", "truth", "shutting down", ""),
    (23.0, "nas", "truth", "off", ""),
    (40.0, "house", "truth", "SystemGridConnected", "up"),
    (46.0, "nas", "wake", "off", ""),
    (47.0, "tv", "switch", "on", ""),
    (47.0, "tv", "truth", "on", ""),
    (48.0, "pump", "switch", "on", ""),
    (48.0, "pump", "truth", "on", ""),
]


def evening(lines: list[tuple[float, str, str, str, str]], after: dict[str, bool] | None = None) -> Score:
    wire = tuple(
        WireEntry(n, 1e9 + at, at, device, "grid" if device == "house" else "", what, value, raw)
        for n, (at, device, what, value, raw) in enumerate(sorted(lines))
    )
    witness = Witness(wire=wire, before=BEFORE, after=after or BEFORE, fell_at=20.0, killed_at=21.0, mails=2)
    return judge(PLAN, witness)


def test_a_good_evening_passes_with_its_figures() -> None:
    score = evening(GOOD)
    assert score.failures == ()
    assert score.detection_s == pytest.approx(0.5)
    assert [tier.last_s for tier in score.tiers] == [pytest.approx(0.5), pytest.approx(2.0)]
    assert score.owed == score.given_back == ("pump", "tv", "nas")


@pytest.mark.parametrize(
    ("lines", "after", "failure"),
    [
        ([line for line in GOOD if line[0] != 20.8], {}, "tier low: last load after never"),
        ([(12.0 if line[0] == 10.5 else line[0], *line[1:]) for line in GOOD], {}, "first command after 2.00 s"),
        (GOOD, {"tv": False}, "tv was never given back"),
        (GOOD, {"lamp": True}, "lamp was restored wrongly"),
        ([*GOOD, (49.0, "lamp", "switch", "on", "")], {}, "lamp was restored wrongly"),
        ([*GOOD, (11.0, "router", "switch", "off", "")], {}, "router was restored wrongly"),
        ([*GOOD, (30.0, "tv", "switch", "on", "")], {}, "tv switch on at the wrong time"),
        ([*GOOD, (5.0, "tv", "switch", "off", "")], {}, "tv switch off at the wrong time"),
        ([*GOOD, (48.5, "tv", "truth", "off", ""), (48.6, "tv", "truth", "on", "")], {}, "tv changed twice"),
        ([], {}, "nothing was shed"),
    ],
    ids=[
        "load left on",
        "late",
        "not restored",
        "rose",
        "turned on",
        "protected",
        "early back",
        "no outage",
        "to and fro",
        "idle",
    ],
)
def test_each_thing_that_goes_wrong_fails_it(
    lines: list[tuple[float, str, str, str, str]], after: dict[str, bool], failure: str
) -> None:
    assert any(failure in found for found in evening(lines, BEFORE | after).failures)


def test_what_a_person_turned_on_is_theirs() -> None:
    theirs = [line for line in GOOD if line[0] != 48.0] + [
        (30.0, "pump", "person", "on", ""),
        (30.0, "pump", "truth", "on", ""),
    ]
    score = evening(theirs)
    assert score.failures == ()
    assert score.owed == ("tv", "nas")


def test_the_scorecard_is_json_for_programs() -> None:
    assert msgspec.json.decode(msgspec.json.encode(evening(GOOD)), type=Score) == evening(GOOD)
