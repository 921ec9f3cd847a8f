"""The hours of a tariff's period: which days, from when to when, in which seasons."""

from __future__ import annotations

from collections.abc import Sequence

from pimgr.config.errors import Kind, listed, shown
from pimgr.config.fields import Bad, Field, Table
from pimgr.config.times import END, TIME, WEEKDAYS
from pimgr.policy.battery.rates import Hours
from pimgr.text import did_you_mean

WEEK = len(WEEKDAYS)
HOLIDAYS = "holidays"
DAYS = WEEK
"""What a holiday counts as where days are numbered: one more than Sunday."""
EXAMPLE = '{ days = ["mon-fri"], from = "14:00", to = "20:00" }'


def read_hours(period: Table, name: str, seasons: tuple[str, ...]) -> list[Hours]:
    """The stretches listed under `hours` of one period; what is wrong with them is reported."""
    expected = f"one or more stretches in braces, such as [{EXAMPLE}]"
    values = period.listing("hours", expected)
    if values is not None and not values:
        period.wrong("hours", expected=expected, cure="without the line it is in force whenever no other period is")
    found: list[Hours] = []
    for index, value in enumerate(values or ()):
        if not isinstance(value, dict):
            period.report.add(
                period.path("hours", index), Kind.VALUE, found=shown(value), expected=f"such as {EXAMPLE}"
            )
            continue
        found += _stretch(Table(period.report, period.path("hours", index), value), name, seasons)
    return found


def _stretch(table: Table, name: str, seasons: tuple[str, ...]) -> list[Hours]:
    start, end = table.need("from", TIME, None), table.need("to", END, None)
    days = _days(table)
    named = table.items("seasons", season(seasons)) or ()
    table.close()
    if start is None or end is None:
        return []
    if start == end:
        table.wrong("from", expected='another time than "to"', cure='a whole day is from "00:00" to "24:00"')
        return []
    weekdays = tuple(sorted(day for day in days if day < WEEK))
    return [Hours(period=name, start_min=start, end_min=end, weekdays=weekdays, seasons=named, holidays=DAYS in days)]


def _days(table: Table) -> set[int]:
    """Numbers of weekdays; every one where none is named."""
    found = table.items("days", SPAN)
    if found is None:
        return set(range(WEEK))
    if table.raw["days"] == []:
        table.wrong("days", expected=SPAN.expected, cure="without the line, hours count on every day but holidays")
    return set[int]().union(*found)


def _span(value: object) -> set[int]:
    """ "fri-mon" goes over the weekend."""
    if value == HOLIDAYS:
        return {DAYS}
    first, dash, last = value.partition("-") if isinstance(value, str) else ("", "", "")
    if first not in WEEKDAYS or (dash and last not in WEEKDAYS):
        raise Bad(did_you_mean(value, [*WEEKDAYS, HOLIDAYS]) if isinstance(value, str) else "put it in quotes")
    begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
    return {(begin + step) % WEEK for step in range((end - begin) % WEEK + 1)}


SPAN = Field(f'{listed(WEEKDAYS)}, a span such as "mon-fri", or "{HOLIDAYS}"', _span)


def season(known: Sequence[str]) -> Field[str]:
    """One of the tariff's seasons."""

    def read(value: object) -> str:
        if not isinstance(value, str):
            raise Bad("put it in quotes")
        if value not in known:
            raise Bad(did_you_mean(value, known) or ("" if known else "one begins with the line [[tariff.seasons]]"))
        return value

    return Field(f"one of {listed(known)}" if known else "no season, as the tariff has none", read)
