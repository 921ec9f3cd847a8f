"""Budget shedding: the fewest loads go off that make the battery last, and come back as soon as they aren't needed.

Each tier with a goal is judged whenever its figures are good: fresh meters, and nothing that pimgr changed still under
way. Too little: the fewest of its loads whose watts close the gap go off (`fewest`), at most a few in a step, a step a
minute. Enough, with a margin and for a while: the most important ones that may come back do. What draws next to
nothing, or nobody knows how much, is never chosen: it couldn't help. If nothing is left that helps, a person is told,
once.
"""

from __future__ import annotations

from dataclasses import dataclass

from pimgr.api import replace
from pimgr.policy.model import Aspect, Claim, ClaimStatus, Goal, Phase, State, Tier
from pimgr.policy.shedding import budget_telling as telling
from pimgr.policy.shedding.allowance import Budget
from pimgr.policy.shedding.draw import saved_w
from pimgr.policy.shedding.fewest import fewest
from pimgr.policy.shedding.outage import shed_value, wants
from pimgr.policy.shedding.runtime import Prospect, Supply, lasts_s, prospect, reaches, reduction_needed
from pimgr.policy.shedding.tiers import age_s
from pimgr.policy.turn import Turn
from pimgr.policy.values import enough, value_of
from pimgr.units import WattHours, Watts

LEAST_S = 3600.0
"""However near the goal is, the battery isn't let empty within an hour: the sun doesn't carry the house at sunrise."""
MORNING_S = 6 * 3600.0
"""So long after a sunrise nothing more is asked for the sake of the next one: nobody knows yet what the day brings."""


def choose(turn: Turn, state: State) -> State:
    """The loads that tiers with a goal take now, in `state.budget.chosen`."""
    tiers = [tier for tier in turn.policy.tiers if tier.keep is not None and tier.name in state.tiers]
    if state.phase is not Phase.OUTAGE:
        return state
    state = _without_the_lost(state, tiers)
    if not tiers:
        return state
    turn.wake_in(turn.policy.budget.step_s)
    left = prospect(state, turn.inputs, turn.policy, turn.now)
    if left is None or not left.measured or not _is_news(turn, state) or _is_under_way(turn, state):
        return state
    for tier in tiers:
        after = _Judgement(turn, state, tier, _with_returning(turn, left, state)).judge()
        if after.budget.chosen != state.budget.chosen:
            return after
        state = after
    return state


def left_s(turn: Turn, state: State, goal: Goal, *, growing: bool = True) -> float:
    """Seconds for which the battery must last from now on.

    A goal that was reached is followed by the next one. For the sake of the next sunrise nothing more goes off
    (`growing`) in the morning, but what is off stays off unless the battery lasts until then.
    """
    turn_s = age_s(state, turn.now)
    wall, calendar, began = turn.wall(), turn.inputs.calendar, state.budget.began
    if goal.sunrise and wall is not None and calendar is not None and began is not None:
        sunrise = calendar.next_sunrise(max(began, wall - MORNING_S) if growing else wall)
        if sunrise is not None:
            return max(LEAST_S, sunrise - wall)
    return max(LEAST_S, goal.for_s - turn_s % goal.for_s)


def _without_the_lost(state: State, tiers: list[Tier]) -> State:
    """Chosen is only what is still in such a tier, and not in a person's hands."""
    theirs = {hand.part for hand in state.hands_off if hand.episode == state.episode}
    named = {part for tier in tiers for part in tier.loads} - theirs
    chosen = tuple(part for part in state.budget.chosen if part in named)
    return state if chosen == state.budget.chosen else _with_budget(state, replace(state.budget, chosen=chosen))


def _is_news(turn: Turn, state: State) -> bool:
    """Whether the meters told something since the last decision: each reading is judged once."""
    old, new = turn.before.memory.draw, state.memory.draw
    return old is None or new is None or old.at != new.at


def _is_under_way(turn: Turn, state: State) -> bool:
    """Whether something that was asked for lately may yet change what the house draws. A host takes its time."""
    return any(
        claim.status is not ClaimStatus.TAKEN
        and claim.aspect is not Aspect.HOST_POWER
        and not turn.waited(claim.since, turn.policy.budget.step_s)
        for claim in state.claims
    )


def _with_returning(turn: Turn, left: Prospect, state: State) -> Prospect:
    """What nothing takes any more and is still off will draw again: it waits for its turn, or rests."""
    wanted = {want.part for want in wants(state, turn.policy)}
    owed = [c.watts or 0.0 for c in state.claims if c.part not in wanted and c.status is ClaimStatus.TAKEN]
    return Prospect(left.supply, Watts(left.load_w + sum(owed)))


def _with_budget(state: State, budget: Budget) -> State:
    return replace(state, budget=budget)


@dataclass(frozen=True)
class _Judgement:
    """One tier with a goal, in one tick."""

    turn: Turn
    state: State
    tier: Tier
    left: Prospect

    def judge(self) -> State:
        for_s = left_s(self.turn, self.state, self._goal)
        if reaches(self._supply, self.left.load_w, for_s):
            return self._ease()
        state = self._eased(None)
        last = state.budget.stepped_at
        if last is not None and not self.turn.waited(last, self.turn.policy.budget.step_s):
            return state
        return self._grow(state, for_s)

    @property
    def _goal(self) -> Goal:
        return self.tier.keep or Goal()

    @property
    def _supply(self) -> Supply:
        """What may be spent."""
        supply = self.left.supply
        held = supply.capacity_wh * self._goal.left / 100.0
        energy, capacity = max(0.0, supply.energy_wh - held), max(0.0, supply.capacity_wh - held)
        return replace(supply, energy_wh=WattHours(energy), capacity_wh=WattHours(capacity))

    # ------------------------------------------------------------------------------------------------- going off

    def _grow(self, state: State, for_s: float) -> State:
        need = reduction_needed(self._supply, self.left.load_w, for_s)
        options = self._options()
        places = fewest([watts for _, watts in options], need)[: self.turn.policy.budget.most]
        picked = tuple(options[place][0] for place in places)
        if not picked:
            return self._alarm(state, for_s)
        budget = replace(
            state.budget,
            chosen=(*state.budget.chosen, *picked),
            stepped_at=self.turn.now.instant,
            easing=False,
            regrets=state.budget.regrets + state.budget.easing,
        )
        if self.tier.name not in budget.told:
            telling.saving(self.turn, state, self.tier, picked)
            budget = replace(budget, told=(*budget.told, self.tier.name))
        watts = sum(options[place][1] for place in places)
        telling.step(self.turn, self.tier, picked, watts)
        return _with_budget(state, budget)

    def _options(self) -> list[tuple[str, float]]:
        """Loads of this tier that are on and draw enough to matter, and what each saves; least important first."""
        least_w = self.turn.policy.budget.least_w
        found = ((part, self._saves(part)) for part in self._free())
        return [(part, watts) for part, watts in found if watts is not None and watts >= least_w]

    def _free(self) -> list[str]:
        """Loads of this tier that are nobody else's."""
        state = self.state
        taken = {c.part for c in state.claims} | {lease.part for lease in state.leases} | set(state.budget.chosen)
        theirs = {h.part for h in state.hands_off if h.episode == state.episode}
        found_off = {skip.part for skip in state.skips if skip.episode == state.episode}
        busy = taken | theirs | found_off | set(self.turn.policy.never_shed)
        return [part for part in self.tier.loads if part not in busy]

    def _saves(self, part: str) -> Watts | None:
        """W, if it is known to be on."""
        of = self.turn.of(part)
        reading = self.turn.fresh(part)
        if of is None or reading is None or enough(value_of(reading), shed_value(of)):
            return None
        return saved_w(reading, of)

    def _alarm(self, state: State, for_s: float) -> State:
        lasts = lasts_s(self.left.supply, self.left.load_w) or 0.0
        if state.budget.alarmed or lasts >= for_s * (1.0 - self.turn.policy.budget.alarm):
            return state
        short = telling.Shortfall(lasts, for_s, self.left.load_w, tuple(self._free()))
        telling.alarm(self.turn, state, self.tier, short)
        return _with_budget(state, replace(state.budget, alarmed=True))

    # --------------------------------------------------------------------------------------------- coming back

    def _ease(self) -> State:
        """Give back the most important that aren't needed, once that has been so for a while."""
        spare = self._spare()
        since = self.state.memory.eased.get(self.tier.name)
        if not spare:
            return self._eased(None)
        policy = self.turn.policy.budget
        ease_s = policy.ease_s * 2.0 ** min(self.state.budget.regrets, policy.most_eased)
        if since is None or since.boot != self.turn.now.boot:
            self.turn.wake_in(ease_s)
            return self._eased(spare)
        if not self.turn.waited(since, ease_s):
            return self.state
        telling.eased(self.turn, self.tier, spare)
        chosen = tuple(part for part in self.state.budget.chosen if part not in spare)
        budget = replace(self.state.budget, chosen=chosen, stepped_at=self.turn.now.instant, easing=True)
        return _with_budget(self._eased(None), budget)

    def _spare(self) -> tuple[str, ...]:
        """What may be on again: with it, the battery lasts with a margin. The most important first, a step at most."""
        if self._is_outranked():
            return ()
        policy, claims = self.turn.policy.budget, {claim.part: claim for claim in self.state.claims}
        must_s = left_s(self.turn, self.state, self._goal, growing=False)
        for_s = max(policy.margin * must_s, must_s + policy.spare_s)
        load_w, spare = float(self.left.load_w), list[str]()
        chosen = set(self.state.budget.chosen)
        for part in reversed([part for part in self.tier.loads if part in chosen]):
            watts = _held_w(claims.get(part))
            if watts is None or len(spare) >= policy.most or not reaches(self._supply, load_w + watts, for_s):
                continue
            load_w += watts
            spare.append(part)
        return tuple(spare)

    def _is_outranked(self) -> bool:
        """Whether a later tier, whose loads matter more, is off for the battery's sake: those come back first."""
        tiers, chosen = self.turn.policy.tiers, set(self.state.budget.chosen)
        for later in tiers[tiers.index(self.tier) + 1 :]:
            by_need = later.below is not None or later.below_runtime_s is not None
            if later.name in self.state.tiers and (by_need if later.keep is None else chosen & set(later.loads)):
                return True
        return False

    def _eased(self, spare: tuple[str, ...] | None) -> State:
        """Since when some may come back; None: none may."""
        memory = self.state.memory
        eased = {name: at for name, at in memory.eased.items() if name != self.tier.name}
        if spare:
            eased[self.tier.name] = self.turn.now.instant
        return self.state if eased == memory.eased else replace(self.state, memory=replace(memory, eased=eased))


def _held_w(claim: Claim | None) -> float | None:
    """What a chosen load would draw again; None where that isn't known. One that is still on draws already."""
    if claim is None or claim.status is not ClaimStatus.TAKEN:
        return 0.0
    return claim.watts
