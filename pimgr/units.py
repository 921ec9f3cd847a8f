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


def degrees(celsius: float, fahrenheit: bool) -> str:
    """A temperature in the owner's unit, such as "76 °F" or "24.4 °C"."""
    value = celsius * 1.8 + 32.0 if fahrenheit else celsius
    return f"{round(value, 1) + 0.0:g} °{'F' if fahrenheit else 'C'}"


def difference(kelvin: float, fahrenheit: bool) -> str:
    """A difference of temperatures in the owner's unit, such as "2 °F"."""
    return f"{round(kelvin * 1.8 if fahrenheit else kelvin, 1):g} °{'F' if fahrenheit else 'C'}"
