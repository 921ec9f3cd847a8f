"""Which days a tariff counts as holidays. The library behind it costs 17 MiB: only a configured country imports it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from pimgr.policy.battery.rates import Holidays

CODE = re.compile("[A-Z]{2,3}")
ENGLISH = "en_US"
OBSERVED = "(observed)"


class NoSuchCountry(ValueError):
    """The library of holidays knows no such country, or no such part of it."""


@dataclass(frozen=True)
class Feast:
    """A holiday of a country. `native`: what it is called there; both may be several, joined by "; "."""

    day: date
    name: str
    native: str


def subdivisions(country: str) -> tuple[str, ...]:
    """The parts of a country that have holidays of their own, by ISO 3166. Raises NoSuchCountry.

    Not by a list of all countries: to make one, the library loads every one of them.
    """
    import holidays

    if not CODE.fullmatch(country):  # the library takes any name of its own for a country
        raise NoSuchCountry(country)
    try:
        return tuple(holidays.country_holidays(country).subdivisions)
    except NotImplementedError as error:
        raise NoSuchCountry(str(error)) from error


def names_of(country: str, subdivision: str, years: range) -> tuple[str, ...]:
    """What the holidays of a country are called in English, in the order of the year. Raises NoSuchCountry."""
    each = [name for year in years for feast in _feasts(country, subdivision, year) for name in feast.name.split("; ")]
    return tuple(dict.fromkeys(name for name in each if OBSERVED not in name))


def is_known(name: str, country: str, subdivision: str, years: range) -> bool:
    """Whether any holiday of these years is chosen by this name."""
    return any(is_named(feast, (name,)) for year in years for feast in _feasts(country, subdivision, year))


@lru_cache(maxsize=64)
def in_year(holidays: Holidays, year: int) -> Mapping[date, str]:
    """The tariff's holidays of one year, by date. Days on which one is observed instead count as it does."""
    found: dict[date, str] = {}
    if holidays.country:
        for feast in _feasts(holidays.country, holidays.subdivision, year):
            if not holidays.names or is_named(feast, holidays.names):
                found[feast.day] = feast.name
    for written in holidays.dates:
        own = dated(written, year)
        if own is not None:
            found.setdefault(own, "own holiday")
    return found


def is_named(feast: Feast, names: tuple[str, ...]) -> bool:
    """Whether a holiday is one of those chosen, by how it begins: "Thanksgiving" chooses "Thanksgiving Day".

    Not by any part of it: "Independence Day" is also the end of "Juneteenth National Independence Day".
    """
    each = f"{feast.name}; {feast.native}".casefold().split("; ")
    return any(one.startswith(chosen.casefold()) for one in each for chosen in names)


def dated(written: str, year: int) -> date | None:
    """A day written as "12-24" or "2026-12-24" in this year; None where the year has no such day."""
    if len(written) > 5 and int(written[:4]) != year:
        return None
    try:
        return date(year, int(written[-5:-3]), int(written[-2:]))
    except ValueError:  # the 29th of February
        return None


@lru_cache(maxsize=64)
def _feasts(country: str, subdivision: str, year: int) -> tuple[Feast, ...]:
    """All that lie in this year, also the New Year of the next where it is observed on the last day of this one.

    Each language is named: without one, the library takes that of the environment, and names change with it.
    """
    import holidays

    def called(language: str | None) -> dict[date, str]:
        return dict(holidays.country_holidays(country, subdiv=subdivision or None, years=year, language=language))

    try:
        known = holidays.country_holidays(country, subdiv=subdivision or None)
        native = called(known.default_language)
        english = called(ENGLISH) if ENGLISH in (known.supported_languages or ()) else native
    except NotImplementedError as error:
        raise NoSuchCountry(str(error)) from error
    return tuple(Feast(day, english.get(day, name), name) for day, name in sorted(native.items()))
