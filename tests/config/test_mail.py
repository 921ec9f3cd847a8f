"""What the config says of mails, and what is refused with its reason and its cure."""

from __future__ import annotations

import pytest

from pimgr import config
from pimgr.policy.news.report_words import Reports
from pimgr.units import Percent, Watts
from tests.config.house import PLUGINS, VALID, changed

FOUND = '[mail]\nto = ["mail"]'


def mail(*lines: str, drill: str = "") -> Reports:
    text = changed((FOUND, "\n".join([FOUND, *lines, drill])))
    return config.parse(text, "pimgr.toml", PLUGINS).policy.reports


def told(*lines: str, drill: str = "") -> list[str]:
    with pytest.raises(config.ConfigErrors) as caught:
        mail(*lines, drill=drill)
    return [f"{error.key}: {error.expected}; {error.cure}" for error in caught.value.errors]


def test_without_a_word_there_are_no_reports_and_no_drill() -> None:
    assert config.parse(VALID, "x", PLUGINS).policy.reports == Reports()
    assert (Reports().daily, Reports().drill_weekday) == (False, None)


def test_reports_drill_and_limits_are_the_config_s() -> None:
    reports = mail(
        "daily_report = true",
        'report_at = "7:05"',
        "battery_low = [5, 20, 5]",
        'peak_import = "1 kW"',
        drill='[drill]\nweekly = "Sat 09:30"',
    )
    assert reports == Reports(
        daily=True,
        report_at_s=7 * 3600.0 + 300.0,
        battery_low=(Percent(20.0), Percent(5.0)),
        import_w=Watts(1000.0),
        drill_weekday=5,
        drill_at_s=9.5 * 3600.0,
    )


def test_an_empty_list_of_low_charges_tells_of_none() -> None:
    assert mail("battery_low = []").battery_low == ()


@pytest.mark.parametrize(
    ("line", "drill", "expected"),
    [
        ('report_at = "24:00"', "", 'mail.report_at: a local time of day, such as "20:00"; '),
        ("report_at = 20", "", 'mail.report_at: a local time of day, such as "20:00"; put it in quotes'),
        ("report_at = 20:00:00", "", 'mail.report_at: a local time of day, such as "20:00"; put it in quotes'),
        ('daily_report = "yes"', "", "mail.daily_report: true or false; "),
        (
            "battery_low = 15",
            "",
            "mail.battery_low: a list in brackets, each of it a percentage from 0 to 100, such as ",
        ),
        ("battery_low = [5, 101]", "", "mail.battery_low #2: a percentage from 0 to 100, such as 50; "),
        ("peak_import = 0", "", 'mail.peak_import: a power, such as "1 kW" or 1000; '),
        (
            "peak_imports = 1",
            "",
            "mail.peak_imports: one of the keys battery_low, daily_report, heartbeat, heartbeat_every, peak_import, "
            "report_at",
        ),
        ("", '[drill]\nweekly = "10:00"', 'drill.weekly: a day of the week and a local time, such as "sun 10:00"; '),
        ("", '[drill]\nweekly = "sun"', "drill.weekly: a day of the week and a local time"),
        ("", '[drill]\nweekly = "sun 25:00"', "drill.weekly: a day of the week and a local time"),
        ("", "[drill]\nweekly = 7", "drill.weekly: a day of the week and a local time"),
        ("", '[drill]\ndaily = "10:00"', "drill.daily: one of the keys weekly"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(line: str, drill: str, expected: str) -> None:
    [error] = told(line, drill=drill)
    assert error.startswith(expected)


def test_every_error_is_told_at_once() -> None:
    assert len(told('report_at = "x"', "battery_low = [-1]", "daily_report = 1", drill="[drill]\nweekly = 1")) == 4
