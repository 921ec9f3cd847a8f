"""The outage rule: which loads must be off at this phase and charge."""

from __future__ import annotations

from pimgr.api import Frozen, replace
from pimgr.policy.model import Aspect, HostPower, Level, PartPolicy, Phase, Policy, State, Switch, Tier, Value
from pimgr.units import Percent

RESTORE_MARGIN = Percent(10.0)
"""A tier by charge is given back this many points above its threshold, where the config doesn't say."""


class Want(Frozen, kw_only=True):
    """A take: `part` is to be `value` while `rule` says so. `order`: earlier goes off first and comes back last.

    `why`: "the grid is down"; `returns`: when it comes back, such as "when the grid has been back for 5 min".
    `frozen`: what is taken stays so, but nothing new is asked for.
    """

    part: str
    aspect: Aspect
    value: Value
    rule: str
    episode: str
    order: int
    why: str
    returns: str = ""
    frozen: bool = False


def latch(state: State, tiers: tuple[Tier, ...], charge: Percent | None) -> State:
    """The tiers in force. One by charge stays until the charge is at `restore_above` again; unknown changes none."""
    if state.phase not in (Phase.OUTAGE, Phase.SETTLING):
        return state if not state.tiers else replace(state, tiers=())
    active = tuple(tier.name for tier in tiers if _in_force(tier, charge, tier.name in state.tiers, state.phase))
    return state if active == state.tiers else replace(state, tiers=active)


def _in_force(tier: Tier, charge: Percent | None, already: bool, phase: Phase) -> bool:
    if tier.below is None:
        return True
    if phase is Phase.SETTLING or charge is None:
        return already
    return charge < (restore_above(tier, tier.below) if already else tier.below)


def restore_above(tier: Tier, below: Percent) -> Percent:
    """The charge at which a tier by charge is given back while the outage lasts."""
    return tier.restore_above if tier.restore_above is not None else Percent(below + RESTORE_MARGIN)


def wants(state: State, policy: Policy) -> tuple[Want, ...]:
    """What the tiers in force take, earliest first. The never-shed list always wins."""
    result: dict[str, Want] = {}
    for tier in policy.tiers:
        if tier.name not in state.tiers:
            continue
        for part in tier.loads:
            of = policy.parts.get(part)
            if of is None or part in policy.never_shed or part in result:
                continue
            result[part] = _want(state, tier, part, of, len(result))
    return tuple(result.values())


def _want(state: State, tier: Tier, part: str, of: PartPolicy, order: int) -> Want:
    why = "the grid is down" if tier.below is None else f"the grid is down and the battery fell below {tier.below:g} %"
    value = _shed(of)
    return Want(
        part=part,
        aspect=of.aspect,
        value=value,
        rule=tier.name,
        episode=state.episode,
        order=order,
        why=why,
        frozen=state.phase is not Phase.OUTAGE,
    )


def _shed(of: PartPolicy) -> Value:
    """How a part is taken."""
    match of.aspect:
        case Aspect.HOST_POWER:
            return HostPower(False)
        case Aspect.LEVEL:
            return Level(of.shed_to)
        case _:
            return Switch(False)


def candidates(policy: Policy) -> tuple[str, ...]:
    """Every part that an outage might take."""
    return tuple(p for tier in policy.tiers for p in tier.loads if p in policy.parts and p not in policy.never_shed)
