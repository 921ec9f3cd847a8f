"""Which days a tariff counts as holidays. The library behind it costs 17 MiB: only a configured country imports it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache

from pimgr.policy.rates import Holidays


class NoSuchCountry(ValueError):
    """The library of holidays knows no such country, or no such part of it."""


def countries() -> Mapping[str, tuple[str, ...]]:
    """Every country that the library knows, as ISO 3166 codes, with its subdivisions."""
    import holidays

    return {code: tuple(parts) for code, parts in holidays.list_supported_countries().items()}


def names_of(country: str, subdivision: str, years: range) -> tuple[str, ...]:
    """What the holidays of a country are called, in the order of the year. Raises NoSuchCountry."""
    found = [name for year in years for _, name in _calendar(country, subdivision, year)]
    return tuple(dict.fromkeys(one for name in found for one in name.split("; ")))


@lru_cache(maxsize=64)
def in_year(holidays: Holidays, year: int) -> Mapping[date, str]:
    """The tariff's holidays of one year, by date. Days on which one is observed instead count as it does."""
    found: dict[date, str] = {}
    if holidays.country:
        # The next year's New Year may be observed on the last day of this one.
        for of in (year + 1, year):
            for day, name in _calendar(holidays.country, holidays.subdivision, of):
                if day.year == year and (not holidays.names or is_named(name, holidays.names)):
                    found[day] = name
    for written in holidays.dates:
        own = _dated(written, year)
        if own is not None:
            found.setdefault(own, "own holiday")
    return found


def is_named(name: str, names: tuple[str, ...]) -> bool:
    """Whether a holiday is one of those chosen, by how it begins: "Thanksgiving" chooses "Thanksgiving Day".

    Not by any part of it: "Independence Day" is also the end of "Juneteenth National Independence Day".
    """
    each = name.casefold().split("; ")
    return any(one.startswith(chosen.casefold()) for one in each for chosen in names)


def _dated(written: str, year: int) -> date | None:
    """A day written as "12-24" or "2026-12-24" in this year; None where the year has no such day."""
    month_day = written[-5:]
    if len(written) > 5 and int(written[:4]) != year:
        return None
    try:
        return date(year, int(month_day[:2]), int(month_day[3:]))
    except ValueError:  # the 29th of February
        return None


@lru_cache(maxsize=16)
def _calendar(country: str, subdivision: str, year: int) -> tuple[tuple[date, str], ...]:
    import holidays

    try:
        found = holidays.country_holidays(country, subdiv=subdivision or None, years=year)
    except NotImplementedError as error:
        raise NoSuchCountry(str(error)) from error
    return tuple(sorted(found.items()))
