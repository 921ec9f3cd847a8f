"""How long the battery lasts: from what is in it, what the house draws, and what the sun will give, where that is told.

left = prospect(state, inputs, policy, now)
if left is not None:
    lasts_s(left.supply, left.load_w)                       s, or None for ever
    lasts_s(left.supply, left.load_w - 1200)                without a load of 1200 W
    reduction_needed(left.supply, left.load_w, 8 * 3600)    W to do without
"""

from __future__ import annotations

from collections.abc import Iterator

from pimgr.api import Frozen, Now
from pimgr.policy.model import BatteryPolicy, Inputs, Policy, State
from pimgr.policy.shedding import charge, draw
from pimgr.units import WattHours, Watts

HOUR_S = 3600.0
PRECISION_W = 0.5


class Sun(Frozen):
    """`watts` from the sun until `until_s` seconds from now."""

    until_s: float
    watts: Watts


class Supply(Frozen, kw_only=True):
    """What there is to live on. `sun`: one step after the other; `later_w`: what it gives after the last of them.

    A full battery holds `capacity_wh`; what the sun gives beyond that is lost.
    """

    energy_wh: WattHours
    capacity_wh: WattHours
    sun: tuple[Sun, ...] = ()
    later_w: Watts = Watts(0.0)


class Prospect(Frozen):
    """What there is, and what the house draws of it. `measured`: not estimated while the meters are silent."""

    supply: Supply
    load_w: Watts
    measured: bool = True


def lasts_s(supply: Supply, load_w: float) -> float | None:
    """Seconds until the battery is empty at a steady load; None: never, since the sun carries the house."""
    energy, t = min(supply.energy_wh, supply.capacity_wh), 0.0
    for step in supply.sun:
        span_s, net_w = max(0.0, step.until_s - t), load_w - step.watts
        used = net_w * span_s / HOUR_S
        if used > 0.0 and used > energy:
            return t + energy / net_w * HOUR_S
        energy, t = WattHours(min(supply.capacity_wh, energy - used)), t + span_s
    net_w = load_w - supply.later_w
    return None if net_w <= 0.0 else t + energy / net_w * HOUR_S


def reaches(supply: Supply, load_w: float, for_s: float) -> bool:
    """Whether the battery lasts so long."""
    lasts = lasts_s(supply, load_w)
    return lasts is None or lasts >= for_s


def reduction_needed(supply: Supply, load_w: float, for_s: float) -> Watts:
    """How much less the house must draw so that the battery lasts `for_s`: 0 if it does, `load_w` if nothing helps."""
    if reaches(supply, load_w, for_s):
        return Watts(0.0)
    low, high = 0.0, max(0.0, load_w)
    while high - low > PRECISION_W:
        middle = (low + high) / 2.0
        low, high = (middle, high) if reaches(supply, middle, for_s) else (low, middle)
    return Watts(load_w - low)


def prospect(state: State, inputs: Inputs, policy: Policy, now: Now) -> Prospect | None:
    """What there is and what is drawn now; None while nobody knows, also for 20 s after each of pimgr's own changes.

    While an outage lasts without meters, the estimate of the charge goes on at no less than the assumed load, without
    the sun.
    """
    percent, estimated = charge.present(state, policy.battery, now)
    mark = state.memory.mark
    if percent is None or mark is None:
        return None
    energy = _energy(percent, inputs, policy.battery)
    if estimated:
        load = max(mark.net_load_w or 0.0, policy.battery.assumed_load)
        return Prospect(energy, Watts(load), measured=False)
    drawn = draw.settled(state, now, policy.battery.stale_after_s)
    return None if drawn is None else Prospect(supply(state, inputs, policy, now) or energy, drawn.load_w)


def supply(state: State, inputs: Inputs, policy: Policy, now: Now) -> Supply | None:
    """What there is now: the battery, and the sun as it is forecast.

    Without a forecast, or without its scale in the config, the sun that shines now fades evenly until sunset; where
    nobody knows when that is, it stays.
    """
    percent, _ = charge.present(state, policy.battery, now)
    if percent is None:
        return None
    energy = _energy(percent, inputs, policy.battery)
    wall, drawn = now.wall if now.wall_trusted else None, state.memory.draw
    known = drawn is not None and drawn.at.boot == now.boot and now.since(drawn.at) <= policy.battery.stale_after_s
    solar_w = drawn.solar_w if drawn is not None and known else Watts(0.0)
    if wall is None:
        return _with(energy, (), solar_w)
    forecast = tuple(_forecast(inputs, policy.battery, wall))
    if forecast:
        return _with(energy, forecast, Watts(0.0))
    sunset = inputs.calendar.next_sunset(wall) if inputs.calendar else None
    return (
        _with(energy, (), solar_w)
        if sunset is None
        else _with(energy, tuple(_fading(solar_w, sunset - wall)), Watts(0.0))
    )


def _energy(percent: float, inputs: Inputs, battery: BatteryPolicy) -> Supply:
    told = inputs.site.capacity_wh if inputs.site else None
    capacity = battery.capacity if told is None else told
    return Supply(energy_wh=WattHours(capacity * percent / 100.0), capacity_wh=capacity)


def _with(energy: Supply, sun: tuple[Sun, ...], later_w: Watts) -> Supply:
    return Supply(energy_wh=energy.energy_wh, capacity_wh=energy.capacity_wh, sun=sun, later_w=later_w)


def _forecast(inputs: Inputs, battery: BatteryPolicy, wall: float) -> Iterator[Sun]:
    """The hours to come. Between them, where some are missing, and after the last there is no sun."""
    scale = battery.solar_w_per_w_m2
    if scale is None or inputs.forecast is None:
        return
    end = 0.0
    for hour in inputs.forecast.hours:
        start, until = hour.start - wall, hour.start - wall + HOUR_S
        if until <= end:
            continue
        if start > end:
            yield Sun(start, Watts(0.0))
        end = until
        yield Sun(until, Watts(max(0.0, hour.solar_w_m2) * scale))


def _fading(solar_w: Watts, left_s: float) -> Iterator[Sun]:
    """From what it gives now evenly to nothing, in steps of an hour."""
    start = 0.0
    while solar_w > 0.0 and start < left_s:
        end = min(left_s, start + HOUR_S)
        yield Sun(end, Watts(solar_w * (1.0 - (start + end) / 2.0 / left_s)))
        start = end
