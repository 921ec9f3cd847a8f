"""Whatever befalls a house with thermostats: no set point leaves the clamp, moves twice, or is fought over."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimgr.api import Now, ThermostatMode
from pimgr.policy.decide import decide, worth_keeping
from pimgr.policy.model import Claim, ClaimStatus, Decision, Inputs, Policy, SetPoints, State
from pimgr.policy.thermostats.comfort import Climate
from pimgr.policy.values import SET_POINT_STEP
from tests.policy.devices import PIMGR
from tests.policy.histories import Event, happening
from tests.policy.profiles import ci, nightly
from tests.policy.tally import Tally
from tests.policy.warm_house import PRECOOL, Stat, WarmHouse, Watch, calendar, f, policy, wall

HALL, ATTIC = "hall", "attic"
EXAMPLES = 40
TWO_PEAKS = calendar(("05:00", "09:00"), ("14:00", "20:00"))
TINY = 1e-6
seen = Tally()


# ------------------------------------------------------------------------------------------------------------- watches


def replays_to_the_bit(house: WarmHouse, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
    if worth_keeping(before, decision):
        blobs = [msgspec.msgpack.encode(x) for x in (before, inputs, house.policy, now)]
        kinds = (State, Inputs, Policy, Now)
        again = decide(*(msgspec.msgpack.decode(b, type=k) for b, k in zip(blobs, kinds, strict=True)))  # type: ignore[arg-type]
        assert msgspec.msgpack.encode(again) == msgspec.msgpack.encode(decision)


def acts_on_a_fresh_reading_of_a_thermostat_that_is_on(
    house: WarmHouse, before: State, inputs: Inputs, now: Now, decision: Decision
) -> None:
    for action in decision.actions:
        reading = inputs.parts[action.part].reading
        assert reading is not None
        assert reading.at.boot == now.boot
        assert now.mono_s - reading.at.mono_s <= 600.0


def moves_by_the_baseline_and_within_the_clamp(
    house: WarmHouse, before: State, inputs: Inputs, now: Now, decision: Decision
) -> None:
    """Every wish is the baseline with one offset of the ladder, the precool set point, or what was found."""
    climate, claims = house.policy.climate, {c.part: c for c in decision.state.claims}
    assert climate is not None
    for action in decision.actions:
        claim, value = claims[action.part], action.value
        assert isinstance(value, SetPoints)
        assert isinstance(claim.before, SetPoints)
        if claim.status is ClaimStatus.RETURNING:
            assert value in (claim.before, SetPoints())
            continue
        assert value.cool is not None
        assert claim.before.cool is not None
        assert any(abs(value.cool - goal) < TINY for goal in _goals(climate, claim.before.cool))
        assert min(climate.coolest, claim.before.cool) <= value.cool <= max(climate.warmest, claim.before.cool)


def _goals(climate: Climate, found: float) -> list[float]:
    goals = [max(min(found + rung.offset, climate.warmest), found) for rung in climate.ladder]
    return goals + ([min(climate.precool.cool, found)] if climate.precool else [])


def changes_are_apart(house: WarmHouse, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
    """Two wishes for different set points, by more than a compressor's rest."""
    climate = house.policy.climate
    assert climate is not None
    for action in decision.actions:
        last = next(((t, a) for t, a in reversed(house.wire) if a.part == action.part), None)
        if last is None or _points(last[1].value) == _points(action.value):
            continue
        assert house.t - last[0] >= climate.min_off_s, f"{last[1].value} then {action.value}"


def _points(value: object) -> tuple[object, object]:
    assert isinstance(value, SetPoints)
    return value.heat, value.cool


def in_one_peak_it_only_rises(house: WarmHouse, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
    """Also across restarts and clocks that were lost, for the rung is remembered until its peak is known to be over."""
    new = decision.state.climate.rungs
    window = inputs.calendar.window(now.wall) if inputs.calendar and now.wall_trusted else None
    for episode, rung in before.climate.rungs.items():
        if episode.startswith("peak") and (window is None or window.id == episode):
            assert new.get(episode, 0) >= rung


class PersonsHaveTheLastWord:
    """What a hand set, seen without a gap after the acknowledgement, stands until peak and outage are over."""

    def __init__(self) -> None:
        self.theirs: dict[str, set[str]] = {}

    def __call__(self, house: WarmHouse, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
        for claim in before.claims if house.crash_when != "before" else ():
            if self._is_theirs(house, claim, inputs, now):
                self.theirs[claim.part] = {claim.episode}
        for part, episodes in list(self.theirs.items()):
            if not episodes & self._going_on(decision, inputs, now, episodes):
                del self.theirs[part]
        for action in decision.actions:
            assert action.part not in self.theirs, f"{action.part} belongs to a person"

    def _going_on(self, decision: Decision, inputs: Inputs, now: Now, known: set[str]) -> set[str]:
        if inputs.calendar is None or not now.wall_trusted:
            return known
        window = inputs.calendar.window(now.wall)
        outage = {decision.state.episode} if decision.state.phase != "normal" else set()
        precooling = {e for e in known if e.startswith("precool") and window and not window.peak}
        return outage | ({window.id} if window else set()) | precooling

    def _is_theirs(self, house: WarmHouse, claim: Claim, inputs: Inputs, now: Now) -> bool:
        view, stat = inputs.parts.get(claim.part), house.stats[claim.part]
        if claim.status is not ClaimStatus.TAKEN or view is None or view.reading is None:
            return False
        if claim.since.boot != now.boot or not stat.hands:
            return False
        at, value = stat.hands[-1]
        acknowledged, read = claim.since.mono_s + house.boot_t, view.reading.at.mono_s + house.boot_t
        if not acknowledged < at <= read or stat.gap_at >= acknowledged or value.scheduled or stat.held != value:
            return False
        ours = [claim.wanted, claim.before]
        if now.mono_s - view.reading.at.mono_s > 600.0 or stat.mode is not ThermostatMode.COOL:
            return False
        return value.cool is not None and all(
            abs(value.cool - (o.cool or 0.0)) > SET_POINT_STEP for o in ours if isinstance(o, SetPoints)
        )


def all_watches() -> tuple[Watch, ...]:
    return (
        replays_to_the_bit,
        acts_on_a_fresh_reading_of_a_thermostat_that_is_on,
        moves_by_the_baseline_and_within_the_clamp,
        changes_are_apart,
        in_one_peak_it_only_rises,
        PersonsHaveTheLastWord(),
    )


# ----------------------------------------------------------------------------------------------------------- histories


PARTS = st.sampled_from([HALL, ATTIC])
events = st.one_of(
    happening("charge", st.sampled_from([None, 95.0, 55.0, 50.0, 36.0, 34.0, 20.0, 3.0])),
    happening("high", st.sampled_from([None, 90.0, 105.0, 112.0])),
    happening(
        "hand", PARTS, st.sampled_from([None, 68.0, 71.0, 77.0, 84.0]), st.sampled_from(["16:00", "22:00", None])
    ),
    happening("schedule", PARTS, st.sampled_from([72.0, 74.0, 81.0])),
    happening("mode", PARTS, st.sampled_from(list(ThermostatMode))),
    happening("reach", PARTS, st.booleans()),
    happening("fate", PARTS, st.sampled_from(["lost", "answer lost", "silent"])),
    happening("grid", st.booleans()),
    happening("crash"),
    happening("crash at", st.sampled_from(["before", "committed", "sent"])),
    happening("reboot", st.booleans()),
    happening("clock", st.booleans()),
)
WAITS = st.sampled_from([60.0, 180.0, 660.0, 900.0, 3600.0])
beginnings: st.SearchStrategy[list[tuple[Event, float]]] = st.sampled_from(
    [
        [],
        [(("high", (112.0,)), 5400.0)],
        [(("charge", (40.0,)), 4 * 3600.0)],
        [(("charge", (95.0,)), 4 * 3600.0), (("charge", (50.0,)), 120.0), (("charge", (20.0,)), 120.0)],
        [(("charge", (40.0,)), 4 * 3600.0), (("hand", (HALL, 70.0, "22:00")), 660.0)],
    ]
)
histories = st.tuples(beginnings, st.lists(st.tuples(events, WAITS), max_size=14)).map(lambda h: h[0] + h[1])
policies = st.builds(
    lambda outage, precool, below, rest: policy(
        HALL,
        ATTIC,
        in_outage=outage,
        precool=msgspec.structs.replace(PRECOOL, below=below) if precool else None,
        min_off_s=rest,
    ),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, 90.0]),
    st.sampled_from([300.0, 900.0]),
)
holds = st.sampled_from([None, SetPoints(cool=f(72), permanent=True), SetPoints(cool=f(73), until=wall("18:00"))])


def befall(house: WarmHouse, event: Event) -> None:
    name, a = event
    deeds: dict[str, Callable[..., object]] = {
        "charge": lambda percent: setattr(house, "charge", percent),
        "high": lambda high: setattr(house, "high", high),
        "hand": house.hand,
        "schedule": lambda part, cool: setattr(house.stats[part], "schedule", cool),
        "mode": lambda part, mode: setattr(house.stats[part], "mode", mode),
        "reach": lambda part, well: setattr(house.stats[part], "reachable", well),
        "fate": lambda part, how: house.stats[part].fates.append(how),
        "grid": lambda up: setattr(house, "grid_up", up),
        "crash": house.crash,
        "crash at": lambda when: setattr(house, "crash_when", when),
        "reboot": lambda trusted: house.reboot(trusted=trusted),
        "clock": lambda trusted: setattr(house, "trusted", trusted),
    }
    deeds[name](*a)


def live_through(rules: Policy, held: SetPoints | None, history: list[tuple[Event, float]]) -> None:
    stats = Stat(name=HALL, schedule=74.0, held=held), Stat(name=ATTIC, schedule=78.0)
    house = WarmHouse(rules, *stats, at="11:00", days=TWO_PEAKS, watches=(*all_watches(), seen.watch))
    house.run(60.0)
    for event, wait_s in history:
        befall(house, event)
        house.run(wait_s)
    house.grid_up, house.trusted, house.crash_when, house.charge, house.high = True, True, "", 95.0, None
    for stat in house.stats.values():
        stat.reachable, stat.fates, stat.mode = True, [], ThermostatMode.COOL
    day = int((house.t - wall("00:00")) // 86400.0)
    house.until("22:30", day if house.t < wall("20:30", day) else day + 1)
    assert house.state.claims == ()
    assert house.state.climate.rungs == {}
    for stat in house.stats.values():
        ours = stat.held is not None and stat.by == PIMGR
        assert not ours or _was_theirs(stat, held), f"{stat.name} is left at {stat.held}"


def _was_theirs(stat: Stat, held: SetPoints | None) -> bool:
    """A hold of ours that is left is what somebody held before."""
    theirs = [value.cool for value in (*(v for _, v in stat.hands), held) if value is not None]
    assert stat.held is not None
    assert stat.held.cool is not None
    return any(cool is not None and abs(cool - stat.held.cool) < TINY for cool in theirs)


@ci(EXAMPLES)
@given(policies, holds, histories)
def in_ci(rules, held, history):
    live_through(rules, held, history)


def test_every_promise_about_thermostats_holds_at_every_tick():
    """Though thermostats are moved and given back, persons set some, and the grid fails meanwhile."""
    seen.of(in_ci).more_than(taken=20, returned=8, person=4, phase=2)


@pytest.mark.nightly
@nightly(EXAMPLES)
@given(policies, holds, histories)
def test_every_promise_about_thermostats_holds_in_many_more_histories(rules, held, history):
    live_through(rules, held, history)
