"""The words of the budget: what the house draws, which loads were chosen to go off, and how far that got. Data only."""

from __future__ import annotations

from pimgr.api import Frozen, Instant
from pimgr.units import Percent, Watts


class Draw(Frozen, kw_only=True):
    """What the house uses and the sun gives, in W: means since `since`, when pimgr last changed anything, up to `at`.

    `solar_w` is 0 where no meter tells it.
    """

    load_w: Watts
    solar_w: Watts
    at: Instant
    since: Instant


class BudgetPolicy(Frozen, kw_only=True):
    """How carefully loads are chosen: `most` of them in a step, a step every `step_s`, so that one wrong figure can't
    empty the house; what draws less than `least_w` is no help.

    Loads are given back in mid-outage once the battery has been seen for `ease_s` to last `margin` times as long as it
    must, and `spare_s` longer; each time that this was too early it takes twice as long, `most_eased` times at most.
    `alarm`: the share of its time that the battery must miss before somebody is told.
    """

    most: int = 4
    step_s: float = 60.0
    least_w: Watts = Watts(5.0)
    ease_s: float = 600.0
    margin: float = 1.2
    spare_s: float = 2 * 3600.0
    alarm: float = 0.1
    most_eased: int = 4


class Budget(Frozen, kw_only=True):
    """What is particular to one outage.

    `began`: UTC in s, once a trusted clock told it; `chosen`: loads that tiers with a goal took, in order. `sunk`:
    tiers in force that saw the charge well below their `restore_above`; `refilled`: those given back since. `easing`:
    the last step gave something back; `regrets`: how often more had to go off after that. `told`, `alarmed`: mails.
    """

    episode: str = ""
    began: float | None = None
    chosen: tuple[str, ...] = ()
    stepped_at: Instant | None = None
    sunk: tuple[str, ...] = ()
    refilled: tuple[str, ...] = ()
    easing: bool = False
    regrets: int = 0
    told: tuple[str, ...] = ()
    alarmed: bool = False


LOW = Percent(5.0)
"""Points below `restore_above` at which a battery counts as used, so that reaching it again means it was filled."""
