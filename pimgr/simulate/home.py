"""The simulated house as its config describes it: what stands in it, and what the sun and the battery can do."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from pimgr import plugins as plugin_loading
from pimgr.api import Capability, Frozen, replace
from pimgr.config import HouseConfig, load, parse
from pimgr.config.fields import YIELD
from pimgr.policy.aspects import Aspect
from pimgr.policy.terms import PartPolicy, Policy
from pimgr.simulate import types
from pimgr.simulate.uses import USES

USUAL_W = {Aspect.SWITCH: 80.0, Aspect.HOST_POWER: 60.0, Aspect.LEVEL: 7_680.0}
"""What a part draws where neither the config nor the scenario says, in W."""
USUAL_USE = {Aspect.SWITCH: "evening", Aspect.HOST_POWER: "always", Aspect.LEVEL: "car"}


class Appliance(Frozen, kw_only=True):
    """One part that can be switched: `watts` at full power, `use` by `pimgr.simulate.uses`; `assumed`: nobody told."""

    part: str
    aspect: Aspect
    watts: float
    use: str
    amps: float = 32.0
    shutdown_s: float = 25.0
    boot_s: float = 60.0
    assumed: bool = False


class Home(Frozen, kw_only=True):
    """Everything about the house that its policy doesn't know. W and C."""

    gateway: str
    appliances: tuple[Appliance, ...]
    thermostats: Mapping[str, types.Thermostat]
    site: types.Gateway
    forecast: bool = False
    notes: tuple[str, ...] = ()
    """What had to be assumed, for the reader of a scorecard."""


def default() -> HouseConfig:
    """The house that comes with pimgr: thirty devices, two batteries, sun on the roof."""
    text = resources.files(__package__).joinpath("house.toml").read_text(encoding="utf-8")
    return parse(text, "the house of pimgr simulate", plugin_loading.load({types.NAME}, {types.NAME: types}))


def read(path: Path) -> HouseConfig:
    """The config of a house, with simulated devices among its own. Raises ConfigErrors."""
    return load(path, plugin_loading.load(extra={types.NAME: types}))


def loads(house: HouseConfig) -> list[str]:
    """The parts that can be switched or graded."""
    return [part for part, policy in house.policy.parts.items() if policy.aspect in USUAL_W]


def of(house: HouseConfig) -> Home:
    """What stands in a house, as far as its config tells; the rest is assumed, and said."""
    mine = {c.id: c for c in house.connections}
    gateway = house.grid_sources[0]
    appliances = []
    for part in loads(house):
        policy = house.policy.parts[part]
        table = mine[part.partition("/")[0]].table if mine[part.partition("/")[0]].type.startswith("sim.") else {}
        unknown = not table and policy.watts is None
        appliances.append(replace(_appliance(part, policy, table), assumed=unknown))
    assumed = [each.part for each in appliances if each.assumed]
    return Home(
        gateway=gateway,
        appliances=tuple(appliances),
        thermostats={c: _thermostat(house, c) for c in _able(house, Capability.THERMOSTAT)},
        site=_site(house, gateway),
        forecast=bool(_able(house, Capability.FORECAST)),
        notes=(f"watts and habits are assumed for: {', '.join(assumed)}",) if assumed else (),
    )


def _able(house: HouseConfig, capability: Capability) -> list[str]:
    return [part for c in house.connections for part, can in c.parts.items() if capability in can]


def _table(house: HouseConfig, part: str, kind: str) -> dict[str, Any]:
    connection = next(c for c in house.connections if c.id == part.partition("/")[0])
    return connection.table if connection.type == kind else {}


def _site(house: HouseConfig, gateway: str) -> types.Gateway:
    """As the table of a simulated gateway has it; of a real one's house, the config tells the panels."""
    table, scale = _table(house, gateway, "sim.gateway"), house.policy.battery.solar_w_per_w_m2
    site = msgspec.convert(table, types.Gateway)
    return site if scale is None or "solar_w" in table else replace(site, solar_w=scale / YIELD)


def _thermostat(house: HouseConfig, part: str) -> types.Thermostat:
    return msgspec.convert(_table(house, part, "sim.thermostat"), types.Thermostat)


def _appliance(part: str, policy: PartPolicy, table: Mapping[str, Any]) -> Appliance:
    aspect, watts = policy.aspect, policy.watts
    use = table.get("use", USUAL_USE[aspect])
    if aspect is Aspect.LEVEL:
        usual = types.Charger()
        amps = float(table.get("amps", usual.amps))
        per_amp = float(table.get("volts", usual.volts)) if watts is None else watts / amps
        return Appliance(part=part, aspect=aspect, watts=amps * per_amp, use=use, amps=amps)
    host = types.Host()
    return Appliance(
        part=part,
        aspect=aspect,
        watts=float(table.get("watts", USUAL_W[aspect] if watts is None else watts)),
        use=use if use in USES else "always",
        shutdown_s=float(table.get("shutdown_s", host.shutdown_s)),
        boot_s=float(table.get("boot_s", host.boot_s)),
    )


def tier_of(policy: Policy) -> dict[str, str]:
    """By part, the tier that would take it."""
    return {part: tier.name for tier in policy.tiers for part in tier.loads if part not in policy.never_shed}
