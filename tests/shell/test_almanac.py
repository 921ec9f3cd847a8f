"""The almanac: windows without gap or overlap, each entered and left once, whatever clocks and calendars do."""

from __future__ import annotations

import shutil
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimgr import days_off
from pimgr.almanac import RETRY_S, Almanac, calendar
from pimgr.api import Now, replace
from pimgr.local_time import first_moment, last_moment, local, own_zone, zone_of
from pimgr.policy.battery.rates import Holidays, Hours, Period, Season, Tariff
from pimgr.policy.calendar import Place, Window
from pimgr.policy.terms import Policy
from pimgr.windows import Dated, season_of, windows
from tests.policy.days import HOLIDAYS, TARIFF
from tests.policy.profiles import ci

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Phoenix", "America/Havana")
WEEK = (0, 1, 2, 3, 4)
SUMMER, WINTER = TARIFF.seasons
OLD = replace(TARIFF, holidays=HOLIDAYS, exit_s=0.0)


def at(text: str, zone: str = "America/New_York", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def shown(wall: float, zone: str = "America/New_York") -> str:
    return f"{local(wall, ZoneInfo(zone)):%a %d %b %H:%M}"


def now(wall: float, trusted: bool = True) -> Now:
    return Now(1000.0, wall, "boot-1", trusted)


def around(tariff: Tariff, wall: float, zone: str = "America/New_York") -> tuple[Window, ...]:
    return calendar(Place(zone=zone), tariff, wall).windows


def night(**more: object) -> Tariff:
    """A cheap night from 22:00 to 06:00, and a peak of half an hour in the hour that Berlin's clocks pass twice."""
    hours = (
        Hours(period="peak", start_min=2 * 60 + 15, end_min=2 * 60 + 45),
        Hours(period="night", start_min=22 * 60, end_min=6 * 60),
    )
    periods = (Period(name="peak", peak=True), Period(name="night"), Period(name="day"))
    given_ = {"periods": periods, "default": "day", "hours": hours, "lead_s": 0.0, **more}
    return Tariff(**given_)  # type: ignore[arg-type]


def hours_of(tariff: Tariff, day: str, zone: str) -> list[str]:
    """The peaks that touch a day, as its clock shows them and as long as they are."""
    found = around(tariff, at(f"{day}T12:00", zone), zone)
    return [
        f"{local(w.start, ZoneInfo(zone)):%H:%M}-{local(w.end, ZoneInfo(zone)):%H:%M}, {(w.end - w.start) / 60:g} min"
        for w in found
        if w.peak and f"{local(w.begins, ZoneInfo(zone)):%Y-%m-%d}" == day
    ]


# -------------------------------------------------------------------------------------------------- days and the sun


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23.0),
        ("Europe/Berlin", "2026-10-25", 25.0),
        ("Europe/Berlin", "2026-06-01", 24.0),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("America/Havana", "2026-03-08", 23.0),  # its clocks go from 0:00 to 1:00: the day begins at 1:00
        ("America/Havana", "2026-11-01", 25.0),  # and from 1:00 to 0:00: midnight comes twice, the first counts
        ("America/Phoenix", "2026-03-08", 24.0),
    ],
)
def test_a_day_is_as_long_as_its_clocks_make_it(zone: str, day: str, hours: float) -> None:
    [mine] = [d for d in calendar(Place(zone=zone), None, at(f"{day}T12:00", zone)).days if d.date == day]
    assert (mine.end - mine.start) / 3600 == hours
    assert local(mine.start, ZoneInfo(zone)).strftime("%Y-%m-%d") == day
    assert local(mine.start - 1, ZoneInfo(zone)).strftime("%Y-%m-%d") < day


def test_the_calendar_goes_from_yesterday_to_three_days_ahead_without_a_gap() -> None:
    found = calendar(Place(zone="Europe/Berlin"), None, at("2026-03-29T12:00", "Europe/Berlin"))
    assert [d.date for d in found.days] == ["2026-03-28", "2026-03-29", "2026-03-30", "2026-03-31", "2026-04-01"]
    assert [d.weekday for d in found.days] == [5, 6, 0, 1, 2]
    assert all(one.end == two.start for one, two in pairwise(found.days))
    assert found.windows == ()


def test_a_day_that_a_country_left_out_is_left_out() -> None:
    """Samoa went from the 29th of December 2011 to the 31st."""
    days = calendar(Place(zone="Pacific/Apia"), None, at("2011-12-29T12:00", "Pacific/Apia")).days
    assert [d.date for d in days][:3] == ["2011-12-28", "2011-12-29", "2011-12-31"]
    assert days[1].end == days[2].start


@pytest.mark.parametrize(
    ("zone", "latitude", "longitude", "rise", "sets"),
    [
        ("Europe/Berlin", 52.52, 13.405, "04:43", "21:33"),
        ("America/Los_Angeles", 37.77, -122.42, "05:48", "20:35"),
        ("Pacific/Auckland", -36.85, 174.76, "07:33", "17:11"),
        ("Pacific/Kiritimati", 1.87, -157.4, "06:24", "18:37"),
    ],
)
def test_the_sun_rises_and_sets_within_the_local_day(
    zone: str, latitude: float, longitude: float, rise: str, sets: str
) -> None:
    """2026-06-21, as almanacs tell it, to a few minutes."""
    place = Place(zone=zone, latitude=latitude, longitude=longitude)
    for day in calendar(place, None, at("2026-06-21T12:00", zone)).days:
        assert day.sunrise is not None
        assert day.sunset is not None
        assert day.start <= day.sunrise < day.sunset < day.end
    [mine] = [d for d in calendar(place, None, at("2026-06-21T12:00", zone)).days if d.date == "2026-06-21"]
    assert abs((mine.sunrise or 0) - at(f"2026-06-21T{rise}", zone)) < 300
    assert abs((mine.sunset or 0) - at(f"2026-06-21T{sets}", zone)) < 300


def test_where_the_sun_does_neither_and_where_no_place_is_told_there_is_no_sunrise() -> None:
    north = Place(zone="Arctic/Longyearbyen", latitude=78.2, longitude=15.6)
    for place in (north, Place(zone="Arctic/Longyearbyen")):
        days = calendar(place, None, at("2026-06-21T12:00", "Arctic/Longyearbyen")).days
        assert {(d.sunrise, d.sunset) for d in days} == {(None, None)}


# ------------------------------------------------------------------------------------------------ the box's own zone


def test_without_a_word_of_the_config_the_boxs_own_zone_counts(tmp_path: Path) -> None:
    real = tmp_path / "zoneinfo" / "Europe" / "Berlin"
    real.parent.mkdir(parents=True)
    real.write_bytes(Path("/usr/share/zoneinfo/Europe/Berlin").read_bytes())
    (tmp_path / "localtime").symlink_to(real)
    assert str(own_zone({}, tmp_path / "localtime")) == "Europe/Berlin"
    assert str(own_zone({"TZ": ":Asia/Tokyo"}, tmp_path / "localtime")) == "Asia/Tokyo"
    assert str(own_zone({"TZ": "CET-1CEST"}, tmp_path / "localtime")) == "Europe/Berlin"
    copied = tmp_path / "copied"
    copied.write_bytes(real.read_bytes())
    assert own_zone({}, copied).utcoffset(datetime(2026, 7, 1)) == timedelta(hours=2)  # noqa: DTZ001
    assert own_zone({}, tmp_path / "missing") is UTC


def test_the_almanac_asks_the_box_where_the_config_doesnt_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    found = Almanac().around(Policy(), now(at("2026-07-31T23:30", "UTC")))
    assert found is not None
    today = found.day(at("2026-07-31T23:30", "UTC"))
    assert today is not None
    assert today.date == "2026-08-01"


def test_an_unknown_zone_is_said_once_and_schedules_wait(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match="no time zone is called Mars/Base"):
        zone_of("Mars/Base")
    book, lost = Almanac(), Policy(place=Place(zone="Mars/Base"))
    for s in (0.0, 5.0, RETRY_S + 5.0, 2 * RETRY_S + 10.0):
        assert book.around(lost, now(1.8e9 + s)) is None
    assert [record.message for record in caplog.records] == [
        "schedules wait, since the calendar can't be worked out: no time zone is called Mars/Base"
    ]
    assert book.around(Policy(place=Place(zone="Mars/Crater")), now(1.8e9)) is None
    assert len(caplog.records) == 2


def test_a_calendar_that_cant_be_worked_out_is_tried_again_after_an_hour(
    request: pytest.FixtureRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A box gets its zones by a package that is installed."""
    caplog.set_level("INFO", logger="pimgr.almanac")
    book, policy = Almanac(), Policy(place=Place(zone="Mars/Base"))
    request.addfinalizer(zoneinfo.reset_tzpath)
    request.addfinalizer(lambda: ZoneInfo.clear_cache(only_keys=["Mars/Base"]))
    zoneinfo.reset_tzpath([tmp_path])
    assert book.around(policy, now(1.8e9)) is None
    (tmp_path / "Mars").mkdir()
    shutil.copy(Path("/usr/share/zoneinfo/Europe/Berlin"), tmp_path / "Mars" / "Base")
    assert book.around(policy, now(1.8e9 + RETRY_S - 1.0)) is None
    assert book.around(policy, now(1.8e9 + RETRY_S)) is not None
    assert caplog.records[-1].message == "schedules go on: the calendar is worked out again"


# ------------------------------------------------------------------------------------------------------- the windows


def test_a_peak_is_entered_early_and_left_late_and_the_rest_is_what_remains() -> None:
    tariff = replace(OLD, exit_s=60.0)
    found = around(tariff, at("2026-07-30T12:00"))
    assert [(shown(w.start), w.period, shown(w.begins)) for w in found][3:6] == [
        ("Thu 30 Jul 13:50", "peak", "Thu 30 Jul 14:00"),
        ("Thu 30 Jul 20:01", "off-peak", "Thu 30 Jul 20:00"),
        ("Fri 31 Jul 13:50", "peak", "Fri 31 Jul 14:00"),
    ]
    assert [w.id for w in found][3:5] == ["2026-07-30 peak 14:00", "2026-07-30 off-peak 20:00"]


def test_the_first_period_in_order_counts() -> None:
    """A peak that is listed first cuts into the half-peak around it; that one is never entered early against it."""
    tariff = Tariff(
        periods=(Period(name="peak", peak=True), Period(name="half", peak=True), Period(name="off")),
        default="off",
        hours=(
            Hours(period="half", start_min=12 * 60, end_min=22 * 60),
            Hours(period="peak", start_min=16 * 60, end_min=20 * 60),
        ),
        exit_s=120.0,
    )
    found = around(tariff, at("2026-07-30T12:00"))
    assert [f"{w.period} {shown(w.start)[-5:]}-{shown(w.end)[-5:]}" for w in found if "2026-07-30" in w.id] == [
        "half 11:50-15:50",
        "peak 15:50-20:02",
        "half 20:02-22:02",
        "off 22:02-11:50",
    ]


def test_windows_of_one_period_that_touch_are_one() -> None:
    tariff = Tariff(
        periods=(Period(name="peak", peak=True), Period(name="off")),
        default="off",
        hours=tuple(Hours(period="peak", start_min=h * 60, end_min=(h + 1) * 60) for h in (16, 17, 18)),
    )
    assert hours_of(tariff, "2026-07-30", "America/New_York") == ["15:50-19:00, 190 min"]


def test_a_window_across_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    """Friday's night goes on into Saturday; Sunday has none; and the season is the first day's too."""
    tariff = Tariff(
        periods=(Period(name="night"), Period(name="day")),
        default="day",
        seasons=(SUMMER, WINTER),
        hours=(Hours(period="night", start_min=22 * 60, end_min=6 * 60, weekdays=WEEK, seasons=("summer",)),),
    )
    nights = [w for w in around(tariff, at("2026-10-31T12:00")) if w.period == "night"]  # a Saturday
    assert [(shown(w.start), shown(w.end)) for w in nights] == [
        ("Thu 29 Oct 22:00", "Fri 30 Oct 06:00"),
        ("Fri 30 Oct 22:00", "Sat 31 Oct 06:00"),
    ]


@pytest.mark.parametrize(
    ("zone", "day", "peaks"),
    [
        ("Europe/Berlin", "2026-03-29", []),  # 2:00 to 3:00 isn't there
        ("Europe/Berlin", "2026-10-25", ["02:15-02:45, 90 min"]),  # and is there twice: it counts to the end
        ("America/New_York", "2026-03-08", []),
        ("America/New_York", "2026-11-01", ["02:15-02:45, 30 min"]),  # there it is 1:00 to 2:00 that comes twice
        ("Australia/Lord_Howe", "2026-10-04", ["02:30-02:45, 15 min"]),  # 2:00 to 2:30 isn't there
        ("Australia/Lord_Howe", "2026-04-05", ["02:15-02:45, 30 min"]),  # 1:30 to 2:00 comes twice
        ("America/Phoenix", "2026-03-08", ["02:15-02:45, 30 min"]),
    ],
)
def test_hours_that_arent_there_or_come_twice(zone: str, day: str, peaks: list[str]) -> None:
    """From the first time that the clock shows the beginning (or jumps past it) to the last time of the end."""
    assert hours_of(night(), day, zone) == peaks


@pytest.mark.parametrize(("day", "length_h"), [("2026-03-28", 7), ("2026-10-24", 9), ("2026-06-24", 8)])
def test_a_night_is_as_long_as_the_clock_makes_it(day: str, length_h: int) -> None:
    tariff = night(hours=night().hours[1:])
    found = around(tariff, at(f"{day}T23:00", "Europe/Berlin"), "Europe/Berlin")
    [mine] = [w for w in found if w.id == f"{day} night 22:00"]
    assert (mine.end - mine.start) / 3600 == length_h


def test_the_lead_is_real_time_across_a_change_of_the_clocks() -> None:
    tariff = night(lead_s=7200.0, hours=(Hours(period="peak", start_min=180, end_min=300),))
    [mine] = [w for w in around(tariff, at("2026-03-29T12:00", "Europe/Berlin"), "Europe/Berlin") if "03-29" in w.id][
        :1
    ]
    assert shown(mine.start, "Europe/Berlin") == "Sun 29 Mar 00:00"


def test_a_default_window_lasts_over_weekend_and_holiday_and_has_one_name_all_the_while() -> None:
    """Christmas of 2027 is a Saturday and observed on Friday: off-peak from Thursday night to Monday."""
    names = set()
    for day in ("2027-12-24T08:00", "2027-12-25T12:00", "2027-12-26T12:00", "2027-12-27T04:00"):
        wall = at(day)
        [mine] = [w for w in around(OLD, wall) if w.start <= wall < w.end]
        names.add((mine.id, shown(mine.start), shown(mine.end)))
    assert names == {("2027-12-23 off-peak 21:00", "Thu 23 Dec 21:00", "Mon 27 Dec 04:50")}


def test_a_season_without_peaks_is_one_window_from_its_first_day_to_its_last() -> None:
    tariff = Tariff(periods=OLD.periods, default="off-peak", seasons=(SUMMER,), hours=OLD.hours[:1])
    names = {w.id for month in (1, 2, 3) for w in around(tariff, at(f"2026-{month:02}-10T12:00"))}
    assert names == {"2025-10-31 off-peak 20:00"}


def test_a_tariff_without_hours_is_one_window_that_always_was() -> None:
    tariff = Tariff(periods=(Period(name="flat", price=0.3),), default="flat")
    [mine] = around(tariff, at("2026-07-30T12:00"))
    assert (mine.id, mine.start, mine.season) == ("always flat", 0.0, "")
    assert mine.end > at("2026-08-02T12:00")


@pytest.mark.parametrize(
    ("day", "name"),
    [
        ("2026-05-01", "summer"), ("2026-10-31", "summer"), ("2026-11-01", "winter"), ("2026-12-31", "winter"),
        ("2027-01-01", "winter"), ("2027-04-30", "winter"), ("2028-02-29", "winter"),
    ],
)  # fmt: skip
def test_a_season_may_run_across_the_new_year(day: str, name: str) -> None:
    assert season_of(date.fromisoformat(day), (SUMMER, WINTER)) == name


def test_a_season_may_begin_or_end_on_the_29th_of_february() -> None:
    short, rest = Season(name="short", first="02-29", last="03-01"), Season(name="rest", first="01-01", last="02-29")
    assert season_of(date(2028, 2, 29), (short,)) == "short"
    assert season_of(date(2027, 2, 28), (short,)) == ""
    assert season_of(date(2027, 3, 1), (short,)) == "short"
    assert season_of(date(2027, 2, 28), (rest,)) == "rest"
    assert season_of(date(2028, 2, 29), (rest,)) == "rest"


# ---------------------------------------------------------------------------------------------------------- holidays


@pytest.mark.parametrize("year", [2021, 2026, 2027, 2028, 2035, 2060])
def test_holidays_are_computed_for_any_year(year: int) -> None:
    six = Holidays(
        country="US",
        names=("New Year's Day", "Memorial Day", "Independence Day", "Labor Day", "Thanksgiving", "Christmas Day"),
    )
    found = days_off.in_year(six, year)
    plain = {name for name in found.values() if "(observed)" not in name}
    assert len(plain) == 6
    for day, name in found.items():
        if "(observed)" in name:
            assert day.weekday() in (0, 4), "a holiday on a weekend is observed on the Friday or Monday beside it"


def test_the_new_year_may_be_observed_in_the_old_one() -> None:
    assert days_off.in_year(Holidays(country="US", names=("New Year",)), 2027) == {
        date(2027, 1, 1): "New Year's Day",
        date(2027, 12, 31): "New Year's Day (observed)",
    }


def test_days_of_ones_own_are_given_once_or_for_every_year() -> None:
    own = Holidays(dates=("12-24", "2026-08-15", "02-29"))
    assert days_off.in_year(own, 2026) == {date(2026, 12, 24): "own holiday", date(2026, 8, 15): "own holiday"}
    assert set(days_off.in_year(own, 2028)) == {date(2028, 12, 24), date(2028, 2, 29)}


def test_a_holiday_has_no_peak_and_is_named() -> None:
    found = calendar(Place(zone="America/New_York"), OLD, at("2026-07-03T12:00"))  # the 4th is a Saturday
    assert [d.holiday for d in found.days][1] == "Independence Day (observed)"
    assert not [w for w in found.windows if w.peak and "2026-07-03" in w.id]
    assert [w for w in found.windows if w.peak and "2026-07-02" in w.id]


def test_on_a_holiday_only_those_hours_count_that_name_holidays() -> None:
    hours = (Hours(period="peak", start_min=600, end_min=660), Hours(
        period="cheap", start_min=0, end_min=360, weekdays=(), holidays=True))  # fmt: skip
    tariff = Tariff(
        periods=(Period(name="peak", peak=True), Period(name="cheap"), Period(name="rest")),
        default="rest",
        hours=hours,
        holidays=Holidays(dates=("2026-08-15",)),
    )
    found = around(tariff, at("2026-08-15T12:00"))
    assert [w.id for w in found if w.period != "rest" and "2026-08-1" in w.id][:3] == [
        "2026-08-14 peak 10:00", "2026-08-15 cheap 00:00", "2026-08-16 peak 10:00",
    ]  # fmt: skip


def test_a_holiday_counts_for_windows_that_begin_on_it() -> None:
    """The night that begins on the eve goes on; the one that begins on the day itself doesn't come."""
    tariff = night(hours=night().hours[1:], holidays=Holidays(dates=("2026-08-15",)))
    nights = [w.id for w in around(tariff, at("2026-08-15T12:00")) if w.period == "night"]
    assert nights == [f"2026-08-{day} night 22:00" for day in (13, 14, 16, 17, 18)]


def test_only_a_configured_country_costs_the_library_of_holidays() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from pimgr.almanac import calendar; from pimgr.policy.calendar import Place;"
        "from pimgr.policy.battery.rates import Holidays, Period, Tariff;"
        "calendar(Place(zone='UTC'), Tariff(periods=(Period(name='a'),), default='a',"
        " holidays=Holidays(dates=('12-24',))), 1.8e9);"
        "sys.exit('holidays' in sys.modules or 'astral' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ------------------------------------------------------------------------------------------------------ when it is new


def test_nothing_is_told_while_nobody_trusts_the_clock() -> None:
    assert Almanac().around(Policy(tariff=OLD), now(at("2026-07-30T12:00"), trusted=False)) is None


def test_it_is_worked_out_once_a_day_and_when_the_policy_is_another() -> None:
    book, policy = Almanac(), Policy(place=Place(zone="America/New_York"), tariff=OLD)
    first = book.around(policy, now(at("2026-07-30T00:00")))
    assert first is not None
    assert book.around(policy, now(at("2026-07-30T23:59:59"))) is first
    second = book.around(policy, now(at("2026-07-31T00:00")))
    assert second is not first
    assert book.around(Policy(place=policy.place), now(at("2026-07-31T00:00"))) != second
    assert book.around(policy, now(at("2026-07-30T12:00"))) == first, "also when the clock is set back"


# ------------------------------------------------------------------------------------------- whatever the tariff says

minutes = st.integers(0, 1440)
made_hours = st.builds(
    Hours,
    period=st.sampled_from(["a", "b", "c"]),
    start_min=st.integers(0, 1439),
    end_min=minutes,
    weekdays=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
    seasons=st.sampled_from([(), ("summer",), ("winter",)]),
    holidays=st.booleans(),
)
tariffs = st.builds(
    Tariff,
    periods=st.just((Period(name="a", peak=True), Period(name="b", peak=True), Period(name="c"))),
    default=st.just("c"),
    seasons=st.just((SUMMER, WINTER)),
    hours=st.lists(made_hours, max_size=5).map(tuple),
    holidays=st.just(Holidays(dates=("07-04", "2026-10-25"))),
    lead_s=st.sampled_from([0.0, 600.0, 3600.0]),
    exit_s=st.sampled_from([0.0, 60.0]),
)


def dated(tariff: Tariff, zone: str) -> Dated:
    return Dated(tariff, ZoneInfo(zone), lambda day: days_off.in_year(tariff.holidays, day.year).get(day, ""))


@ci(150)
@given(tariffs, st.sampled_from(ZONES), st.dates(date(2026, 1, 1), date(2035, 12, 31)))
def test_windows_follow_each_other_without_gap_or_overlap(tariff: Tariff, zone: str, day: date) -> None:
    start = first_moment(day, 0, ZoneInfo(zone))
    found = windows(dated(tariff, zone), start, start + 20 * 86400)
    assert found[0].start <= start
    assert found[-1].end >= start + 20 * 86400
    for one, two in pairwise(found):
        assert one.end == two.start
        assert one.period != two.period
    assert all(w.start < w.end for w in found)
    assert len({w.id for w in found}) == len(found)


@ci(100)
@given(tariffs, st.sampled_from(ZONES), st.sampled_from([date(2026, 3, 1), date(2026, 10, 3), date(2026, 4, 1)]))
def test_at_every_moment_the_first_period_in_force_is_the_one(tariff: Tariff, zone: str, day: date) -> None:
    """Told the slow way: each stretch by itself, and at each quarter of an hour who is in force."""
    where = ZoneInfo(zone)
    start = first_moment(day, 0, where)
    found = windows(dated(tariff, zone), start, start + 35 * 86400)
    by_period: dict[str, list[tuple[float, float]]] = {"a": [], "b": [], "c": []}
    for number in range(-3, 38):
        mine = day + timedelta(days=number)
        off = days_off.in_year(tariff.holidays, mine.year).get(mine)
        for hours in tariff.hours:
            if hours.seasons and season_of(mine, tariff.seasons) not in hours.seasons:
                continue
            if not (hours.holidays if off else mine.weekday() in hours.weekdays):
                continue
            over = 0 if hours.end_min > hours.start_min else 1440
            begins, ends = first_moment(mine, hours.start_min, where), last_moment(mine, hours.end_min + over, where)
            if ends > begins:
                early, late = (0.0, 0.0) if hours.period == "c" else (tariff.lead_s, tariff.exit_s)
                by_period[hours.period].append((begins - early, ends + late))
    for quarter in range(0, 35 * 96, 3):
        moment = start + quarter * 900 + 7
        wanted = next((p for p in "abc" if any(b <= moment < e for b, e in by_period[p])), "c")
        [mine_] = [w.period for w in found if w.start <= moment < w.end]
        assert mine_ == wanted


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES)
def test_in_ten_years_each_window_is_entered_and_left_once_whatever_day_is_asked(zone: str) -> None:
    """As pimgr asks: what was told of a window some days ago is told today, to the second."""
    book, policy = Almanac(), Policy(place=Place(zone=zone), tariff=OLD)
    seen: dict[str, Window] = {}
    day = date(2026, 1, 1)
    while day < date(2036, 1, 1):
        found = book.around(policy, now(first_moment(day, 12 * 60, ZoneInfo(zone))))
        assert found is not None
        for window in found.windows:
            assert seen.setdefault(window.id, window) == window
        day += timedelta(days=3)
    row = sorted(seen.values(), key=lambda w: w.start)
    assert all(one.end == two.start for one, two in pairwise(row))
    assert len({w.start for w in row}) == len(row)
    peaks = [w for w in row if w.peak]
    assert {(w.ends - w.begins) / 3600 for w in peaks} == {6.0, 4.0}
    assert {local(w.begins, ZoneInfo(zone)).strftime("%H:%M") for w in peaks} == {"14:00", "05:00", "17:00"}
    assert {local(w.start, ZoneInfo(zone)).strftime("%H:%M") for w in peaks} == {"13:50", "04:50", "16:50"}
