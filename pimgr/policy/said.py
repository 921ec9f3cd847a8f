"""Numbers as a home owner says them: durations, powers, energies, rows of names."""

from __future__ import annotations

from collections.abc import Iterable

LONG_S = 3 * 86400.0


def duration(seconds: float) -> str:
    """As it was, or is in the config: "40 s", "12 min", "9 h 20 min", "2 days 3 h"."""
    if seconds < 90 and seconds != 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return _pair(minutes // 60, "h", minutes % 60, "min")
    hours = round(minutes / 60)
    return _pair(hours // 24, "days", hours % 24, "h")


def about(seconds: float) -> str:
    """As it may be, and no more exact than anybody can know: "25 min", "9 h 20 min", "14 h", "more than 3 days"."""
    if seconds > LONG_S:
        return "more than 3 days"
    step = 300.0 if seconds < 7200 else 600.0 if seconds < 36000 else 3600.0
    rounded = step * round(seconds / step)
    return duration(rounded) if rounded else "less than 5 min"


def _pair(large: int, unit: str, small: int, smaller: str) -> str:
    return f"{large} {unit} {small} {smaller}" if small else f"{large} {unit}"


def watts(power: float) -> str:
    """ "340 W", "1.2 kW"."""
    return f"{power:.0f} W" if abs(power) < 1000 else f"{power / 1000:.1f} kW"


def kwh(energy_wh: float) -> str:
    return f"{energy_wh / 1000:.1f} kWh"


def counted(number: int, one: str) -> str:
    """ "1 load", "3 loads"."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def row(items: Iterable[str]) -> str:
    """ "pump, NAS and desk"."""
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last
