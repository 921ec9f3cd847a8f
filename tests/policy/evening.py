"""A house that lives through an outage: loads with watts, a battery that they empty, and meters that see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pimgr.api import SiteReading, replace
from pimgr.policy.model import BatteryPolicy, Goal, PartPolicy, Policy, Switch, Tier, Timing
from pimgr.units import Percent, WattHours, Watts
from tests.policy.desk import Desk
from tests.policy.world import GATEWAY, switch

HOUR = 3600.0
NOTHING = Percent(0.0)
CAPACITY = 10_000.0
STEP_S = 10.0


def policy(*tiers: Tier, parts: Mapping[str, PartPolicy] | None = None, **more: object) -> Policy:
    """Each load of the tiers is a plain switch."""
    named = {part: switch() for tier in tiers for part in tier.loads}
    timing = Timing(confirm_s=0.0, settle_s=0.0, stagger_s=0.0, max_gap_s={GATEWAY: 15.0})
    return Policy(
        parts={**named, **(parts or {})},
        tiers=tiers,
        **{"timing": timing, "battery": BatteryPolicy(capacity=WattHours(CAPACITY)), **more},  # type: ignore[arg-type]
    )


def keeping(*loads: str, goal: Goal | None = None) -> Tier:
    return Tier(name="comfort", loads=loads, keep=goal or Goal(left=NOTHING))


class Evening:
    """`watts` of each load; `on`: the truth. A load obeys within a step, unless it is `deaf`. `sun`: W at a moment.

    In a `storm` the vendor has the battery keep all it has.
    """

    def __init__(self, of: Policy, watts: Mapping[str, float], *, charge: float = 80.0, base_w: float = 300.0) -> None:
        self.desk, self.watts, self.base_w, self.charge = Desk(of), dict(watts), base_w, charge
        self.on = dict.fromkeys(watts, True)
        self.metered, self.deaf = True, set[str]()
        self.sun: Callable[[float], float] = lambda _t: 0.0
        self.meters, self.grid, self.storm = True, "down", False
        self.steps: list[tuple[float, tuple[str, ...]]] = []
        """When, in s since the beginning, loads were switched off in one tick."""
        self.backs: list[tuple[float, str]] = []
        self.t0 = self.desk.t

    @property
    def load_w(self) -> float:
        return self.base_w + sum(w for part, w in self.watts.items() if self.on[part])

    @property
    def since(self) -> float:
        return self.desk.t - self.t0

    def step(self, seconds: float = STEP_S) -> None:
        desk = self.desk
        if self.grid == "down":
            net = self.load_w - self.sun(self.since)
            self.charge = min(100.0, max(0.0, self.charge - net * seconds / HOUR / CAPACITY * 100.0))
        desk.t += seconds
        for part, watts in self.watts.items():
            drawn = (watts if self.on[part] else 0.0) if self.metered else None
            desk.load(part, self.on[part], watts=drawn)
        if self.meters:
            desk.site = SiteReading(
                at=desk.instant(), source=GATEWAY, charge=Percent(self.charge), load_w=Watts(self.load_w),
                solar_w=Watts(self.sun(self.since)),
            )  # fmt: skip
            if self.storm:
                desk.site = replace(desk.site, storm=True, storm_watch=True, reserve=Percent(100.0))
        decision = desk.tick(grid=self.grid)
        off = tuple(a.part for a in decision.actions if a.value == Switch(False))
        if off:
            self.steps.append((self.since, off))
        for action in decision.actions:
            if action.part not in self.deaf and isinstance(action.value, Switch):
                self.backs += [(self.since, action.part)] if action.value.on else []
                self.on[action.part] = action.value.on

    def run(self, seconds: float) -> None:
        end = self.desk.t + seconds
        while self.desk.t < end - 1e-6:
            self.step(min(STEP_S, end - self.desk.t))

    def off(self) -> set[str]:
        return {part for part, on in self.on.items() if not on}
