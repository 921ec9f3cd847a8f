"""What the config may say of place and tariff, and what is refused with its reason and its cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from pimgr import config, plugins
from pimgr.api import SiteMode
from pimgr.policy.battery.rates import Floor, Holidays, Hours, Period, Season
from pimgr.policy.calendar import Place
from pimgr.units import Percent
from tests.config.house import PLUGINS, VALID

EXAMPLE = Path(__file__).resolve().parents[2] / "etc" / "examples" / "powermgr_v2.toml"
TESLA = '\n[connections.tesla]\ntype = "acme.control"\n'
TARIFF = """
[place]
timezone = "Europe/Berlin"
latitude = 52.5
longitude = 13.4

[tariff]
lead = "10min"
exit_delay = "1min"

[[tariff.seasons]]
name = "summer"
from = "05-01"
to = "10-31"

[[tariff.seasons]]
name = "winter"
from = "11-01"
to = "04-30"

[[tariff.periods]]
name = "peak"
peak = true
reserve = 30
price = 0.5
hours = [
    { seasons = ["summer"], days = ["mon-fri"], from = "14:00", to = "20:00" },
    { days = ["fri-mon", "holidays"], from = "22:00", to = "6:30" },
]

[[tariff.periods]]
name = "off-peak"
reserve = 100
price = 0.2

[tariff.holidays]
country = "DE"
subdivision = "BY"
names = ["Neujahr", "Christmas"]
dates = ["12-24", "2026-08-15", "02-29"]
"""


def house(text: str = TARIFF, *, battery: str = "") -> config.HouseConfig:
    base = VALID.replace("assumed_load = 800", f"assumed_load = 800\n{battery}")
    return config.parse(base + TESLA + text, "pimgr.toml", PLUGINS)


def told(text: str = TARIFF, *, battery: str = "") -> list[str]:
    with pytest.raises(config.ConfigErrors) as caught:
        house(text, battery=battery)
    return [f"{e.key}: {e.found}: {e.expected}; {e.cure}" for e in caught.value.errors]


def changed(old: str, new: str, text: str = TARIFF) -> str:
    assert text.count(old) >= 1, old
    return text.replace(old, new, 1)


def test_a_tariff_is_read_as_it_is_written() -> None:
    policy = house().policy
    assert policy.place == Place(zone="Europe/Berlin", latitude=52.5, longitude=13.4)
    tariff = policy.tariff
    assert tariff is not None
    assert (tariff.lead_s, tariff.exit_s, tariff.default, tariff.floor) == (600.0, 60.0, "off-peak", Floor())
    assert tariff.periods == (
        Period(name="peak", peak=True, reserve=Percent(30.0), price=0.5),
        Period(name="off-peak", reserve=Percent(100.0), price=0.2),
    )
    assert tariff.seasons == (
        Season(name="summer", first="05-01", last="10-31"),
        Season(name="winter", first="11-01", last="04-30"),
    )
    assert tariff.hours == (
        Hours(period="peak", start_min=840, end_min=1200, weekdays=(0, 1, 2, 3, 4), seasons=("summer",)),
        Hours(period="peak", start_min=1320, end_min=390, weekdays=(0, 4, 5, 6), holidays=True),
    )
    assert tariff.holidays == Holidays(
        country="DE", subdivision="BY", names=("Neujahr", "Christmas"), dates=("12-24", "2026-08-15", "02-29")
    )


def test_without_a_word_there_is_no_tariff_and_no_place() -> None:
    policy = config.parse(VALID, "x", PLUGINS).policy
    assert (policy.tariff, policy.place) == (None, None)


def test_each_figure_of_the_floor_may_be_set() -> None:
    floor = """
[tariff.floor]
percent = 30
storm = 100
gusts = 50
gust_speed = "50 mph"
gusts_within = "12h"
after_outage = 5
outage_within = "3d"
"""
    found = house(TARIFF + floor).policy.tariff
    assert found is not None
    assert found.floor == Floor(
        percent=Percent(30.0),
        storm=Percent(100.0),
        gust=Percent(50.0),
        gust_m_s=pytest.approx(22.352),
        gust_ahead_s=43200.0,
        after_outage=Percent(5.0),
        after_outage_s=259200.0,
    )


def test_a_period_may_set_the_mode_and_charging_from_the_grid_too() -> None:
    text = changed("reserve = 30", 'reserve = 30\nmode = "self_consumption"\ngrid_charging = false')
    text = changed("reserve = 100", 'reserve = 100\nmode = "backup"\ngrid_charging = true', text)
    found = house(text).policy.tariff
    assert found is not None
    assert [(p.mode, p.grid_charging) for p in found.periods] == [
        (SiteMode.SELF_CONSUMPTION, False),
        (SiteMode.BACKUP, True),
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Europe/Berlin", "Europe/Berln", 'place.timezone: "Europe/Berln": a time zone such as'),
        ("Europe/Berlin", "Europe/Berln", 'did you mean "Europe/Berlin"?'),
        ("Europe/Berlin", "Los Angeles", 'did you mean "America/Los_Angeles"?'),
        ("Europe/Berlin", "../passwd", "place.timezone"),
        ("Europe/Berlin", "", "place.timezone"),
        ("latitude = 52.5\n", "", "place.latitude: no such key: latitude in degrees beside longitude"),
        ("latitude = 52.5", "latitude = 152.5", "place.latitude: 152.5: degrees from -90 to 90"),
        ('lead = "10min"', "lead = 10", "tariff.lead: 10: a duration from 0 s to 2 h"),
        ('lead = "10min"', 'led = "10min"', 'did you mean "lead"?'),
        ('from = "05-01"', 'from = "5-1"', 'tariff.seasons #1.from: "5-1": month and day, such as "05-01"'),
        ('from = "05-01"', 'from = "04-31"', "no calendar has that day"),
        ('from = "05-01"', 'from = "2026-05-01"', 'it comes every year: write "05-01"'),
        ('to = "10-31"', 'to = "11-01"', '11-01 belongs to "summer"; let one end on the day before the other begins'),
        ('name = "winter"', 'name = "summer"', "tariff.seasons #2.name"),
        ('["summer"]', '["sumer"]', 'did you mean "summer"?'),
        ('from = "14:00"', 'from = "14"', 'periods #1.hours #1.from: "14": a local time of day, such as "20:00"'),
        ('from = "14:00"', 'from = "24:00"', "hours and minutes of a day with 24 hours"),
        ('from = "14:00"', "from = 14:00:00", 'put it in quotes: "14:00"'),
        ('to = "20:00"', 'to = "24:30"', "hours and minutes of a day with 24 hours"),
        ('to = "20:00"', 'to = "14:00"', 'a whole day is from "00:00" to "24:00"'),
        ('"mon-fri"', '"mon-fry"', 'hours #1.days #1: "mon-fry": mon, tue, wed'),
        ('"mon-fri"', '"holyday"', 'did you mean "holidays"?'),
        ('["mon-fri"]', "[]", "without the line, hours count on every day but holidays"),
        (
            "reserve = 30",
            "reserve = 90",
            "periods #1.reserve: 90: 0 to 80, or 100: Powerwalls refuse what lies between",
        ),
        ("reserve = 30", "reserve = 30\nfloor = 85", "periods #1.floor: 85: 0 to 80, or 100"),
        ("reserve = 30", "reserve = 10", "periods #1.reserve: 10: at least 20, the floor that a peak leaves"),
        ("reserve = 30", "reserve = 0", "write 20, or floor = 0 beside it if an outage may find so little"),
        ("reserve = 30", "reserve = 30\nfloor = 40", "periods #1.reserve: 30: at least 40"),
        ("reserve = 100\n", "", "else it would stay as the period before left it"),
        ("price = 0.2\n", "", 'a price for this period too, as "peak" has one: else its costs can\'t be told'),
        ("price = 0.2", "price = -1", "tariff.periods #2.price: -1: a price of one kWh"),
        ('name = "off-peak"', 'name = "peak"', "a name for each period of its own"),
        ('country = "DE"', 'country = "de"', 'did you mean "DE"?'),
        ('country = "DE"', 'country = "XX"', "a country's two letters"),
        ('country = "DE"', 'country = "country_holidays"', "a country's two letters"),
        ('country = "DE"\n', "", "a country beside it"),
        ('subdivision = "BY"', 'subdivision = "CA"', "tariff.holidays.subdivision"),
        ('"Neujahr"', '"Newyear"', "how one of these begins: New Year's Day, Epiphany"),
        ('"Christmas"', '"Cristmas Day"', 'did you mean "Christmas Day"?'),
        ('"12-24"', '"24.12."', "tariff.holidays.dates #1"),
        ('"2026-08-15"', '"2026-02-29"', "no calendar has that day"),
        ('"2026-08-15"', "2026-08-15", 'put it in quotes: "2026-08-15"'),
    ],
)
def test_what_can_not_be_is_refused(old: str, new: str, said: str) -> None:
    errors = told(changed(old, new))
    assert any(said in error for error in errors), errors
    assert len(errors) == 1, errors


def test_everything_that_is_wrong_is_told_at_once() -> None:
    text = changed("Europe/Berlin", "Mars")
    text = changed('from = "05-01"', 'from = "13-01"', text)
    text = changed("reserve = 30", "reserve = 0", text)
    text = changed('"Neujahr"', '"Sol"', text)
    keys = [error.split(":")[0] for error in told(text)]
    assert keys == [
        "place.timezone", "tariff.seasons #1.from", "tariff.periods #1.reserve", "tariff.holidays.names #1",
    ]  # fmt: skip


def test_a_period_that_is_never_in_force_is_refused() -> None:
    more = '[[tariff.periods]]\nname = "noon"\nreserve = 50\nprice = 1\nhours = [HOURS]\n\n[tariff.holidays]'
    inside = '{ days = ["tue"], seasons = ["summer"], from = "15:00", to = "16:00" }'
    [error] = told(changed("[tariff.holidays]", more.replace("HOURS", inside)))
    assert 'hours beyond those of "peak", since' in error
    assert "move the period up" in error
    for outside in (inside.replace("tue", "sat"), inside.replace("16:00", "20:01"), inside.replace("summer", "winter")):
        assert house(changed("[tariff.holidays]", more.replace("HOURS", outside)))
    only_holidays = '{ days = ["holidays"], from = "15:00", to = "16:00" }'
    assert house(changed("[tariff.holidays]", more.replace("HOURS", only_holidays)))


@pytest.mark.parametrize(
    ("days", "hours", "holidays", "ever"),
    [
        ("mon-fri", '{ days = ["tue"], from = "05:00", to = "06:00" }', "", False),
        ("mon-fri", '{ days = ["tue"], from = "05:00", to = "06:01" }', "", True),
        ("mon-fri", '{ days = ["mon"], from = "05:00", to = "06:00" }', "", True),
        ("mon-fri", '{ days = ["sat"], from = "23:00", to = "02:00" }', "", True),
        ("mon-fri", '{ days = ["fri"], from = "23:00", to = "02:00" }', "", False),
        # A Tuesday after a holiday, whose night isn't the peak's.
        ("mon-fri", '{ days = ["tue"], from = "05:00", to = "06:00" }', "12-24", True),
        ('mon-fri", "holidays', '{ days = ["tue"], from = "05:00", to = "06:00" }', "12-24", False),
        ('mon-sun", "holidays', '{ days = ["holidays"], from = "00:00", to = "06:00" }', "12-24", False),
    ],
)
def test_a_night_reaches_into_the_day_after_it(days: str, hours: str, holidays: str, ever: bool) -> None:
    lines = ["[tariff]"]
    night = f'{{ days = ["{days}"], from = "22:00", to = "06:00" }}'
    for name, its in (("night", night), ("early", hours), ("rest", "")):
        lines += ["[[tariff.periods]]", f'name = "{name}"', *([f"hours = [{its}]"] if its else [])]
    text = "\n".join([*lines, "[tariff.holidays]", f'dates = ["{holidays}"]' if holidays else ""])
    if ever:
        assert house(text)
    else:
        [error] = told(text)
        assert error.startswith("tariff.periods #2.hours: ")
        assert "it is never in force" in error


def test_exactly_one_period_has_no_hours() -> None:
    [error] = told(changed("reserve = 100", 'reserve = 100\nhours = [{ from = "00:00", to = "24:00" }]'))
    assert "one period without hours, which is in force whenever no other is" in error
    more = '[[tariff.periods]]\nname = "rest"\nreserve = 50\nprice = 1\n\n[tariff.holidays]'
    [error] = told(changed("[tariff.holidays]", more))
    assert 'hours, since "off-peak" has none already' in error


def test_what_is_wrong_with_a_floor_is_not_told_again_of_the_reserve() -> None:
    [error] = told(changed("reserve = 30", "reserve = 0\nfloor = 90"))
    assert error.startswith("tariff.periods #1.floor: 90: ")
    [error] = told(changed("reserve = 30", "reserve = 0") + '\n[tariff.floor]\npercent = "none"\n')
    assert error.startswith('tariff.floor.percent: "none": ')


def test_a_reserve_below_the_floor_is_taken_where_the_floor_is_said() -> None:
    assert house(changed("reserve = 30", "reserve = 0\nfloor = 0"))
    assert house(changed("reserve = 30", "reserve = 0") + "\n[tariff.floor]\npercent = 0\n")


@pytest.mark.parametrize("line", ["reserve = 40", 'reserve = "40 %"'])
def test_the_tariff_and_the_battery_cant_both_want_a_reserve(line: str) -> None:
    [error] = told(battery=line)
    assert error.startswith("battery.reserve: ")
    assert "no reserve here, since the tariff's periods have one" in error


def test_what_the_tariff_doesnt_set_the_battery_may() -> None:
    assert house(battery='mode = "self_consumption"').policy.site.keep


def test_a_tariff_that_sets_something_needs_somebody_who_can() -> None:
    with pytest.raises(config.ConfigErrors) as caught:
        config.parse(VALID + TARIFF, "pimgr.toml", PLUGINS)
    assert "a connection that can set it" in str(caught.value)


def test_a_tariff_without_settings_needs_nobody() -> None:
    """For its prices, or for what the climate does in a peak."""
    text = TARIFF.replace("reserve = 30\n", "").replace("reserve = 100\n", "")
    assert config.parse(VALID + text, "pimgr.toml", PLUGINS).policy.tariff is not None


def test_the_example_of_the_predecessor_is_valid_and_warns_of_nothing() -> None:
    found = config.parse(EXAMPLE.read_text(encoding="utf-8"), "example", plugins.load())
    tariff = found.policy.tariff
    assert tariff is not None
    assert found.policy.site.controls == ("tesla",)
    assert [(p.name, p.reserve, p.floor) for p in tariff.periods] == [("peak", 0.0, 0.0), ("off-peak", 100.0, None)]


def test_without_its_floor_the_example_is_refused() -> None:
    text = EXAMPLE.read_text(encoding="utf-8").replace("\nfloor = 0\n", "\n")
    with pytest.raises(config.ConfigErrors) as caught:
        config.parse(text, "example", plugins.load())
    [error] = caught.value.errors
    assert error.key == "tariff.periods #1.reserve"
    assert "floor = 0" in error.cure
