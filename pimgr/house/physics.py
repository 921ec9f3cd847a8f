"""What the house does with its energy: loads, sun, battery and grid. Pure: no clock, no I/O.

Signs are those of `pimgr.api.SiteReading`: grid > 0 is import, battery > 0 discharge, load and solar >= 0, all in W.
The model is the smallest in which an outage means something:

* On grid the battery only charges, from what the sun leaves over; the grid carries the rest (a house kept for outages).
  A site's settings can change that: below `Demand.fill_wh` it charges from the grid too, at its power; above
  `Demand.floor_wh` it carries the load. The reserve is kept on grid only: an outage is what it was kept for.
* Islanded, the battery carries load minus sun. Surplus sun charges it within its power and room; the rest is lost.
* Islanded and empty, or asked for more than the battery's power, the house is dark until load or sun say otherwise.
"""

from __future__ import annotations

import math

from pimgr.api import Config, Frozen
from pimgr.units import Percent, WattHours, Watts

HOUR_S = 3600.0


class Battery(Config):
    """`capacity_wh`: what a full battery gives the house; `power_w`: its limit both ways."""

    capacity_wh: float = 13_500.0
    power_w: float = 5_000.0


class Demand(Frozen):
    """What the house asks for, and what the sun could give, in W; and what the settings ask of the battery on grid.

    `floor_wh`: it carries the load above this only, infinite for not at all. `fill_wh`: the grid charges it below this.
    """

    load_w: float
    sun_w: float
    connected: bool
    floor_wh: float = math.inf
    fill_wh: float = 0.0

    @property
    def kept_wh(self) -> float:
        """What the battery doesn't give on grid: what the grid would charge again at once is not given either."""
        return max(self.floor_wh, self.fill_wh)


class Flows(Frozen):
    """Power now, in W. `load_w` is what is served: nothing in a dark house. `solar_w` is what is used or exported."""

    grid_w: Watts
    battery_w: Watts
    solar_w: Watts
    load_w: Watts
    dark: bool = False


class Meters(Frozen):
    """Energy since the start, in Wh: what the meters of the gateway count."""

    imported_wh: float = 0.0
    exported_wh: float = 0.0
    charged_wh: float = 0.0
    discharged_wh: float = 0.0
    solar_wh: float = 0.0
    load_wh: float = 0.0


class Energy(Frozen):
    """The state of the site: what is in the battery, and what has flown."""

    stored_wh: WattHours
    meters: Meters = Meters()


def charge_of(stored_wh: float, battery: Battery) -> Percent:
    """State of energy as the vendor's app shows it."""
    return Percent(min(100.0, 100.0 * stored_wh / battery.capacity_wh))  # rounding can make it 100.00000000000001


def flows(stored_wh: float, battery: Battery, demand: Demand) -> Flows:
    """Where the power goes at this moment."""
    need_w = demand.load_w - demand.sun_w
    room = stored_wh < battery.capacity_wh
    charging_w = min(max(0.0, -need_w), battery.power_w) if room else 0.0
    if demand.connected:
        battery_w = _on_grid(stored_wh, battery, demand, charging_w)
        return Flows(Watts(need_w - battery_w), Watts(battery_w), Watts(demand.sun_w), Watts(demand.load_w))
    if need_w > battery.power_w or (need_w > 0 and stored_wh <= 0):
        return Flows(Watts(0.0), Watts(0.0), Watts(0.0), Watts(0.0), dark=True)
    if need_w > 0:
        return Flows(Watts(0.0), Watts(need_w), Watts(demand.sun_w), Watts(demand.load_w))
    return Flows(Watts(0.0), Watts(-charging_w), Watts(demand.load_w + charging_w), Watts(demand.load_w))


def _on_grid(stored_wh: float, battery: Battery, demand: Demand, charging_w: float) -> float:
    """What the battery gives (> 0) or takes while the grid is there, in W; `charging_w` is left over by the sun."""
    need_w = demand.load_w - demand.sun_w
    if stored_wh < min(demand.fill_wh, battery.capacity_wh):
        return -battery.power_w
    if need_w > 0.0 and stored_wh > demand.kept_wh:
        return min(need_w, battery.power_w)
    return -charging_w


def step(energy: Energy, battery: Battery, demand: Demand, elapsed_s: float) -> Energy:
    """The site `elapsed_s` house seconds later, with this demand all the time.

    Exact: the step is cut where the battery becomes empty or full or reaches its reserve, so that one long step equals
    many short ones.
    """
    while elapsed_s > 0.0:
        now = flows(energy.stored_wh, battery, demand)
        edge_wh = _edge(energy.stored_wh, battery, demand, now.battery_w)
        until_s = abs((energy.stored_wh - edge_wh) / now.battery_w) * HOUR_S if now.battery_w else math.inf
        span_s = min(elapsed_s, until_s)
        energy = _flown(energy, now, span_s)
        if span_s >= until_s:  # rounding must not leave a last crumb
            energy = Energy(WattHours(edge_wh), energy.meters)
        elapsed_s -= span_s
    return energy


def _edge(stored_wh: float, battery: Battery, demand: Demand, battery_w: float) -> float:
    """How full the battery is, in Wh, when it stops or goes on otherwise at this power."""
    if battery_w > 0.0:
        return demand.kept_wh if demand.connected else 0.0
    fill_wh = demand.fill_wh if demand.connected else 0.0
    return fill_wh if stored_wh < fill_wh < battery.capacity_wh else battery.capacity_wh


def _flown(energy: Energy, now: Flows, span_s: float) -> Energy:
    """The state after these flows lasted `span_s`."""
    hours = span_s / HOUR_S
    stored = energy.stored_wh - now.battery_w * hours
    was = energy.meters
    meters = Meters(
        imported_wh=was.imported_wh + max(0.0, now.grid_w) * hours,
        exported_wh=was.exported_wh + max(0.0, -now.grid_w) * hours,
        charged_wh=was.charged_wh + max(0.0, -now.battery_w) * hours,
        discharged_wh=was.discharged_wh + max(0.0, now.battery_w) * hours,
        solar_wh=was.solar_wh + now.solar_w * hours,
        load_wh=was.load_wh + now.load_w * hours,
    )
    return Energy(WattHours(stored), meters)
