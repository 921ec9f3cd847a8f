"""What the config lays down, as the pure ring sees it: parts, tiers, timing, battery. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pimgr.api import Frozen
from pimgr.policy.aspects import Aspect, Value
from pimgr.policy.battery.rates import Tariff
from pimgr.policy.battery.settings import SitePolicy
from pimgr.policy.calendar import Place
from pimgr.policy.news.report_words import Reports
from pimgr.policy.shedding.allowance import BudgetPolicy
from pimgr.policy.thermostats.comfort import Climate
from pimgr.units import Percent, WattHours, Watts


class Origin(Frozen):
    """How to open a part again though it left the config: connection id, device type, its table (secrets by name)."""

    connection: str
    type: str
    table: dict[str, Any]


class PartPolicy(Frozen, kw_only=True):
    """`fresh_s`: a reading no older may be acted on; `witness`: while this part answers, a silent host is off.

    `shed_to`: the level to which a graded load is taken. `calls_off`: a host that may still be asked to stay up.
    `watts`: what it draws where nothing measures it. `min_off_s`: it stays off so long, for the sake of a compressor.
    `after`: parts that must be off before this one is asked to go off, and that need it back before they come back.
    `deadline_s`: how long the others wait for it at most, both ways.
    `outlet`: the load that feeds this host, cut once its off is proven and `cut_after_s` went by.
    """

    aspect: Aspect
    origin: Origin
    title: str = ""
    fresh_s: float = 60.0
    enforce: bool = False
    witness: str | None = None
    shed_to: float = 0.0
    calls_off: bool = False
    watts: Watts | None = None
    min_off_s: float = 0.0
    after: tuple[str, ...] = ()
    outlet: str | None = None
    cut_after_s: float = 30.0
    deadline_s: float = 300.0


class Goal(Frozen):
    """How long the battery shall last: `for_s` from the outage's beginning, and as long again; or until each sunrise.

    Without a trusted clock, or a place, nobody knows when the sun rises: then `for_s` holds. `left`: what the battery
    still holds then, since a night may cost more than it seems in the evening, and the sun is weak when it rises.
    """

    for_s: float = 8 * 3600.0
    sunrise: bool = False
    left: Percent = Percent(10.0)


class Tier(Frozen, kw_only=True):
    """Loads that go off in order, when any of its conditions holds; without one, at once.

    `after_s`: the outage lasted so long; `below`: the charge is below it; `below_runtime_s`: no more is left of it.
    While the outage lasts, they come back when no condition holds any more: by charge at `restore_above` (above
    `below`), by runtime at `restore_runtime_s` with them on; and those that went off at once or by time at
    `restore_above`, if it is given, once the sun has filled the battery again. `keep`: instead, only the fewest of its
    loads go off that make the battery last, and only as long as they are needed; the first of them go first.
    """

    name: str
    loads: tuple[str, ...]
    below: Percent | None = None
    restore_above: Percent | None = None
    after_s: float | None = None
    below_runtime_s: float | None = None
    restore_runtime_s: float | None = None
    keep: Goal | None = None

    @property
    def at_once(self) -> bool:
        """Whether it goes off as soon as the outage is confirmed."""
        return self.below is None and self.after_s is None and self.below_runtime_s is None and self.keep is None


class StandingTarget(Frozen):
    """A keep written in the config: how a load stands when nothing takes it."""

    part: str
    value: Value


class Timing(Frozen, kw_only=True):
    """Durations in s. `max_gap_s`: per grid source, the longest silence that still counts as continuous.

    `restore_charge`: giving back after an outage waits for this charge, `restore_wait_s` at most; and an hour at most
    while nobody knows the charge.
    """

    confirm_s: float = 4.0
    settle_s: float = 300.0
    stagger_s: float = 5.0
    enforce_every_s: float = 60.0
    nag_after_s: float = 600.0
    nag_every_s: float = 86400.0
    max_gap_s: Mapping[str, float] = {}
    restore_charge: Percent = Percent(0.0)
    restore_wait_s: float = 12 * 3600.0


class BatteryPolicy(Frozen, kw_only=True):
    """For the estimate while readings are missing: `assumed_load` W at least, out of `capacity` Wh.

    `solar_w_per_w_m2`: what the panels give for each W/m2 that is forecast; None: the forecast's sun isn't counted.
    """

    capacity: WattHours = WattHours(13500.0)
    assumed_load: Watts = Watts(1000.0)
    stale_after_s: float = 60.0
    solar_w_per_w_m2: float | None = None


class Policy(Frozen, kw_only=True):
    """The config as the pure ring sees it. `never_shed` wins over every tier."""

    parts: Mapping[str, PartPolicy] = {}
    tiers: tuple[Tier, ...] = ()
    never_shed: tuple[str, ...] = ()
    keeps: tuple[StandingTarget, ...] = ()
    timing: Timing = Timing()
    battery: BatteryPolicy = BatteryPolicy()
    budget: BudgetPolicy = BudgetPolicy()
    site: SitePolicy = SitePolicy()
    place: Place | None = None
    tariff: Tariff | None = None
    climate: Climate | None = None
    reports: Reports = Reports()
    ignore_intentional: bool = False
    """Whether going off-grid on purpose, where a reading tells, is no outage."""

    @property
    def zone(self) -> str:
        """Whose clock people read: IANA's name; "": the box's own."""
        return self.place.zone if self.place else ""
