"""The tariff's windows: one after the other without gap or overlap, whatever the clocks do twice a year."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta, tzinfo

from pimgr.api import replace
from pimgr.local_time import DAY_MIN, first_moment, last_moment, local
from pimgr.policy.battery.rates import Hours, Season, Tariff
from pimgr.policy.calendar import Window

REACHES_DAYS = (8, 40, 400)
"""How far to look for the edge of a window: over a long weekend, over a holiday month, over a season without peaks."""

WEEK_S = 6 * 86400.0
SOON, LATER = "%a %H:%M", "%a %d %b %H:%M"


@dataclass(frozen=True)
class Dated:
    """A tariff where the house is. `holiday`: the name of a day's holiday, or ""."""

    tariff: Tariff
    zone: tzinfo
    holiday: Callable[[date], str]


@dataclass(frozen=True, order=True)
class _Edge:
    """`at`: when it counts here; `nominal`: the tariff's own time."""

    at: float
    nominal: float


@dataclass
class _Board:
    """What begins and ends when, for one range of days. The rank is a period's place in the tariff's order."""

    begins: dict[float, list[int]] = field(default_factory=dict)
    ends: dict[float, list[int]] = field(default_factory=dict)
    nominal: dict[tuple[int, float], float] = field(default_factory=dict)

    def add(self, rank: int, start: _Edge, end: _Edge) -> None:
        self.begins.setdefault(start.at, []).append(rank)
        self.ends.setdefault(end.at, []).append(rank)
        self.nominal.setdefault((rank, start.at), start.nominal)
        self.nominal.setdefault((rank, end.at), end.nominal)


def windows(dated: Dated, start: float, end: float) -> tuple[Window, ...]:
    """All windows that touch the time from `start` to `end` (UTC in s), whole even where they reach beyond.

    One that goes on for more than a year, such as that of a tariff without any hours, has no edges that matter: it
    begins at 0.
    """
    found: list[Window] = []
    for days in REACHES_DAYS:
        first, last = local(start, dated.zone).date(), local(end, dated.zone).date()
        reach = (first - timedelta(days=days), last + timedelta(days=days))
        found = [w for w in _within(dated, *reach) if w.end > start and w.start < end]
        if found[0].start > 0.0 and found[-1].end < first_moment(reach[1], 0, dated.zone):
            break
    return tuple(found)


def season_of(day: date, seasons: tuple[Season, ...]) -> str:
    """The season of a day, or "" where none is named."""
    mine = day.strftime("%m-%d")
    return next((season.name for season in seasons if _is_in(mine, season)), "")


def _is_in(month_day: str, season: Season) -> bool:
    if season.first <= season.last:
        return season.first <= month_day <= season.last
    return month_day >= season.first or month_day <= season.last


def counts_on(hours: Hours, day: date, dated: Dated) -> bool:
    """Whether these hours begin on this day: its season, its weekday, and on a holiday only hours that name them."""
    if hours.seasons and season_of(day, dated.tariff.seasons) not in hours.seasons:
        return False
    return hours.holidays if dated.holiday(day) else day.weekday() in hours.weekdays


def _within(dated: Dated, first: date, last: date) -> list[Window]:
    """The windows from the first to the last of these midnights. One that began before the first begins at 0."""
    tariff, board = dated.tariff, _Board()
    start, end = first_moment(first, 0, dated.zone), first_moment(last, 0, dated.zone)
    ranks = {period.name: rank for rank, period in enumerate(tariff.periods)}
    names = [*(period.name for period in tariff.periods), tariff.default]
    for day in _days(first - timedelta(days=2), last + timedelta(days=1)):
        for hours in tariff.hours:
            if hours.period in ranks and counts_on(hours, day, dated):
                _lay(board, ranks[hours.period], day, (hours, dated))
    board.add(len(tariff.periods), _Edge(0.0, 0.0), _Edge(end, end))
    return [
        w if w.start >= start else replace(w, id=f"always {w.period}", season="", start=0.0, begins=0.0, until="")
        for w in _tile(dated, board, names)
        if w.end > start and w.start < end
    ]


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def _lay(board: _Board, rank: int, day: date, what: tuple[Hours, Dated]) -> None:
    """One day's stretch of a period: from the first moment that the clock shows its beginning to the last of its end.

    So what exists twice counts both times, and a stretch that the clock jumps over isn't there.
    """
    hours, dated = what
    tariff = dated.tariff
    peak = tariff.periods[rank].peak
    end_min = hours.end_min if hours.end_min > hours.start_min else hours.end_min + DAY_MIN
    begins = first_moment(day, hours.start_min, dated.zone)
    ends = last_moment(day, end_min, dated.zone)
    if ends > begins:
        lead_s, exit_s = (tariff.lead_s, tariff.exit_s) if peak else (0.0, 0.0)
        board.add(rank, _Edge(begins - lead_s, begins), _Edge(ends + exit_s, ends))


def _tile(dated: Dated, board: _Board, names: list[str]) -> list[Window]:
    """Sweep over all edges: the first period in the tariff's order that is in force counts."""
    active = [0] * len(names)
    found: list[Window] = []
    since, now = _Edge(0.0, 0.0), -1
    for at in sorted({*board.begins, *board.ends}):
        for rank in board.begins.get(at, ()):
            active[rank] += 1
        for rank in board.ends.get(at, ()):
            active[rank] -= 1
        then = next((rank for rank, count in enumerate(active) if count > 0), -1)
        if then == now or (min(then, now) >= 0 and names[then] == names[now]):
            now = then
            continue
        # The edge is that of whoever counts more: a peak's lead cuts into what comes before it.
        winner = min((rank for rank in (then, now) if rank >= 0), default=0)
        edge = _Edge(at, board.nominal.get((winner, at), at))
        if now >= 0:
            found.append(_window(dated, names[now], since, edge))
        since, now = edge, then
    return found


def _window(dated: Dated, name: str, start: _Edge, end: _Edge) -> Window:
    begun = local(start.nominal, dated.zone)
    again = " again" if begun.fold else ""
    return Window(
        id=f"{begun:%Y-%m-%d} {name} {begun:%H:%M}{again}",
        period=name,
        season=season_of(begun.date(), dated.tariff.seasons),
        peak=dated.tariff.period(name).peak,
        start=start.at,
        end=end.at,
        begins=start.nominal,
        ends=end.nominal,
        until=f"{local(end.at, dated.zone):{SOON if end.at - start.at < WEEK_S else LATER}}",
    )
