"""Days of the year in a tariff: where seasons begin and end, and which days are holidays."""

from __future__ import annotations

import re
from datetime import date

from pimgr import days_off
from pimgr.config.errors import Kind, listed, shown
from pimgr.config.fields import TEXT, Bad, Field, Table
from pimgr.policy.battery.rates import Holidays
from pimgr.text import did_you_mean

_DAY = re.compile(r"(?:([0-9]{4})-)?([0-9]{2})-([0-9]{2})")
LEAP_YEAR = 2028
"""A year with a 29th of February, to try days and seasons on."""
YEARS = range(2024, 2036)
"""In which the names of a country's holidays are looked for: holidays come and go, and some come every few years."""
MOST_NAMES = 40


def _whole(value: object) -> str:
    if isinstance(value, date):
        raise Bad(f'put it in quotes: "{value:%Y-%m-%d}"')
    found = _DAY.fullmatch(value) if isinstance(value, str) else None
    if found is None or not isinstance(value, str):
        raise Bad("write month and day with two figures each, in quotes")
    try:
        date(int(found[1] or LEAP_YEAR), int(found[2]), int(found[3]))
    except ValueError:
        raise Bad("no calendar has that day") from None
    return value


def _month_day(value: object) -> str:
    day = _whole(value)
    if len(day) > 5:
        raise Bad(f'it comes every year: write "{day[5:]}"')
    return day


MONTH_DAY = Field('month and day, such as "05-01"', _month_day)
DAY = Field('a day such as "12-24" (every year) or "2026-12-24"', _whole)


def month_day(table: Table, name: str) -> str:
    """A day of every year; "" where it is missing or bad (and then reported)."""
    return table.need(name, MONTH_DAY, "")


def read_holidays(table: Table) -> Holidays:
    """What `[tariff.holidays]` says; without it there are none."""
    country = table.get("country", TEXT, "")
    subdivision = table.get("subdivision", TEXT, "")
    names = table.items("names", TEXT) or ()
    dates = table.items("dates", DAY) or ()
    table.close()
    for name in ("subdivision", "names"):
        if name in table and "country" not in table:
            table.wrong(name, expected="a country beside it", cure='such as country = "US"')
            return Holidays(dates=dates)
    if country and not _there(table, country, subdivision):
        return Holidays(dates=dates)
    for index, name in enumerate(names):
        _named(table, index, name, (country, subdivision))
    return Holidays(country=country, subdivision=subdivision, names=names, dates=dates)


def _there(table: Table, country: str, subdivision: str) -> bool:
    parts = _parts_of(country)
    if parts is None:
        upper = country.upper()
        cure = f'did you mean "{upper}"?' if _parts_of(upper) is not None else "such as US, CA, DE, AU"
        table.wrong("country", expected="a country's two letters as in ISO 3166", cure=cure)
        return False
    if subdivision and subdivision not in parts:
        expected = f"one of {listed(parts, 60)}" if parts else f"none, as {country} has none here"
        cure = f'did you mean "{subdivision.upper()}"?' if subdivision.upper() in parts else ""
        table.wrong("subdivision", expected=expected, cure=cure)
        return False
    return True


def _parts_of(country: str) -> tuple[str, ...] | None:
    try:
        return days_off.subdivisions(country)
    except days_off.NoSuchCountry:
        return None


def _named(table: Table, index: int, name: str, where: tuple[str, str]) -> None:
    if days_off.is_known(name, *where, YEARS):
        return
    known = days_off.names_of(*where, YEARS)
    cure, expected = did_you_mean(name, known), f"how one of these begins: {listed(known, MOST_NAMES)}"
    table.report.add(table.path("names", index), Kind.VALUE, found=shown(name), expected=expected, cure=cure)
