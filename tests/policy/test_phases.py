"""When it is an outage, and when it is over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimgr.api import Grid, GridReading, Instant, Now, replace
from pimgr.policy.model import Inputs, Phase, Policy, State, Timing
from pimgr.policy.phases import advance
from tests.policy.desk import Desk, asked, house
from tests.policy.profiles import ci
from tests.policy.world import EPOCH

TIMING = Timing(confirm_s=4.0, settle_s=10.0, max_gap_s={"gateway": 6.0, "spare": 6.0, "cloud": 900.0})
WORDS = {"D": Grid.DOWN, "U": Grid.UP, "?": Grid.UNKNOWN}


def at(t: float, boot: str = "b") -> Instant:
    return Instant(t, EPOCH + t, boot)


def reading(t: float, grid: str, source: str = "gateway", boot: str = "b") -> GridReading:
    return GridReading(at=at(t, boot), source=source, grid=WORDS[grid])


def after(told: str, timing: Timing = TIMING, state: State | None = None) -> State:
    """`told`: "0D 2D 4?" or, from another source, "600D@cloud"."""
    state = state or State()
    for item in told.split():
        word, _, source = item.partition("@")
        t = float(word[:-1])
        state, _ = advance(state, (reading(t, word[-1], source or "gateway"),), timing, Now(t, EPOCH + t, "b"))
    return state


@pytest.mark.parametrize(
    ("told", "phase"),
    [
        ("0U", Phase.NORMAL),
        ("0D", Phase.SUSPECT),
        ("0D 2D", Phase.SUSPECT),
        ("0D 2D 4D", Phase.OUTAGE),
        ("0D 2D 3.9D", Phase.SUSPECT),
        ("0D 2D 3U", Phase.NORMAL),
        ("0D 3.9D 4U 5D 8D", Phase.SUSPECT),  # the second blip starts from nothing
        ("0D 2D 4? 5D", Phase.SUSPECT),  # 2 s counted; the time around the unknown adds nothing
        ("0D 2D 4? 5D 7D", Phase.OUTAGE),  # and what was counted before it stays
        ("0D 6D", Phase.OUTAGE),  # 6 s apart is still continuous
        ("0D 6.1D", Phase.SUSPECT),  # a longer gap starts the count again
        ("0D 2D 9D 11D 13D", Phase.OUTAGE),
        ("0D 2D 4D 6?", Phase.OUTAGE),
        ("0D 2D 4D 6U", Phase.SETTLING),
        ("0D 2D 4D 6U 11U 15U", Phase.SETTLING),
        ("0D 2D 4D 6U 11U 16U", Phase.NORMAL),
        ("0D 2D 4D 6U 11U 12D", Phase.OUTAGE),
        ("0D 2D 4D 6U 11U 12? 13U 14U", Phase.SETTLING),
        ("0D 2D 4D 6U 11U 20U 26U", Phase.SETTLING),  # the gap of 9 s started it again
        ("0?", Phase.NORMAL),
    ],
)
def test_only_continuous_evidence_counts(told, phase):
    assert after(told).phase is phase


def test_without_confirmation_one_reading_is_an_outage_and_without_settling_one_ends_it():
    instant = replace(TIMING, confirm_s=0.0, settle_s=0.0)
    assert after("0D", instant).phase is Phase.OUTAGE
    assert after("0D 1U", instant).phase is Phase.NORMAL


def test_readings_from_before_the_last_move_do_not_count():
    state = after("0D 2D 4D 10U")
    assert after("9D", state=state).phase is Phase.SETTLING
    assert after("10D", state=state).phase is Phase.SETTLING
    assert after("11D", state=state).phase is Phase.OUTAGE


def test_readings_that_arrive_together_are_taken_in_the_order_of_measuring():
    told = (reading(4, "D"), reading(0, "D"), reading(2, "D"))
    state, moves = advance(State(), told, TIMING, Now(4, EPOCH, "b"))
    assert [m.new for m in moves] == [Phase.SUSPECT, Phase.OUTAGE]
    assert state.outage_since == at(4)


def test_a_reading_of_another_boot_proves_nothing_now():
    state, moves = advance(State(), (reading(5, "D", boot="old"),), TIMING, Now(5, EPOCH, "b"))
    assert state == State()
    assert moves == ()


def test_a_reading_from_the_future_counts_for_nothing_and_blocks_nothing():
    state, _ = advance(State(), (reading(9999, "D"),), TIMING, Now(5, EPOCH, "b"))
    assert state.phase is Phase.NORMAL
    assert after("6D", state=state).phase is Phase.SUSPECT


def test_after_a_reboot_the_phase_holds_and_the_count_restarts():
    state = after("1000D 1002D")
    now = Now(3, EPOCH, "next")
    state, _ = advance(state, (reading(2, "D", boot="next"),), TIMING, now)
    assert state.phase is Phase.SUSPECT
    outage = after("1000D 1002D 1004D")
    state, _ = advance(outage, (reading(2, "D", boot="next"),), TIMING, now)
    assert (state.phase, state.outage_since, state.episodes) == (Phase.OUTAGE, at(1004), 1)


@pytest.mark.parametrize(
    ("told", "phase"),
    [
        ("0D@cloud 300D@cloud", Phase.OUTAGE),  # a cloud may be 900 s apart
        ("0D@cloud 901D@cloud", Phase.SUSPECT),
        ("0D@gateway 300D@cloud", Phase.SUSPECT),  # but the gateway's silence is not excused by the cloud's slowness
        ("0D@gateway 300D@cloud 600D@cloud", Phase.OUTAGE),
        ("0D@gateway 2D@spare 4D@gateway", Phase.OUTAGE),  # two gateways are one witness
    ],
)
def test_each_source_has_its_own_longest_silence(told, phase):
    assert after(told).phase is phase


def test_grid_down_again_while_settling_is_the_same_episode():
    state = after("0D 2D 4D 10U 12D")
    assert (state.phase, state.episodes, state.outage_since) == (Phase.OUTAGE, 1, at(4))
    assert after("20U 25U 30U 40D 42D 44D", state=state).episodes == 2


def test_suspicion_polls_quickly_and_reads_every_candidate_once():
    desk = Desk(house(timing=replace(TIMING, confirm_s=4.0)))
    assert not desk.tick(1000, "up").quick
    decision = desk.tick(1002, "down")
    assert decision.quick
    assert decision.look == ("desk", "heater", "nas", "pump")
    desk.t = 1003
    desk.everything_on()
    desk.load("desk", True)
    desk.load("heater", True)
    assert desk.tick(1004, "down").look == ()


def test_suspicion_reads_again_what_was_read_before_it_until_each_was_read():
    desk = Desk(house(timing=replace(TIMING, confirm_s=4.0)))
    desk.tick(1000, "up")
    desk.everything_on()
    assert desk.tick(1002, "down").look == ("desk", "heater", "nas", "pump")
    desk.t = 1003
    desk.load("pump", True)
    assert desk.tick(1003.5).look == ("desk", "heater", "nas")


def test_a_passing_state_only_quickens_polling():
    desk = Desk()
    passing = GridReading(
        at=desk.instant(), source="gateway", grid=Grid.UNKNOWN, passing=True, raw="TransitionToIsland"
    )
    decision = desk.decide(Inputs(grid=(passing,)))
    assert decision.quick
    assert decision.state.phase is Phase.NORMAL
    assert decision.actions == ()


def test_unknown_keeps_the_outage_and_gives_nothing_back():
    desk = Desk()
    desk.taken()
    for t in range(1010, 3000, 60):
        desk.load("pump", False, age=1)
        decision = desk.tick(t, "?")
        assert asked(decision, "pump") == []
    assert desk.state.phase is Phase.OUTAGE
    assert "pump" in desk.claimed()


# ------------------------------------------------------------------------------------------- against all histories

steps = st.sampled_from([0.5, 1.0, 2.0, 3.0, 5.0, 6.0, 6.5, 20.0])
tales = st.lists(st.tuples(steps, st.sampled_from("DDDDUU?")), max_size=40)


def told(tale: list[tuple[float, str]]) -> list[GridReading]:
    t, result = 0.0, []
    for step, word in tale:
        t += step
        result.append(reading(t, word))
    return result


def evidence(readings: list[GridReading], for_: Grid) -> float:
    """Seconds of unbroken evidence at the end of these readings, told anew from the definition."""
    total, last, linked = 0.0, None, True
    for r in reversed(readings):
        if r.grid is Grid.UNKNOWN:
            linked = False
        elif r.grid is not for_ or (last is not None and last - r.at.mono_s > 6.0):
            break
        else:
            total += last - r.at.mono_s if last is not None and linked else 0.0
            last, linked = r.at.mono_s, True
    return total


@ci(300)
@given(tales)
def test_an_outage_begins_after_confirm_of_evidence_and_ends_after_settle_of_it(tale):
    state, seen, start = State(), [], 0
    for index, r in enumerate(told(tale)):
        before = state
        state, _ = advance(state, (r,), TIMING, Now(r.at.mono_s, EPOCH, "b"))
        seen.append(r)
        began = before.phase in (Phase.NORMAL, Phase.SUSPECT) and state.phase is Phase.OUTAGE
        ended = before.phase in (Phase.OUTAGE, Phase.SETTLING) and state.phase is Phase.NORMAL
        in_outage = before.phase in (Phase.OUTAGE, Phase.SETTLING)
        if r.grid is not Grid.UNKNOWN:
            enough = TIMING.settle_s if in_outage else TIMING.confirm_s
            proof = evidence(seen[start:], Grid.UP if in_outage else Grid.DOWN) >= enough
            assert (began or ended) is (proof and r.grid is (Grid.UP if in_outage else Grid.DOWN))
        if began or ended:
            start = index + 1


@ci(200)
@given(st.lists(st.tuples(st.floats(0.0, 3.9), st.floats(0.5, 1000.0)), min_size=1, max_size=6), st.floats(0.3, 2.0))
def test_blips_shorter_than_confirm_are_no_outage_however_far_apart(blips, poll_s):
    """Between two of them the gateway says once that the grid is up, or is silent for longer than it may be."""
    desk = Desk(house(timing=TIMING))
    desk.everything_on()
    t = 1000.0
    for length, apart in blips:
        for step in range(int(length / poll_s) + 1):
            assert desk.tick(t + step * poll_s, "down").actions == ()
        t += length
        if apart <= TIMING.max_gap_s["gateway"]:
            desk.tick(t + apart / 2, "up")
        t += apart
    assert desk.state.episodes == 0


def test_the_default_policy_confirms_four_seconds_and_settles_five_minutes():
    assert (Policy().timing.confirm_s, Policy().timing.settle_s) == (4.0, 300.0)
