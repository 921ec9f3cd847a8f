"""`[battery]`: what is in it, which meters tell of it and for how long, and what is wanted of it at all times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pimgr import rates
from pimgr.api import Capability, DeviceType
from pimgr.config.fields import SOLAR, WATT_HOURS, WATTS, Table, duration
from pimgr.config.parts import METER, Parts
from pimgr.config.site import SiteTargets
from pimgr.policy.battery.settings import SitePolicy
from pimgr.policy.model import BatteryPolicy
from pimgr.units import WattHours, Watts

CLOUD_GAP_S = 900.0
"""Readings of a cloud count as continuous up to here. Source: DESIGN, phases."""


@dataclass(frozen=True, kw_only=True)
class Battery:
    """`meters`: best first; `fresh_s`: by meter, how long a reading of it stands for the present."""

    policy: BatteryPolicy
    meters: tuple[str, ...]
    fresh_s: Mapping[str, float]
    poll_s: float
    site: SitePolicy


class BatteryTable:
    """Reads `[battery]`. `type_of`: a part's device type; `sources`: of the grid, whose order meters are in."""

    def __init__(
        self, top: Table, parts: Parts, type_of: Callable[[str], DeviceType[Any]], sources: tuple[str, ...]
    ) -> None:
        self.table, self.parts, self.type_of, self.sources = top.table("battery"), parts, type_of, sources

    def read(self) -> Battery:
        """With what it is usually like where the config says nothing."""
        table, usual = self.table, BatteryPolicy()
        capacity = table.get("capacity", WATT_HOURS, usual.capacity)
        load = table.get("assumed_load", WATTS, usual.assumed_load)
        solar = table.get("solar", SOLAR, None)
        poll_s = table.get("poll", duration(0.5, 600.0, "10s"), 10.0)
        meters = self._meters()
        site = SiteTargets(table, self.parts, lambda part: self.type_of(part).cloud).read()
        table.close()
        stale_s = max([usual.stale_after_s, *(3.0 * self._poll_s(meter, poll_s) for meter in meters[:1])])
        policy = BatteryPolicy(
            capacity=WattHours(capacity), assumed_load=Watts(load), stale_after_s=stale_s, solar_w_per_w_m2=solar
        )
        fresh_s = {meter: self._fresh_s(meter, poll_s) for meter in meters}
        return Battery(policy=policy, meters=meters, fresh_s=fresh_s, poll_s=poll_s, site=site)

    def _meters(self) -> tuple[str, ...]:
        """Those that are named, else all, grid sources before others."""
        named = self.parts.several(self.table, "meters", METER)
        if named is not None:
            return named
        places = {source: place for place, source in enumerate(self.sources)}
        return tuple(sorted(self.parts.all(METER), key=lambda part: places.get(part, len(places))))

    def _fresh_s(self, meter: str, poll_s: float) -> float:
        if self.type_of(meter).cloud:
            return CLOUD_GAP_S
        return max(BatteryPolicy().stale_after_s, 3.0 * self._poll_s(meter, poll_s))

    def _poll_s(self, meter: str, poll_s: float) -> float:
        """How often a meter is read: its device type may know better than the config."""
        kind = self.type_of(meter)
        wanted = {} if kind.cloud else {Capability.SITE_METER: poll_s}
        return rates.poll_s(Capability.SITE_METER, {**wanted, **kind.poll_s}, kind.cloud)
