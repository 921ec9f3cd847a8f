"""The fewest loads that save enough, and of those the least important."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import fsum


def fewest(watts: Sequence[float], need: float) -> tuple[int, ...]:
    """Which loads to do without, by their places; `watts` is what each saves, the least important first.

    Of all sets that save `need` W or more, one of the fewest loads; of those, the one whose most important load is the
    least important, then whose second most important is, and so on. Where even all together don't save as much, all of
    them. In order, least important first; none where nothing is needed.
    """
    if need <= 0.0:
        return ()
    if fsum(watts) < need:
        return tuple(range(len(watts)))
    count = _first(1, len(watts), lambda n: _most(watts, n, ()) >= need)
    chosen: tuple[int, ...] = ()
    places = len(watts)
    while len(chosen) < count:
        places = _first_places(watts[:places], need, count - len(chosen), [watts[place] for place in chosen])
        places -= 1
        chosen = (places, *chosen)
    return chosen


def _first_places(watts: Sequence[float], need: float, count: int, fixed: Sequence[float]) -> int:
    """Of how few of the first loads `count` suffice, with those that are `fixed` already."""
    return _first(count, len(watts), lambda n: _most(watts[:n], count, fixed) >= need)


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The smallest number from `low` for which `holds`, which holds for all above it; `high` if for none below that."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return high


def _most(watts: Sequence[float], count: int, fixed: Sequence[float]) -> float:
    """What `fixed` and the `count` largest of `watts` save together."""
    return fsum([*fixed, *sorted(watts, reverse=True)[:count]])
