"""The outage rule: what the tiers in force take."""

from __future__ import annotations

from pimgr.policy.model import Aspect, Claim, HostPower, Level, PartPolicy, Phase, Policy, State, Switch, Value
from pimgr.policy.persons.people import LEASE
from pimgr.policy.shedding import conditions
from pimgr.policy.turn import Turn
from pimgr.policy.want import Want


def is_enforced(turn: Turn, of: Want | Claim) -> bool:
    """Whether the config holds it against a hand on the switch: never a host, and not what a person asked for."""
    part = turn.of(of.part)
    return part is not None and part.enforce and of.aspect is not Aspect.HOST_POWER and of.rule != LEASE


def wants(state: State, policy: Policy) -> tuple[Want, ...]:
    """What the tiers in force take, earliest first. The never-shed list always wins.

    A tier with a goal takes what was chosen of it, in that order: what was chosen last comes back first.
    """
    result: dict[str, Want] = {}
    for tier in policy.tiers:
        if tier.name not in state.tiers:
            continue
        named = [part for part in state.budget.chosen if part in tier.loads]
        for part in tier.loads if tier.keep is None else named:
            of = policy.parts.get(part)
            if of is None or part in policy.never_shed or part in result:
                continue
            result[part] = Want(
                part=part,
                aspect=of.aspect,
                value=shed_value(of),
                rule=tier.name,
                episode=state.episode,
                order=len(result),
                why=conditions.why(tier),
                returns=conditions.returns(tier, policy),
                frozen=state.phase is not Phase.OUTAGE,
            )
    return tuple(result.values())


def shed_value(of: PartPolicy) -> Value:
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
