"""When is it an outage, and when is it over: continuous evidence, counted between agreeing readings only.

`suspect -> outage` after `confirm_s` of continuous down, `settling -> normal` after `settle_s` of continuous up.
Unknown adds nothing, a silence longer than the source's `max_gap_s` starts the count again, and readings measured
before the one that last moved the phase don't count. Not knowing keeps the phase.
"""

from __future__ import annotations

from pimgr.api import Frozen, Grid, GridReading, Instant, Now, replace
from pimgr.policy.model import Count, Phase, Policy, State, Timing
from pimgr.policy.turn import from_the_future, measured_after

DEFAULT_MAX_GAP_S = 6.0
"""For a source of which the config says nothing: three polls of 2 s. Source: DESIGN, "Phases"."""
GRID_LOST_S = 60.0
"""After this long without a word, or the longest silence that its source may keep, nobody knows the grid."""


class Move(Frozen):
    """The phase changed, because of a reading."""

    old: Phase
    new: Phase
    reading: GridReading


def evidence(readings: tuple[GridReading, ...], policy: Policy) -> tuple[GridReading, ...]:
    """What readings say of the grid. Where going off-grid on purpose is to be ignored, it says neither down nor up."""
    if not policy.ignore_intentional:
        return readings
    return tuple(replace(r, grid=Grid.UNKNOWN) if r.intentional and r.grid is Grid.DOWN else r for r in readings)


def advance(
    state: State, readings: tuple[GridReading, ...], timing: Timing, now: Now
) -> tuple[State, tuple[Move, ...]]:
    """The state after these readings, taken in the order in which they were measured, and the moves they made."""
    moves: list[Move] = []
    for reading in sorted(readings, key=lambda r: r.at.mono_s):
        if not _counts(state, reading, now):
            continue
        old = state.phase
        state = _step(state, reading, timing)
        if state.phase is not old:
            moves.append(Move(old, state.phase, reading))
    return state, tuple(moves)


def _counts(state: State, reading: GridReading, now: Now) -> bool:
    """Measured in this boot, not in the future (that would shut the door on all that follow), and news."""
    marks = (state.moved_at, state.memory.grid_at)
    if from_the_future(reading.at, now):
        return False
    return reading.at.boot == now.boot and all(m is None or measured_after(reading.at, m, now) for m in marks)


def _step(state: State, reading: GridReading, timing: Timing) -> State:
    memory = replace(state.memory, grid=reading.grid, grid_at=reading.at, grid_raw=reading.raw)
    if reading.grid is Grid.UNKNOWN:
        unlinked = memory.count and replace(memory.count, linked=False)
        return replace(state, memory=replace(memory, count=unlinked))
    state = replace(state, memory=memory)
    if state.phase in (Phase.NORMAL, Phase.SUSPECT):
        if reading.grid is Grid.UP:
            return _move(state, Phase.NORMAL, reading.at)
        state, total = _add(_move(state, Phase.SUSPECT, reading.at), reading, timing)
        return _begin_outage(state, reading.at) if total >= timing.confirm_s else state
    if reading.grid is Grid.DOWN:
        return _move(state, Phase.OUTAGE, reading.at)
    state, total = _add(_move(state, Phase.SETTLING, reading.at), reading, timing)
    return _move(state, Phase.NORMAL, reading.at) if total >= timing.settle_s else state


def _move(state: State, phase: Phase, at: Instant) -> State:
    """Into `phase`; the count of the old one is over. Staying is no move."""
    if state.phase is phase:
        return state
    return replace(state, phase=phase, moved_at=at, memory=replace(state.memory, count=None))


def _begin_outage(state: State, at: Instant) -> State:
    return replace(_move(state, Phase.OUTAGE, at), episodes=state.episodes + 1, outage_since=at)


def _add(state: State, reading: GridReading, timing: Timing) -> tuple[State, float]:
    """Count this reading: the time since the last agreeing one, if nothing came between and the gap is small enough.

    Between two sources the smaller of their gaps holds: what a cloud may leave out, the gateway beside it may not.
    """
    count, total = state.memory.count, 0.0
    if count is not None and count.grid is reading.grid and count.last.boot == reading.at.boot:
        gap = reading.at.mono_s - count.last.mono_s
        if gap <= min(_max_gap(count.source, timing), _max_gap(reading.source, timing)):
            total = count.total_s + (gap if count.linked else 0.0)
    count = Count(reading.grid, total, reading.at, source=reading.source)
    return replace(state, memory=replace(state.memory, count=count)), total


def _max_gap(source: str, timing: Timing) -> float:
    return timing.max_gap_s.get(source, DEFAULT_MAX_GAP_S)


def grid_is_seen(state: State, timing: Timing, now: Now) -> bool:
    """Whether a source said lately that the grid is there."""
    memory = state.memory
    if memory.grid is not Grid.UP or memory.grid_at is None or memory.grid_at.boot != now.boot:
        return False
    return now.since(memory.grid_at) <= max(GRID_LOST_S, *timing.max_gap_s.values(), 0.0)
