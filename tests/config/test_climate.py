"""What the config may say of thermostats, and what is refused with its reason and its cure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pimgr import config, plugins
from pimgr.policy.aspects import Aspect
from pimgr.policy.thermostats.comfort import LADDER, Climate, Rung
from pimgr.testing import scripted
from tests.config.test_tariff import TARIFF
from tests.run.rig import plugin

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = plugins.load(only=(), extra={"scripted": plugin(*scripted.DEVICE_TYPES)})
HOUSE = """
version = 1
[grid]
sources = ["gateway"]
[connections.gateway]
type = "scripted.gateway"
[connections.site]
type = "scripted.site"
[connections.pump]
type = "scripted.load"
[connections.hall]
type = "scripted.thermostat"
[connections.attic]
type = "scripted.thermostat"
"""
SKY = '[connections.sky]\ntype = "scripted.forecast"\n'
SITE = HOUSE.replace("[connections.site]", "[connections.tesla]")


def climate(*lines: str, tariff: str = TARIFF, sky: str = SKY, house: str = SITE) -> Climate:
    found = config.parse(house + sky + tariff + "\n" + "\n".join(lines), "pimgr.toml", PLUGINS).policy.climate
    assert found is not None
    return found


def told(*lines: str, tariff: str = TARIFF, sky: str = SKY, house: str = SITE) -> list[str]:
    with pytest.raises(config.ConfigErrors) as caught:
        climate(*lines, tariff=tariff, sky=sky, house=house)
    return [f"{e.key}: {e.found}: {e.expected}; {e.cure}" for e in caught.value.errors]


def test_without_the_table_nothing_is_moved_though_there_are_thermostats() -> None:
    policy = config.parse(SITE, "x", PLUGINS).policy
    assert policy.climate is None
    assert policy.parts["hall"].aspect is Aspect.HOLD


def test_an_empty_table_is_the_old_programs_ladder_in_summer_peaks_for_all_thermostats() -> None:
    found = climate("[climate]")
    assert found.thermostats == ("hall", "attic")
    assert found.ladder == LADDER
    assert (found.seasons, found.in_peak, found.in_outage) == (("summer",), True, False)
    assert (found.cooling, found.heating, found.fahrenheit, found.precool) == (True, False, True, None)


def test_a_whole_table_is_read_as_it_is_written() -> None:
    found = climate(
        "[climate]",
        'thermostats = ["hall"]',
        'unit = "C"',
        'ladder = [{ below = 60, ease = "1.5 C" }, { below = "30 %", ease = "5 F" }]',
        "in_peak = false",
        "in_outage = true",
        "heating = true",
        'seasons = ["summer", "winter"]',
        'warmest = "30 C"',
        'coolest = "59 °F"',
        'min_off = "10min"',
        "[climate.precool]",
        'at = "11:30"',
        'high = "40 C"',
        'to = "68 F"',
        "below = 80",
        'seasons = ["winter"]',
    )
    assert found.thermostats == ("hall",)
    assert found.ladder[0] == Rung(60.0, 1.5)  # type: ignore[arg-type]
    assert found.ladder[1].offset == pytest.approx(5 / 1.8)
    assert (found.in_peak, found.in_outage, found.heating, found.fahrenheit) == (False, True, True, False)
    assert (found.seasons, found.warmest, found.min_off_s) == (("summer", "winter"), 30.0, 600.0)
    assert found.coolest == pytest.approx(15.0)
    precool = found.precool
    assert precool is not None
    assert (precool.at_s, precool.high, precool.below, precool.seasons) == (11.5 * 3600, 40.0, 80.0, ("winter",))
    assert precool.cool == pytest.approx(20.0)


def test_precooling_waits_for_105_f_from_noon_and_spends_no_low_battery_unless_asked() -> None:
    precool = climate("[climate]", "[climate.precool]").precool
    assert precool is not None
    assert precool.high == pytest.approx(105 / 1.8 - 32 / 1.8)
    assert precool.cool == pytest.approx(67 / 1.8 - 32 / 1.8)
    assert (precool.at_s, precool.below, precool.seasons) == (12 * 3600.0, None, ("summer",))
    by_charge = climate("[climate]", "[climate.precool]", "below = 90", sky="").precool
    assert by_charge is not None
    assert (by_charge.high, by_charge.below) == (None, 90.0)


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        (['thermostats = ["pump"]'], 'climate.thermostats #1: "pump", which is a load: a thermostat'),
        (['unit = "K"'], 'climate.unit: "K": "F" or "C"'),
        (["warmest = 30"], "climate.warmest: 30: a temperature from 20 to 40 C (68 to 104 F)"),
        (['warmest = "300 F"'], "climate.warmest: "),
        (['warmest = "30 K"'], "climate.warmest: "),
        (['coolest = "-10 °C"'], 'climate.coolest: "-10 °C": a temperature from 5 to 25 C'),
        (['warmest = "20 C"', 'coolest = "21 C"'], "climate.coolest: "),
        (['ladder = [{ below = 50, ease = "1 F" }]'], "climate.ladder #1.ease: "),
        (["ladder = [{ below = 50, ease = 2 }]"], "climate.ladder #1.ease: 2: by how much"),
        (["ladder = [{ below = 50 }]"], "climate.ladder #1.ease: no such key: by how much"),
        (["ladder = []"], "climate.ladder: []: at least one rung"),
        (
            ['ladder = [{ below = 35, ease = "2 F" }, { below = 50, ease = "4 F" }]'],
            "climate.ladder #2.below: 50: less than 35",
        ),
        (
            ['ladder = [{ below = 50, ease = "4 F" }, { below = 35, ease = "4 F" }]'],
            'climate.ladder #2.ease: "4 F": at least 1 C (1.8 F) more',
        ),
        (['seasons = ["sumer"]'], 'climate.seasons #1: "sumer": one of summer, winter; did you mean "summer"?'),
        (['min_off = "5 hours"'], "climate.min_off: "),
        (["cooling = false"], "climate.cooling: false: true, or heating = true"),
        (["in_peak = false"], "climate: no time at which it counts: "),
        (["[climate.precool]", 'at = "noon"'], "climate.precool.at: "),
        (["[climate.precool]", 'at = "24:00"'], 'climate.precool.at: "24:00": a local time of day'),
        (["[climate.precool]", 'to = "50 F"'], 'climate.precool.to: "50 F": no less than coolest'),
        (["[climate.precool]", "colour = 1"], "climate.precool.colour: "),
    ],
)
def test_what_can_not_be_is_refused(lines: list[str], error: str) -> None:
    assert any(error in text for text in told("[climate]", *lines)), told("[climate]", *lines)


def test_a_peak_needs_a_tariff_and_a_forecast_high_a_forecast() -> None:
    assert any(
        "climate.in_peak: true: a [tariff] with a peak" in e for e in told("[climate]", "in_peak = true", tariff="")
    )
    [nothing] = told("[climate]", tariff="")
    assert "no time at which it counts" in nothing
    assert climate("[climate]", "in_outage = true", tariff="").in_peak is False
    [high] = told("[climate]", "[climate.precool]", sky="")
    assert high.startswith("climate.precool.high: no forecast: a connection that has a forecast")
    assert any(
        "a house is precooled for one" in e
        for e in told("[climate]", "in_outage = true", "[climate.precool]", tariff="")
    )


NO_SEASON = "no season, as the tariff has none; one begins with the line [[tariff.seasons]]"


def test_without_a_tariff_there_are_no_seasons() -> None:
    lines = ("[climate]", "in_outage = true", 'seasons = ["summer"]')
    assert told(*lines, tariff="") == [f'climate.seasons #1: "summer": {NO_SEASON}']
    whole_year = '[tariff]\n[[tariff.periods]]\nname = "always"\n'
    assert told(*lines, tariff=whole_year) == [f'climate.seasons #1: "summer": {NO_SEASON}']
    assert climate(*lines[:-1], tariff="").seasons == ()


BROKEN = [
    ("peak = true", 'peak = "yes"', "tariff.periods #1.peak"),
    ('from = "05-01"', 'from = "5-1"', "tariff.seasons #1.from"),
    ('name = "summer"', "name = 5", "tariff.seasons #1.name"),
    ('name = "off-peak"', 'name = "peak"', "tariff.periods #2.name"),
    (TARIFF, "[[tariff]]", "tariff"),
]


@pytest.mark.parametrize(("old", "new", "key"), BROKEN)
def test_what_is_wrong_with_the_tariff_is_not_told_again_of_the_thermostats(old: str, new: str, key: str) -> None:
    """Their seasons and peaks may be right once it is mended."""
    text = TARIFF.replace(old, new, 1).replace('{ seasons = ["summer"], days', "{ days")
    lines = ("[climate]", "in_peak = true", 'seasons = ["summer"]', "[climate.precool]", 'seasons = ["summer"]')
    [error] = told(*lines, tariff=text)
    assert error.startswith(f"{key}: ")
    [_, nonsense] = told(*lines[:2], "seasons = [5]", tariff=text)
    assert nonsense.startswith('climate.seasons #1: 5: a text in "quotes"')


def test_all_errors_are_told_at_once() -> None:
    assert (
        len(told("[climate]", 'unit = "K"', "warmest = 3", "cooling = 2", "[climate.precool]", "to = 3", 'at = "9"'))
        == 5
    )


def test_a_thermostat_is_in_no_tier() -> None:
    house = SITE + '[[tiers]]\nname = "x"\nat_once = true\nloads = ["hall"]\n'
    assert any("a load or a host" in text for text in told("[climate]", house=house))


def test_a_house_without_thermostats_has_no_climate() -> None:
    house = re.sub(r"\[connections.(hall|attic)\]\ntype = .*\n", "", SITE)
    assert any(text.startswith("climate.thermostats: none") for text in told("[climate]", house=house))


def test_what_the_docs_spell_out_are_the_defaults() -> None:
    page = (ROOT / "docs" / "climate.md").read_text()
    spelled = climate(*page.split("```toml\n")[1].split("```")[0].splitlines())
    assert spelled == climate("[climate]", "[climate.precool]")
    assert spelled == Climate(thermostats=("hall", "attic"), seasons=("summer",), precool=spelled.precool)
