"""A year with random faults, as CI lives through ten of them."""

from __future__ import annotations

from pimgr.simulate import home, year
from pimgr.simulate.scenario import Scenario


def goes_well(seed: int) -> None:
    """Nothing is given back wrongly or not at all, nobody is fought, nothing is done blindly; windows are entered once.

    A seed that fails tells the command by which it is lived through again.
    """
    lived = year.ours(year.set_up(home.default(), Scenario(seed=f"{seed}", faults=True)))
    again = f"pimgr simulate --seed {seed} --faults"
    assert lived.found == (), again
    assert lived.card.wrong == 0, again
    assert lived.card.left_off == (), again
    assert lived.card.outage_h > 1.0
    assert sum(lived.card.switchings.values()) > 50
