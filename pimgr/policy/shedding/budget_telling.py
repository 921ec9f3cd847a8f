"""What a person is told of the budget: what goes off so that the battery lasts, and when nothing can make it last."""

from __future__ import annotations

from pimgr.api import Frozen, Severity
from pimgr.policy.model import Goal, State, Tier
from pimgr.policy.said import about, watts
from pimgr.policy.shedding.conditions import returns, until
from pimgr.policy.turn import Turn
from pimgr.units import Watts


class Shortfall(Frozen):
    """The battery lasts `lasts_s` at `load_w` instead of `for_s`. `on`: loads of the tier that pimgr leaves on."""

    lasts_s: float
    for_s: float
    load_w: Watts
    on: tuple[str, ...]


def saving(turn: Turn, state: State, tier: Tier, picked: tuple[str, ...]) -> None:
    """Mail the first step; the further ones are told in the history."""
    turn.mail(
        f"{state.episode}-{tier.name}-saving",
        Severity.WARNING,
        f"{tier.name} goes off as needed",
        [
            f"Going off now, so that the battery lasts {until(tier.keep or Goal())}: {turn.names(picked)}.",
            "More may follow, and some may come back sooner, as the battery and the sun allow.",
            f"What goes off comes back {returns(tier, turn.policy)}.",
        ],
    )


def step(turn: Turn, tier: Tier, picked: tuple[str, ...], watts: float) -> None:
    turn.tell(
        f"tier {tier.name}: {', '.join(picked)} would cost {watts:.0f} W that the battery can't spare", what="tier"
    )


def eased(turn: Turn, tier: Tier, spare: tuple[str, ...]) -> None:
    turn.tell(f"tier {tier.name}: the battery lasts with {', '.join(spare)} on", what="tier")


def alarm(turn: Turn, state: State, tier: Tier, short: Shortfall) -> None:
    """Nothing is left that pimgr could turn off."""
    goal = until(tier.keep or Goal())
    on = [f"pimgr leaves on, since it doesn't know that they draw much: {turn.names(short.on)}."] if short.on else []
    turn.tell(f"tier {tier.name}: nothing left can make the battery last {goal}", what="tier")
    turn.mail(
        f"{state.episode}-short",
        Severity.CRITICAL,
        f"The battery will not last {goal}",
        [
            f"At {watts(short.load_w)} the battery is empty in about {about(short.lasts_s)}; "
            f"it should last for about {about(short.for_s)} more.",
            "Everything that pimgr may turn off and that would help is off.",
            *on,
            "By hand you can turn off what heats, cools or pumps: ovens, water heaters, dryers, air conditioners.",
        ],
    )
    turn.repeat()
