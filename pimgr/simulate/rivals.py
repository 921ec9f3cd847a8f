"""What pimgr is compared with: nothing; its predecessors' way; tiers by charge only. And whose reserve they keep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from pimgr.api import replace
from pimgr.policy.aspects import HostPower, Level, Setting, Switch, Wish
from pimgr.policy.battery.settings import SitePolicy
from pimgr.policy.terms import Policy, Tier
from pimgr.simulate.devices import Charger, Device, Host
from pimgr.simulate.engine import Run
from pimgr.simulate.plant import Plant
from pimgr.units import Percent

CONFIRM_S = 600.0
"""The predecessor waited so long before it switched anything. Source: FIELD-NOTES, `confirmtime` of loadshed."""
THRESHOLDS = (50.0, 35.0, 20.0)
"""At which charges tiers by charge go off: the predecessor's three. Source: FIELD-NOTES, powermgr_v2."""
PLAIN = Percent(20.0)
"""The reserve of a house without a plan: what Tesla's app suggests."""

Settings = Sequence[tuple[float, Setting]]


@dataclass
class Nothing:
    """Nobody switches anything."""

    wake: float = math.inf

    def think(self, run: Run) -> None:
        """There is nothing to think about."""

    def grid_changes(self, run: Run) -> None:
        """Nobody looks."""


@dataclass
class AllOff:
    """Everything that may be shed goes off ten minutes after the grid, and comes on with it, whatever it was before."""

    policy: Policy
    wake: float = math.inf
    due: float | None = None
    off: bool = False
    parts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        loads = [part for tier in self.policy.tiers for part in tier.loads]
        self.parts = [part for part in dict.fromkeys(loads) if part not in self.policy.never_shed]

    def grid_changes(self, run: Run) -> None:
        """It looks when it thinks."""

    def think(self, run: Run) -> None:
        """Off when it is time, and the plugs have power to hear it; on when the grid is there."""
        plant, self.wake = run.plant, math.inf
        if plant.grid_up:
            if self.off:
                self._ask(plant, True)
            self.off, self.due = False, None
            return
        self.due = plant.t + CONFIRM_S if self.due is None else self.due
        if self.off:
            return
        if plant.t < self.due:
            self.wake = self.due
        elif not plant.dark:
            self.off = True
            self._ask(plant, False)

    def _ask(self, plant: Plant, on: bool) -> None:
        for part in self.parts:
            plant.obey(part, _wish(plant.devices[part], self.policy, on))


def _wish(device: Device, policy: Policy, on: bool) -> Wish:
    if isinstance(device, Host):
        return HostPower(on)
    if isinstance(device, Charger):
        return Level(device.usual if on else policy.parts[device.name].shed_to)
    return Switch(on)


def by_charge_only(policy: Policy) -> Policy:
    """The same loads in the same order, in three tiers that go off as the battery falls; nothing else is wanted."""
    loads = [part for tier in policy.tiers for part in tier.loads]
    share = math.ceil(len(loads) / len(THRESHOLDS)) or 1
    tiers = tuple(
        Tier(
            name=f"below {below:g} %",
            loads=tuple(loads[n * share : (n + 1) * share]),
            below=Percent(below),
            restore_above=Percent(below + 10.0),
        )
        for n, below in enumerate(THRESHOLDS)
    )
    site = SitePolicy()
    return replace(policy, tiers=tiers, site=site, tariff=None, climate=None)


def keep_reserve(run: Run, settings: Settings) -> None:
    """Let the battery be told what another policy told it, at the same times."""
    for t, value in settings:
        run.at(t, lambda value=value: run.plant.set_site(value))  # type: ignore[misc]
