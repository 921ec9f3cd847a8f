"""What the meters counted since the last report, and whether too much is bought in a peak."""

from __future__ import annotations

from collections.abc import Mapping

from pimgr.api import Instant, Severity, SiteReading, replace
from pimgr.policy import said
from pimgr.policy.battery.settings import MAX_GAP_S, Span
from pimgr.policy.calendar import Window
from pimgr.policy.model import State
from pimgr.policy.news import mails, when
from pimgr.policy.news.report_words import Counted, Flow, Tally
from pimgr.policy.turn import Turn, from_the_future, measured_after
from pimgr.units import Percent, WattHours, Watts

SAVE_S = 900.0
"""So often a copy is written down for its own sake: what a crash loses is no longer than a gap that is bridged."""
SUSTAINED_S = 60.0
"""A kettle's worth of buying is no news."""


def count(turn: Turn, state: State) -> State:
    """Add what flowed between the last two readings (their mean), where the day is to be reported at all."""
    site = turn.inputs.site
    if not turn.policy.reports.daily or site is None or from_the_future(site.at, turn.now):
        return state
    tally = state.memory.metering.tally
    if tally.last is not None and not measured_after(site.at, tally.last, turn.now):
        return state
    state = _with(state, _added(tally, site.at, _powers(turn, site)))
    saved = state.reports.metered
    if saved is not None and saved.boot == turn.now.boot and turn.now.since(saved) < SAVE_S:
        return state
    return replace(state, reports=replace(state.reports, metered=turn.now.instant))


def anew(turn: Turn, state: State) -> State:
    """Begin to count anew, since what was counted is told."""
    tally = state.memory.metering.tally
    return _with(state, Tally(since=turn.now.instant, last=tally.last, powers=tally.powers))


def _with(state: State, tally: Tally) -> State:
    metering = replace(state.memory.metering, tally=tally)
    return replace(state, memory=replace(state.memory, metering=metering))


def _added(tally: Tally, at: Instant, powers: Mapping[Flow, Watts]) -> Tally:
    for_s = at.since(tally.last) if tally.last is not None else 0.0
    if tally.last is None or for_s > MAX_GAP_S:
        return replace(tally, since=tally.since or at, last=at, powers=powers)
    flows = dict(tally.flows)
    for flow, power in powers.items():
        if flow not in tally.powers:
            continue
        counted = flows.get(flow, Counted())
        energy = (tally.powers[flow] + power) / 2.0 * for_s / 3600.0
        flows[flow] = Counted(WattHours(counted.wh + energy), counted.for_s + for_s)
    return replace(tally, last=at, powers=powers, flows=flows, counted_s=tally.counted_s + for_s)


def _powers(turn: Turn, site: SiteReading) -> dict[Flow, Watts]:
    """What flows by this reading; what the meter doesn't tell is left out."""
    grid, battery, calendar = site.grid_w, site.battery_w, turn.inputs.calendar
    told = {
        Flow.USED: site.load_w,
        Flow.SUN: site.solar_w,
        Flow.BOUGHT: None if grid is None else max(0.0, grid),
        Flow.SOLD: None if grid is None else max(0.0, -grid),
        Flow.STORED: None if battery is None else max(0.0, -battery),
        Flow.DRAWN: None if battery is None else max(0.0, battery),
    }
    if grid is not None and calendar is not None and any(window.peak for window in calendar.windows):
        told[Flow.PEAK] = max(0.0, grid) if peak(turn) else 0.0
    return {flow: Watts(power) for flow, power in told.items() if power is not None}


def peak(turn: Turn) -> Window | None:
    """The peak that goes on by the tariff's own times, in which a kWh is dear; None also while nobody knows."""
    wall, calendar = turn.wall(), turn.inputs.calendar
    if wall is None or calendar is None:
        return None
    return next((w for w in calendar.windows if w.peak and w.begins <= wall < w.ends), None)


def buying(turn: Turn, state: State, charge: Percent | None) -> State:
    """Tell once in each peak that more is bought than the config likes, for a minute and longer."""
    window, metering = peak(turn), state.memory.metering
    span = _span(turn, metering.buying, window) if window is not None else None
    if span != metering.buying:
        state = replace(state, memory=replace(state.memory, metering=replace(metering, buying=span)))
    if window is None or span is None or state.reports.peak_told == window.id:
        return state
    if span.last.since(span.since) < SUSTAINED_S:
        return state
    _tell(turn, window, span, charge)
    return replace(state, reports=replace(state.reports, peak_told=window.id))


def _span(turn: Turn, span: Span | None, window: Window) -> Span | None:
    """From the first to the last reading in a row, in this peak, by which too much is bought."""
    site = turn.inputs.site
    if site is None or site.grid_w is None or from_the_future(site.at, turn.now) or site.at.boot != turn.now.boot:
        return span
    measured = when.wall_of(site.at, turn.now)
    if site.grid_w <= turn.policy.reports.import_w or measured is None or measured < window.begins:
        return None
    began = when.wall_of(span.since, turn.now) if span is not None else None
    if span is None or not span.goes_on(site.at) or began is None or began < window.begins:
        return Span(site.at, site.at)
    return span if span.last == site.at else Span(span.since, site.at)


def _tell(turn: Turn, window: Window, span: Span, charge: Percent | None) -> None:
    site = turn.inputs.site
    if site is None or site.grid_w is None:
        return
    power = said.watts(site.grid_w)
    turn.tell(f"{power} is bought in the peak", what="peak")
    turn.mail(
        f"peak-{window.id}",
        Severity.WARNING,
        f"Buying {power} in the peak",
        mails.letter(
            [
                f"The house buys {power} from the grid{when.told(turn, ' since ', span.since)}, "
                f"and it is peak until {when.clock(turn, window.ends)}.",
                _why(site, charge),
            ],
            [mails.drawing(turn), "What you can do: put off what can wait. This is told once in each peak."],
        ),
    )


def _why(site: SiteReading, charge: Percent | None) -> str:
    """Why the battery doesn't carry it."""
    if charge is not None and site.reserve is not None and charge <= site.reserve + 1.0:
        return f"The battery is at {charge:.0f} % and gives no more: its reserve is {site.reserve:.0f} %."
    at = "" if charge is None else f" at {charge:.0f} %, and"
    if site.battery_w is None or site.load_w is None:
        return f"The battery is{at} not enough for it." if at else ""
    gives = f"gives {said.watts(max(0.0, site.battery_w))}, and the house uses {said.watts(site.load_w)}."
    return f"The battery is{at} {gives}" if at else f"The battery {gives}"


def lines(turn: Turn, tally: Tally) -> list[str]:
    """The energies, a line each; what no meter told of is left out."""
    words = {
        Flow.USED: "Used in the house",
        Flow.SUN: "From the sun",
        Flow.BOUGHT: "Bought from the grid",
        Flow.SOLD: "Sold to the grid",
        Flow.STORED: "Into the battery",
        Flow.DRAWN: "Out of the battery",
    }
    told = [
        f"  {words[flow]:<21}{said.kwh(tally.flows[flow].wh):>9}{_of_it(tally, flow)}"
        for flow in words
        if flow in tally.flows
    ]
    elapsed_s = turn.now.since(tally.since) if tally.since is not None else 0.0
    silent_s = elapsed_s - tally.counted_s
    if silent_s > MAX_GAP_S:
        told.append(f"  The meters were silent for {silent_s / 3600.0:.1f} h of it, and nothing is counted for that.")
    return told


def _of_it(tally: Tally, flow: Flow) -> str:
    peak, counted = tally.flows.get(Flow.PEAK), tally.flows[flow]
    dear = f", of it {said.kwh(peak.wh)} in peaks" if flow is Flow.BOUGHT and peak is not None else ""
    missing_s = tally.counted_s - counted.for_s
    return dear + (f" (not told for {missing_s / 3600.0:.1f} h)" if missing_s > MAX_GAP_S else "")
