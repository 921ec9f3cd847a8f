"""Who is told, and what is told unasked: the day's report, a low battery, buying in a peak, the weekly drill."""

from __future__ import annotations

from pimgr.config.errors import listed
from pimgr.config.fields import FLAG, PERCENT, WATTS, Bad, Field, Table
from pimgr.config.parts import NOTIFIER, Parts
from pimgr.config.times import TIME, WEEKDAYS, minutes
from pimgr.policy.news.report_words import Reports
from pimgr.units import Percent, Watts


def _weekly(value: object) -> tuple[int, float]:
    """The weekday (0 is Monday), and seconds after midnight."""
    day, _, clock = value.strip().partition(" ") if isinstance(value, str) else ("", "", value)
    if not isinstance(value, str) or day.lower()[:3] not in WEEKDAYS or not clock:
        raise Bad("put it in quotes" if not isinstance(value, str) else f"days are {listed(WEEKDAYS)}")
    return WEEKDAYS.index(day.lower()[:3]), 60.0 * minutes(clock)


WEEKLY = Field('a day of the week and a local time, such as "sun 10:00"', _weekly)


class Mail:
    """Reads `[mail]` and `[drill]`."""

    def __init__(self, top: Table, parts: Parts) -> None:
        self.mail, self.drill, self.parts = top.table("mail"), top.table("drill"), parts

    def notifiers(self) -> tuple[str, ...]:
        """The parts that carry messages: those of the config, else all that can."""
        named = self.parts.several(self.mail, "to", NOTIFIER)
        return self.parts.all(NOTIFIER) if named is None else named

    def reports(self) -> Reports:
        """What is told without being asked for."""
        usual = Reports()
        weekday, at_s = self.drill.get("weekly", WEEKLY, (None, usual.drill_at_s))
        return Reports(
            daily=self.mail.get("daily_report", FLAG, usual.daily),
            report_at_s=60.0 * self.mail.get("report_at", TIME, usual.report_at_s / 60.0),
            import_w=Watts(self.mail.get("peak_import", WATTS, usual.import_w)),
            battery_low=self._battery_low(usual.battery_low),
            drill_weekday=weekday,
            drill_at_s=at_s,
        )

    def _battery_low(self, usual: tuple[Percent, ...]) -> tuple[Percent, ...]:
        found = self.mail.items("battery_low", PERCENT)
        return usual if found is None else tuple(sorted({Percent(percent) for percent in found}, reverse=True))

    def close(self) -> None:
        """Report the keys that nobody asked for."""
        self.mail.close()
        self.drill.close()
