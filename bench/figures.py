"""A figure with its limit, the statistics behind it, and the table that a person reads."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pimgr.api import Frozen


class Figure(Frozen, kw_only=True):
    """One result. `value` is held against `limit` (at most, or less if `strict`; None: nobody promised anything).

    `n`: trials or pairs behind it; `spread`: their statistics; `detail`: whatever explains it.
    """

    name: str
    what: str
    value: float
    unit: str
    n: int
    limit: float | None = None
    strict: bool = False
    spread: Mapping[str, float] = msgspec.field(default_factory=dict)
    detail: Mapping[str, Any] = msgspec.field(default_factory=dict)

    @property
    def ok(self) -> bool:
        if self.limit is None:
            return True
        return self.value < self.limit if self.strict else self.value <= self.limit

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        own = {name: getattr(self, name) for name in self.__struct_fields__}
        return {**own, "ok": self.ok}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Least, median, 99th percentile (nearest rank: never better than what was seen) and greatest."""
    ordered = sorted(values)
    rank = math.ceil(0.99 * len(ordered)) - 1
    return {
        "min": ordered[0],
        "median": statistics.median(ordered),
        "p99": ordered[rank],
        "max": ordered[-1],
    }


def table(figures: Sequence[Figure]) -> str:
    """All figures, one a line: value, limit, verdict, and what was seen around the value."""
    rows: list[tuple[str, ...]] = [("figure", "value", "limit", "", "n", "median", "p99", "max")]
    for each in figures:
        seen = [shown(each.spread[key]) if key in each.spread else "" for key in ("median", "p99", "max")]
        limit = "" if each.limit is None else ("<" if each.strict else "") + shown(each.limit)
        verdict = "" if each.limit is None else "ok" if each.ok else "BROKEN"
        rows.append((each.name, f"{shown(each.value)} {each.unit}", limit, verdict, str(each.n), *seen))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def shown(value: float) -> str:
    """Three digits that matter, and no more."""
    if value and abs(value) < 0.01:
        return f"{value:.2g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
