"""A tier's conditions in words: when its loads go off, why they did, and when they come back."""

from __future__ import annotations

from pimgr.policy.model import Goal, Policy, Tier
from pimgr.policy.said import duration
from pimgr.policy.shedding.tiers import restore_above, restore_runtime_s


def begins(tier: Tier) -> str:
    """When it goes off, to follow "Going off": "now", "below 30 %", "after 10 min or below 30 %"."""
    when = []
    if tier.after_s is not None:
        when.append(f"after {duration(tier.after_s)}")
    if tier.below is not None:
        when.append(f"below {tier.below:g} %")
    if tier.below_runtime_s is not None:
        when.append(f"when less than {duration(tier.below_runtime_s)} are left")
    if tier.keep is not None:
        return ", ".join(
            [*([" or ".join(when)] if when else []), f"as needed so that the battery lasts {until(tier.keep)}"]
        )
    return " or ".join(when) or "now"


def why(tier: Tier) -> str:
    """Why its loads are off: "the grid is down and the battery fell below 30 %"."""
    if tier.keep is not None:
        return f"the grid is down, and with it on the battery would not last {until(tier.keep)}"
    facts = []
    if tier.after_s is not None:
        facts.append(f"has been for {duration(tier.after_s)}")
    if tier.below is not None:
        facts.append(f"the battery fell below {tier.below:g} %")
    if tier.below_runtime_s is not None:
        facts.append(f"the battery has less than {duration(tier.below_runtime_s)} left")
    return "the grid is down" + (f" and {', or '.join(facts)}" if facts else "")


def returns(tier: Tier, policy: Policy) -> str:
    """When they come back, to follow "comes back": "when the grid is back, or the battery is at 60 % again"."""
    charge, settle_s = policy.timing.restore_charge, policy.timing.settle_s
    grid = f"when the grid has been back for {duration(settle_s)}" if settle_s else "when the grid is back"
    grid += f" and the battery is at {charge:g} %" if charge else ""
    if tier.keep is not None:
        return f"{grid}, or the battery lasts {until(tier.keep)} with it on"
    again = []
    if tier.below is not None:
        again.append(f"is at {restore_above(tier, tier.below):g} % again")
    elif tier.restore_above is not None:
        again.append(f"is at {tier.restore_above:g} % again")
    if tier.below_runtime_s is not None:
        again.append(f"lasts {duration(restore_runtime_s(tier, tier.below_runtime_s))} with it on")
    if not again or (tier.after_s is not None and tier.restore_above is None):
        return grid
    return f"{grid}, or the battery {' and '.join(again)}"


def until(goal: Goal) -> str:
    """To follow "lasts": "until sunrise", "for 8 h"."""
    return "until sunrise" if goal.sunrise else f"for {duration(goal.for_s)}"
