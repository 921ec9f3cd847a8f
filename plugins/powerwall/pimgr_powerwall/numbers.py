"""Numbers out of replies that nobody vouches for."""

from __future__ import annotations

from typing import Any

from pimgr.units import Watts, finite_and_in_range

MOST_W = 1e6
"""No house imports or makes a megawatt: more is nonsense, not a reading."""
NIGHT_W = 100.0
"""An idle inverter's meter reads a few W below zero at night; that much is zero."""


def number(value: Any, low: float, high: float) -> float | None:
    """`value` if it is a number in range; None for everything else, true and false included."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if finite_and_in_range(value, low, high) else None


def power(value: Any) -> Watts | None:
    """A power in W, either sign; None for nonsense."""
    found = number(value, -MOST_W, MOST_W)
    return None if found is None else Watts(found)


def drawn(value: Any) -> Watts | None:
    """The power in W of a meter that can't run backwards."""
    found = power(value)
    return None if found is None or found < -NIGHT_W else Watts(max(0.0, found))
