"""Small houses for these tests, and short ways to live in them."""

from __future__ import annotations

from pimgr import plugins as plugin_loading
from pimgr.config import HouseConfig, parse
from pimgr.simulate import types
from pimgr.simulate.scenario import Planned, Scenario
from pimgr.simulate.weather import Climate

PLUGINS = plugin_loading.load({types.NAME}, {types.NAME: types})

SMALL = """version = 1
[connections.gateway]
type = "sim.gateway"
solar_w = {solar}
base_w = 500.0
power_w = 5000.0
[connections.fridge]
type = "sim.plug"
watts = 200.0
[connections.pump]
type = "sim.plug"
watts = 1000.0
[connections.lamp]
type = "sim.plug"
watts = 100.0
[connections.nas]
type = "sim.host"
watts = 50.0
[connections.car]
type = "sim.charger"
amps = 10.0
use = "always"
[connections.hall]
type = "sim.thermostat"
watts = 2000.0
[grid]
sources = ["gateway"]
[battery]
capacity = "10 kWh"
reserve = 80
[protect]
never_shed = ["fridge"]
[[tiers]]
name = "big"
at_once = true
loads = ["pump", "car"]
[[tiers]]
name = "low"
below = 50
loads = ["lamp", "nas"]
"""


def small(solar: float = 0.0) -> HouseConfig:
    return parse(SMALL.format(solar=solar), "small", PLUGINS)


def evening(for_s: float, days: int = 2, at: str = "2026-05-02T18:00") -> Scenario:
    """One planned outage and no other, in mild weather."""
    mild = Climate(mean=21.0, season=0.0, winter_swing=0.0, summer_swing=0.0, residual=0.1)
    return Scenario(start="2026-05-02", days=days, often=0.0, planned=(Planned(at, for_s),), climate=mild)
