"""The weather is that of the place it says, and the forecast is wrong as forecasts are."""

from __future__ import annotations

import statistics

import pytest

from pimgr.simulate.outages import Outage
from pimgr.simulate.sun import clear_sky, sin_elevation, solar_hour, through_clouds
from pimgr.simulate.weather import Climate, Weather

NEW_YEAR = 1_767_254_400.0
"""2026-01-01T08:00Z: midnight in California."""
DAY_S, HOUR_S = 86400.0, 3600.0


@pytest.fixture(scope="module")
def year() -> Weather:
    return Weather(Climate(), NEW_YEAR, 365 * DAY_S, "test", ())


def month(weather: Weather, first_day: int) -> list:
    return weather.hours[first_day * 24 : (first_day + 30) * 24]


def test_july_is_as_warm_as_in_sacramento_and_january_as_cold(year):
    """NOAA normals 1991 to 2020: July 34.0 / 15.5 C, January 13.1 / 4.3 C, within the chance of one year."""
    july, january = month(year, 183), month(year, 0)
    assert statistics.mean(h.temperature for h in july) == pytest.approx(24.7, abs=2.5)
    assert statistics.mean(h.temperature for h in january) == pytest.approx(8.7, abs=2.5)
    highs = [max(h.temperature for h in july[d * 24 : d * 24 + 24]) for d in range(30)]
    assert statistics.mean(highs) == pytest.approx(34.0, abs=3.0)


def test_the_sun_gives_a_year_what_it_gives_sacramento(year):
    """NREL's NSRDB has about 1,900 kWh/m2 on level ground there."""
    assert sum(h.irradiance for h in year.hours[: 365 * 24]) / 1000.0 == pytest.approx(1900.0, rel=0.08)


def test_there_is_no_sun_at_night_and_it_stands_highest_at_noon():
    june = NEW_YEAR + 171 * DAY_S
    heights = [sin_elevation(june + h * HOUR_S, 38.58, -121.49) for h in range(24)]
    assert max(range(24), key=heights.__getitem__) in (12, 13)  # local standard time, begun at midnight
    assert max(heights) == pytest.approx(0.965, abs=0.01)  # 74.9 degrees at the solstice
    assert clear_sky(min(heights)) == 0.0
    assert solar_hour(june + 12 * HOUR_S, -121.49) == pytest.approx(11.88, abs=0.1)


def test_a_covered_sky_lets_a_quarter_through():
    assert through_clouds(800.0, 1.0) == pytest.approx(200.0)
    assert through_clouds(800.0, 0.0) == 800.0


def test_the_same_seed_makes_the_same_weather(year):
    assert Weather(Climate(), NEW_YEAR, 365 * DAY_S, "test", ()).hours == year.hours
    assert Weather(Climate(), NEW_YEAR, 365 * DAY_S, "other", ()).hours != year.hours


def test_a_forecast_is_better_for_the_next_hours_than_for_the_day_after_tomorrow(year):
    near, far = [], []
    for day in range(0, 360, 3):
        told = year.forecast(day * DAY_S)
        truth = year.hours[day * 24 : day * 24 + 48]
        near += [abs(f.solar_w_m2 - h.irradiance) for f, h in zip(told[:12], truth[:12], strict=True)]
        far += [abs(f.solar_w_m2 - h.irradiance) for f, h in zip(told[24:36], truth[24:36], strict=True)]
    assert 0.0 < statistics.mean(near) < statistics.mean(far)


def test_a_major_outage_comes_with_a_storm_that_the_forecast_mostly_has():
    outages = [Outage(start=n * 20 * DAY_S, end=n * 20 * DAY_S + HOUR_S, major=True) for n in range(1, 200)]
    weather = Weather(Climate(), NEW_YEAR, 4000 * DAY_S, "storms", outages)
    for outage in outages:
        assert weather.at(outage.start).gust > 75.0 / 3.6
    seen = [max(h.gust_m_s for h in weather.forecast(o.start - 12 * HOUR_S)) > 75.0 / 3.6 for o in outages]
    assert 0.75 < statistics.mean(seen) < 0.97


def test_the_highs_of_today_hold_what_was_measured_already(year):
    noon = 200 * DAY_S + 20 * HOUR_S
    today = ("2026-07-20", NEW_YEAR + 200 * DAY_S, NEW_YEAR + 201 * DAY_S)
    (day,) = year.days(noon, [today])
    assert day.high >= max(h.temperature for h in year.hours[4800:4820])
