"""The charge to decide by: measured while the meters answer, estimated downwards while an outage lasts without them."""

from __future__ import annotations

from pimgr.api import Instant, Now, SiteReading, replace
from pimgr.policy.model import BatteryPolicy, ChargeMark, Phase, State
from pimgr.policy.turn import from_the_future, measured_after, surely_since
from pimgr.units import Percent, Watts

SMOOTHING_S = 300.0
"""Time constant of the smoothed net load: a kettle doesn't change the forecast, an oven does."""
STEP = Percent(1.0)


def remember(state: State, site: SiteReading | None, now: Now) -> State:
    """Keep a new charge and the smoothed net load (load minus solar, W). A reading without a charge changes nothing."""
    mark = state.memory.mark
    if site is None or site.charge is None or from_the_future(site.at, now):
        return state
    if mark is not None and not _newer(site.at, mark.at, now):
        return state
    smoothed, trusted = _smooth(mark, site), now.wall_trusted and site.at.boot == now.boot
    memory = replace(state.memory, mark=ChargeMark(site.charge, site.at, smoothed, trusted))
    return replace(state, memory=memory, estimate=None)


def _newer(at: Instant, mark: Instant, now: Now) -> bool:
    """A reading remembered from an earlier boot may also be newer than the mark of that boot."""
    return measured_after(at, mark, now) or (at.boot == mark.boot and at.mono_s > mark.mono_s)


def _smooth(mark: ChargeMark | None, site: SiteReading) -> Watts | None:
    if site.load_w is None:
        return mark.net_load_w if mark else None
    net = site.load_w - (site.solar_w or 0.0)
    if mark is None or mark.net_load_w is None:
        return Watts(net)
    share = min(1.0, site.at.since(mark.at) / SMOOTHING_S)
    return Watts(mark.net_load_w + share * (net - mark.net_load_w))


def present(state: State, battery: BatteryPolicy, now: Now) -> tuple[Percent | None, bool]:
    """The charge now, and whether it is an estimate. None: never measured, or too old outside an outage.

    Estimate: last charge - time on battery x max(smoothed net load, assumed load) / capacity, without the sun.
    After a restart of the box the elapsed time is what surely went by: a clock yet to be set empties no battery.
    """
    mark = state.memory.mark
    if mark is None:
        return None, False
    if mark.at.boot == now.boot and now.since(mark.at) <= battery.stale_after_s:
        return mark.charge, False
    if state.phase is not Phase.OUTAGE:
        return None, False
    marks = (mark,) if state.estimate is None else (mark, state.estimate)
    return min(_left(m, _on_battery_s(m, state.outage_since, now), battery) for m in marks), True


def _on_battery_s(mark: ChargeMark, outage_since: Instant | None, now: Now) -> float:
    """Seconds since the mark in which the battery carried the house: before the outage, the grid did."""
    elapsed_s = surely_since(mark.at, now)
    if now.wall_trusted and mark.wall_trusted:
        elapsed_s = max(elapsed_s, now.since(mark.at))
    if outage_since is None or outage_since.boot != mark.at.boot:
        return elapsed_s
    on_grid_s = outage_since.since(mark.at)
    return min(elapsed_s, max(surely_since(outage_since, now), elapsed_s - on_grid_s)) if on_grid_s else elapsed_s


def _left(mark: ChargeMark, elapsed_s: float, battery: BatteryPolicy) -> Percent:
    load = max(mark.net_load_w or 0.0, battery.assumed_load)
    return Percent(max(0.0, mark.charge - elapsed_s / 3600.0 * load / battery.capacity * 100.0))


def note(state: State, percent: Percent | None, estimated: bool, now: Now) -> State:
    """Write the estimate down at every point that it falls, so that it goes on falling from there after a restart."""
    mark, last = state.memory.mark, state.estimate
    if mark is None or percent is None or not estimated:
        return state
    if last is not None and last.charge - percent < STEP:
        return state
    return replace(state, estimate=ChargeMark(percent, now.instant, mark.net_load_w, now.wall_trusted))
