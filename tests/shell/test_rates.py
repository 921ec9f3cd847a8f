"""When a connection reads which of its parts: as tables."""

from __future__ import annotations

import pytest

from pimgr.api import Capability, DeviceError, Garbled, Refused, Unreachable, Unsupported
from pimgr.rates import Schedule, poll_s

GRID, METER, LOAD, HOST = Capability.GRID_SOURCE, Capability.SITE_METER, Capability.LOAD, Capability.HOST


class Bench:
    """A schedule, and the reads that it asks for while time passes."""

    def __init__(self, slots: dict[tuple[str, Capability], float], floor_s: float = 1.0) -> None:
        self.now_s = 500.0
        self.schedule = Schedule(slots, lambda: self.now_s, floor_s)
        self.error: DeviceError | None = None
        self.reads: list[tuple[float, str]] = []

    def run(self, seconds: float, *, wanted: set[str] | None = None, quick: bool = False) -> list[float]:
        """The times at which something was read, from now on."""
        began = self.now_s
        self.reads.clear()
        self.schedule.quick = quick
        while True:
            if wanted is not None:
                self.schedule.hurry(wanted)
            slot = self.schedule.due()
            if slot is None:
                rest = self.schedule.rest_s()
                assert rest is not None
                if self.now_s + rest > began + seconds:
                    self.now_s = began + seconds
                    return [at for at, _ in self.reads]
                self.now_s += rest
                continue
            self.reads.append((round(self.now_s - began, 3), slot[0]))
            self.schedule.began(*slot)
            if self.error is None:
                self.schedule.succeeded(*slot)
            else:
                self.schedule.failed(*slot, self.error)


def unreachable() -> Unreachable:
    return Unreachable("x", "a reading", "no answer")


def test_everything_is_read_at_the_start() -> None:
    bench = Bench({("gateway", GRID): 2.0, ("gateway", METER): 10.0})
    assert bench.run(0.0) == [0.0, 0.0]


@pytest.mark.parametrize(
    ("capability", "cloud", "own", "every_s"),
    [
        (GRID, False, {}, 2.0),
        (METER, False, {}, 10.0),
        (LOAD, False, {}, 30.0),
        (HOST, False, {}, 60.0),
        (Capability.THERMOSTAT, False, {}, 300.0),
        (Capability.NOTIFIER, False, {}, 60.0),
        (LOAD, False, {LOAD: 60.0}, 60.0),
        (LOAD, False, {HOST: 5.0}, 30.0),
        (GRID, True, {}, 300.0),
        (LOAD, True, {}, 300.0),
        (Capability.FORECAST, True, {}, 1800.0),
        (GRID, True, {GRID: 120.0}, 120.0),
    ],
)
def test_the_rate_is_the_types_own_or_pimgrs_and_a_clouds_is_slow(
    capability: Capability, cloud: bool, own: dict[Capability, float], every_s: float
) -> None:
    assert poll_s(capability, own, cloud) == every_s


@pytest.mark.parametrize(
    ("every_s", "kind", "quick", "expected"),
    [
        (2.0, GRID, False, [0, 2, 4, 6, 8, 10]),
        (2.0, GRID, True, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (10.0, METER, True, [0, 10]),
        (5.0, LOAD, True, [0, 5, 10]),
        (0.2, GRID, False, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ],
)
def test_only_the_grid_gets_quicker_and_nothing_beats_the_floor(
    every_s: float, kind: Capability, quick: bool, expected: list[float]
) -> None:
    assert Bench({("x", kind): every_s}).run(10.0, quick=quick) == expected


def test_a_floor_of_the_type_holds_for_quick_and_for_wanted_parts() -> None:
    assert Bench({("x", GRID): 300.0}, floor_s=60.0).run(200.0, quick=True) == [0, 60, 120, 180]
    assert Bench({("x", LOAD): 300.0}, floor_s=20.0).run(50.0, wanted={"x"}) == [0, 20, 40]


@pytest.mark.parametrize(
    ("kind", "every_s", "error", "wanted", "seconds", "expected"),
    [
        (GRID, 2.0, Unreachable, False, 40, [0, 2, 6, 14, 24, 34]),
        (GRID, 2.0, Garbled, False, 40, [0, 2, 6, 14, 24, 34]),
        (GRID, 2.0, Refused, False, 900, [0, 2, 6, 14, 30, 62, 126, 254, 510, 810]),
        (LOAD, 30.0, Unreachable, False, 1200, [0, 30, 90, 210, 450, 750, 1050]),
        (LOAD, 30.0, Unreachable, True, 35, [0, 10, 20, 30]),
        (LOAD, 30.0, Garbled, True, 35, [0, 10, 20, 30]),
        (LOAD, 30.0, Refused, True, 1200, [0, 30, 90, 210, 450, 750, 1050]),
        (LOAD, 30.0, Unsupported, True, 1200, [0, 30, 90, 210, 450, 750, 1050]),
        (HOST, 60.0, Unreachable, False, 1200, [0, 60, 180, 420, 720, 1020]),
        (METER, 10.0, Unreachable, False, 700, [0, 10, 30, 70, 150, 310, 610]),
        (LOAD, 1800.0, Unreachable, False, 700, [0, 300, 600]),
    ],
)
def test_back_off_is_short_where_protection_waits_and_long_where_the_answer_was_no(
    kind: Capability, every_s: float, error: type[DeviceError], wanted: bool, seconds: float, expected: list[float]
) -> None:
    bench = Bench({("x", kind): every_s})
    bench.error = error("x", "a reading", "it failed")
    assert bench.run(seconds, wanted={"x"} if wanted else None) == expected


def test_a_source_that_failed_is_not_made_quicker_by_suspicion() -> None:
    bench = Bench({("x", GRID): 2.0})
    bench.error = unreachable()
    assert bench.run(40.0, quick=True) == [0, 2, 6, 14, 24, 34]


def test_one_answer_ends_the_back_off() -> None:
    bench = Bench({("x", LOAD): 30.0})
    bench.error = unreachable()
    bench.run(450.0)
    bench.error = None
    bench.run(300.0)
    assert bench.run(60.0)[:2] == [30.0, 60.0]
    bench.error = unreachable()
    bench.run(30.0)
    assert bench.run(59.0) == [30.0], "and the next failure begins anew"


def test_back_off_belongs_to_a_capability_not_to_the_connection() -> None:
    bench = Bench({("g", GRID): 2.0, ("g", METER): 10.0})
    bench.run(0.0)
    for _ in range(8):
        bench.schedule.began("g", METER)
        bench.schedule.failed("g", METER, unreachable())
    assert bench.run(20.0) == [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]


def test_wanting_is_news_once_and_ends_when_the_part_was_read_or_is_not_wanted_any_more() -> None:
    bench = Bench({("a", LOAD): 30.0, ("b", LOAD): 30.0})
    bench.run(0.0)
    assert bench.schedule.hurry({"a"})
    assert not bench.schedule.hurry({"a"})
    assert not bench.schedule.hurry(set())
    assert bench.run(20.0) == [], "it was wanted no longer"
    assert bench.schedule.hurry({"a"})
    assert bench.run(5.0) == [0.0]
    assert [part for _, part in bench.reads] == ["a"]


def test_the_most_overdue_read_comes_first() -> None:
    bench = Bench({("a", LOAD): 30.0, ("b", LOAD): 20.0, ("c", LOAD): 10.0})
    bench.run(0.0)
    bench.now_s += 100.0
    bench.run(0.0)
    assert [part for _, part in bench.reads] == ["c", "b", "a"]


def test_a_read_that_was_given_up_is_due_again_as_soon_as_the_floor_allows() -> None:
    bench = Bench({("a", LOAD): 30.0})
    bench.schedule.began("a", LOAD)
    bench.schedule.cut("a", LOAD)
    assert bench.run(10.0) == [1.0]


def test_what_requests_change_is_read_back_and_nothing_else() -> None:
    schedule = Schedule({("g", GRID): 2.0, ("g", METER): 10.0, ("l", LOAD): 30.0, ("h", HOST): 60.0}, lambda: 0.0)
    assert schedule.readable("g") == [METER], "of a site it is the meter that tells whether a setting came through"
    assert schedule.readable("l") == [LOAD]
    assert schedule.readable("h") == [HOST]
    assert schedule.readable("elsewhere") == []


def test_a_connection_without_anything_to_read_rests_until_it_is_woken() -> None:
    schedule = Schedule({}, lambda: 0.0)
    assert schedule.due() is None
    assert schedule.rest_s() is None
