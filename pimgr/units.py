"""Units of the house. Everything inside pimgr is W, Wh, percent and degrees Celsius; conversion is for the edges."""

from __future__ import annotations

import math
from typing import NewType

Watts = NewType("Watts", float)
"""Power in W. Its sign is given by the field that carries it."""
WattHours = NewType("WattHours", float)
"""Energy in Wh, never negative."""
Percent = NewType("Percent", float)
"""0 to 100."""
Celsius = NewType("Celsius", float)
"""A temperature in degrees Celsius (a difference of temperatures is in kelvin)."""


def finite_and_in_range(value: float, low: float, high: float) -> bool:
    """Whether `value` is a number a house can produce: finite (not NaN, not infinite) and within `low` to `high`.

    JSON parsers accept NaN, and clamping NaN to 0..100 gives 100: so a value is tested, never clamped.
    """
    return low <= value <= high and math.isfinite(value)  # in this order: a whole number may be too large for a float
