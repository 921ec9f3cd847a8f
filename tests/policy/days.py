"""A desk with a calendar on the wall: ticks are named by what clocks in the house show."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from pimgr.almanac import Almanac
from pimgr.api import Now, SiteMode, SiteReading
from pimgr.policy.battery.rates import Holidays, Hours, Period, Season, Tariff
from pimgr.policy.calendar import Place
from pimgr.policy.model import Command, Decision, Notice, Outcome, Policy
from pimgr.policy.news.report_words import Reports
from pimgr.units import Percent, Watts
from tests.policy.desk import Desk, house
from tests.policy.world import EPOCH, GATEWAY

ZONE = "America/New_York"
WORKDAYS = (0, 1, 2, 3, 4)
TARIFF = Tariff(
    periods=(Period(name="peak", peak=True), Period(name="off-peak")),
    default="off-peak",
    seasons=(Season(name="summer", first="05-01", last="10-31"), Season(name="winter", first="11-01", last="04-30")),
    hours=(
        Hours(period="peak", start_min=14 * 60, end_min=20 * 60, weekdays=WORKDAYS, seasons=("summer",)),
        Hours(period="peak", start_min=5 * 60, end_min=9 * 60, weekdays=WORKDAYS, seasons=("winter",)),
        Hours(period="peak", start_min=17 * 60, end_min=21 * 60, weekdays=WORKDAYS, seasons=("winter",)),
    ),
    exit_s=60.0,
)
"""The predecessor's: peaks on workdays, one in summer, two in winter, left a minute late."""
HOLIDAYS = Holidays(country="US", names=("Independence Day", "Christmas", "New Year"))
DAILY = Reports(daily=True)


def dated(
    *, reports: Reports | None = None, zone: str = ZONE, tariff: Tariff | None = TARIFF, **more: object
) -> Policy:
    """The desk's house with a place, a tariff and a daily report."""
    return house(place=Place(zone=zone), tariff=tariff, reports=reports or Reports(daily=True), **more)


class Days(Desk):
    """Begins at `start`, local time of the policy's place. `mail`: all that was told, with the local time."""

    def __init__(self, policy: Policy | None = None, start: str = "2026-07-15T10:00") -> None:
        super().__init__(policy or dated())
        self.zone = ZoneInfo((self.policy.place or Place()).zone or "UTC")
        self.almanac = Almanac()
        self.posted: list[tuple[str, Notice]] = []
        self.wall_error = self.moment(start) - EPOCH - self.t

    def moment(self, text: str, fold: int = 0) -> float:
        return datetime.fromisoformat(text).replace(tzinfo=self.zone, fold=fold).timestamp()

    def shown(self) -> str:
        """What clocks in the house show: "Wed 15 Jul 10:00"."""
        return f"{datetime.fromtimestamp(self.instant().wall, self.zone):%a %d %b %H:%M}"

    def until(self, text: str, fold: int = 0) -> None:
        """Time passes until then."""
        self.t += self.moment(text, fold) - self.instant().wall

    def tick(
        self, t: float | None = None, grid: str = "", outcomes: tuple[Outcome, ...] = (), command: Command | None = None
    ) -> Decision:
        self.t = self.t if t is None else t
        i = self.instant()
        self.calendar = self.almanac.around(self.policy, Now(i.mono_s, i.wall, i.boot, self.trusted))
        decision = super().tick(grid=grid, outcomes=outcomes, command=command)
        self.posted += [(self.shown(), notice) for notice in decision.notices]
        return decision

    def meters(self, charge: float = 80.0, **powers: float) -> None:
        """What the meters tell now: grid, battery, solar and load in W."""
        self.site = SiteReading(
            at=self.instant(),
            source=GATEWAY,
            charge=Percent(charge),
            reserve=Percent(20.0),
            mode=SiteMode.SELF_CONSUMPTION,
            **{f"{name}_w": Watts(power) for name, power in powers.items()},
        )

    def subjects(self) -> list[str]:
        return [f"{at} {notice.subject}" for at, notice in self.posted]

    def last(self, subject: str) -> Notice:
        """The last mail whose subject begins so."""
        return next(notice for _, notice in reversed(self.posted) if notice.subject.startswith(subject))
