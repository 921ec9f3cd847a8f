"""Which tiers are in force: any of a tier's conditions puts it in force, and it stays until none holds any more.

Each condition has its own hysteresis, and what isn't known changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from pimgr.api import Now, replace
from pimgr.policy.model import Phase, State, Tier
from pimgr.policy.shedding.allowance import LOW, Budget
from pimgr.policy.shedding.runtime import Prospect, lasts_s, prospect
from pimgr.policy.turn import Turn, surely_since
from pimgr.units import Percent

RESTORE_MARGIN = Percent(10.0)
"""A tier by charge is given back this many points above its threshold, where the config doesn't say."""
RESTORE_RUNTIME = 1.5
"""And one by runtime at so many times its threshold."""
LOOK_S = 60.0
"""How long the battery lasts is judged at least so often, though nothing new is told."""


def restore_above(tier: Tier, below: Percent) -> Percent:
    """The charge at which a tier by charge is given back while the outage lasts."""
    return tier.restore_above if tier.restore_above is not None else Percent(below + RESTORE_MARGIN)


def restore_runtime_s(tier: Tier, below_s: float) -> float:
    """How long the battery must last again, with its loads on, that a tier by runtime is given back."""
    return tier.restore_runtime_s if tier.restore_runtime_s is not None else RESTORE_RUNTIME * below_s


def age_s(state: State, now: Now) -> float:
    """How long the outage has surely lasted, in s. It goes on through restarts of the box as far as clocks can tell."""
    if state.outage_since is None:
        return 0.0
    sure = surely_since(state.outage_since, now)
    if state.outage_since.boot == now.boot or state.budget.began is None or not now.wall_trusted:
        return sure
    return max(sure, now.wall - state.budget.began)


def latch(turn: Turn, state: State, charge: Percent | None) -> State:
    """The tiers in force. Outside an outage none is, and while the grid returns none begins."""
    if state.phase not in (Phase.OUTAGE, Phase.SETTLING):
        return state if not state.tiers and state.budget == Budget() else replace(state, tiers=(), budget=Budget())
    state = _of_this_outage(turn, state)
    tiers = turn.policy.tiers
    if state.phase is Phase.SETTLING:
        active = tuple(t.name for t in tiers if t.name in state.tiers or _begins_at_once(t, state.budget))
        return state if active == state.tiers else replace(state, tiers=active)
    by_runtime = any(tier.below_runtime_s is not None for tier in tiers)
    if by_runtime:
        turn.wake_in(LOOK_S)
    left = prospect(state, turn.inputs, turn.policy, turn.now) if by_runtime else None
    standing = _Standing(turn, state, charge, left)
    budget = standing.refill(tiers)
    standing = _Standing(turn, replace(state, budget=budget), charge, left)
    active = tuple(tier.name for tier in tiers if standing.in_force(tier))
    return state if (active, budget) == (state.tiers, state.budget) else replace(state, tiers=active, budget=budget)


def _of_this_outage(turn: Turn, state: State) -> State:
    """What an earlier outage left is over; and the wall clock's word on when this one began is kept, if it is good."""
    if state.budget.episode not in ("", state.episode):
        state = replace(state, tiers=(), budget=Budget())
    budget, since, now = replace(state.budget, episode=state.episode), state.outage_since, turn.now
    if budget.began is None and since is not None and since.boot == now.boot and now.wall_trusted:
        budget = replace(budget, began=now.wall - now.since(since))
    return state if budget == state.budget else replace(state, budget=budget)


def _begins_at_once(tier: Tier, budget: Budget) -> bool:
    unconditional = tier.after_s is None and tier.below is None and tier.below_runtime_s is None
    return unconditional and tier.name not in budget.refilled


def _is_by_charge_alone(tier: Tier) -> bool:
    return tier.below is not None and tier.after_s is None and tier.below_runtime_s is None


@dataclass(frozen=True)
class _Standing:
    """How the house stands in this tick of an outage."""

    turn: Turn
    state: State
    charge: Percent | None
    left: Prospect | None

    def in_force(self, tier: Tier) -> bool:
        already = tier.name in self.state.tiers
        conditions = (self._by_time(tier), self._by_charge(tier, already), self._by_runtime(tier, already))
        return any(conditions)

    def _by_time(self, tier: Tier) -> bool:
        """At once, or the outage is old enough, and the sun hasn't filled the battery since."""
        if tier.name in self.state.budget.refilled:
            return False
        return _begins_at_once(tier, self.state.budget) or self._is_old_enough(tier)

    def _is_old_enough(self, tier: Tier) -> bool:
        if tier.after_s is None:
            return False
        left_s = tier.after_s - age_s(self.state, self.turn.now)
        if left_s > 0.0:
            self.turn.wake_in(left_s)
        return left_s <= 0.0

    def _by_charge(self, tier: Tier, already: bool) -> bool:
        if tier.below is None:
            return False
        if self.charge is None:
            return already
        return self.charge < (restore_above(tier, tier.below) if already else tier.below)

    def _by_runtime(self, tier: Tier, already: bool) -> bool:
        """It comes back only if the battery lasts long enough with its loads on, as far as they were measured."""
        if tier.below_runtime_s is None or tier.name in self.state.budget.refilled:
            return False
        if self.left is None:
            return already
        if not already:
            lasts = lasts_s(self.left.supply, self.left.load_w)
            return lasts is not None and lasts < tier.below_runtime_s
        drew = [claim.watts for claim in self.state.claims if claim.rule == tier.name]
        if not self.left.measured or None in drew:
            return True
        lasts = lasts_s(self.left.supply, self.left.load_w + sum(w for w in drew if w is not None))
        return lasts is not None and lasts < restore_runtime_s(tier, tier.below_runtime_s)

    def refill(self, tiers: tuple[Tier, ...]) -> Budget:
        """Which tiers have seen the battery used, and which were given back because it was filled again since."""
        budget = self.state.budget
        if self.charge is None:
            return budget
        for tier in tiers:
            if tier.restore_above is None or _is_by_charge_alone(tier):
                continue
            used, lower = budget.sunk, tier.below
            lower = Percent(tier.restore_above - RESTORE_MARGIN) if lower is None else lower
            if tier.name in budget.refilled:
                if self.charge < lower:
                    budget = replace(budget, refilled=_less(budget.refilled, tier), sunk=(*used, tier.name))
            elif tier.name in used and self.charge >= tier.restore_above:
                budget = replace(budget, sunk=_less(used, tier), refilled=(*budget.refilled, tier.name))
            elif tier.name in self.state.tiers and tier.name not in used and self.charge < tier.restore_above - LOW:
                budget = replace(budget, sunk=(*used, tier.name))
        return budget


def _less(names: tuple[str, ...], tier: Tier) -> tuple[str, ...]:
    return tuple(name for name in names if name != tier.name)
