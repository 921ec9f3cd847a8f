"""The words of the policy: what it knows (`State`), is told (`Inputs`), wants, and decides. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pimgr.api import (
    ForecastReading,
    Frozen,
    Grid,
    GridReading,
    HostReading,
    Instant,
    LevelReading,
    LoadReading,
    Severity,
    SiteReading,
    ThermostatReading,
)
from pimgr.policy.aspects import Aspect, HostPower, Level, SetPoints, Switch, Value, Wish
from pimgr.policy.battery.rates import Schedule
from pimgr.policy.battery.settings import SiteState, Span
from pimgr.policy.calendar import Calendar
from pimgr.policy.ledger.layers import Due, Proof
from pimgr.policy.news.report_words import Drill, Metering, Reports, ReportState
from pimgr.policy.persons.people import Ack, Alert, Arm, Disarm, Disarmed, Family, Keep, Lease, LetGo
from pimgr.policy.shedding.allowance import Budget, Draw
from pimgr.policy.terms import (
    BatteryPolicy,
    Goal,
    Origin,
    PartPolicy,
    Policy,
    StandingTarget,
    Tier,
    Timing,
)
from pimgr.policy.thermostats.comfort import ClimateState
from pimgr.units import Percent, Watts

__all__ = (
    "Aspect",
    "BatteryPolicy",
    "Goal",
    "HostPower",
    "Level",
    "Origin",
    "PartPolicy",
    "Policy",
    "Reports",
    "SetPoints",
    "StandingTarget",
    "Switch",
    "Tier",
    "Timing",
    "Value",
    "Wish",
)


class Phase(StrEnum):
    """Where the house stands between two blackouts. `suspect` and `settling` wait for continuous evidence."""

    NORMAL = "normal"
    SUSPECT = "suspect"
    OUTAGE = "outage"
    SETTLING = "settling"


# ----------------------------------------------------------------------------------------------------------- state


class Progress(Frozen, kw_only=True):
    """How far one wish got. `asked_at` None: nothing was sent yet; `accepted`: the device said yes to the request.

    `lost`: no answer will come any more, since pimgr was restarted; whether the request got through is not known.
    """

    action: int | None = None
    asked_at: Instant | None = None
    tries: int = 0
    accepted: bool | None = None
    lost: bool = False
    problem: str = ""


class ClaimStatus(StrEnum):
    """`taking` and `returning` are in flight; `taken` was seen."""

    TAKING = "taking"
    TAKEN = "taken"
    RETURNING = "returning"


class Claim(Frozen, kw_only=True):
    """Something pimgr took from the house, and owes back until it was seen given back.

    `before` was read at `before_at`, never assumed. `since`: when `status` last changed. `sent_at`: the last request to
    take it, which may still have its effect; `woken_at`: the last request to start a host, or the moment its outlet
    was given back. `proof`: of a host's being off. `nags`, `warned`: mails. `watts`: what taking it saves, as far as
    that was known then. `ours`: values of a thermostat that were wanted before and may still be in force.
    """

    id: int
    part: str
    aspect: Aspect
    episode: str
    rule: str
    order: int
    wanted: Value
    before: Value
    before_at: Instant
    origin: Origin
    status: ClaimStatus
    since: Instant
    progress: Progress = Progress()
    reasserted_at: Instant | None = None
    owed_since: Instant | None = None
    nagged_at: Instant | None = None
    warned: bool = False
    nags: int = 0
    sent_at: Instant | None = None
    woken_at: Instant | None = None
    watts: Watts | None = None
    ours: tuple[Value, ...] = ()
    proof: Proof = Proof()


class Kept(Frozen, kw_only=True):
    """A standing target being pursued or held. It owes nothing. `seen_at`: when it was last found so."""

    part: str
    aspect: Aspect
    wanted: Value
    progress: Progress = Progress()
    seen_at: Instant | None = None


class HandsOff(Frozen):
    """A person decided about this part: pimgr leaves it alone until the episode ends."""

    part: str
    aspect: Aspect
    episode: str
    since: Instant
    why: str


class Skip(Frozen):
    """A part found as wanted when the episode reached it: never restored. `boot`: a silent host's last one, if seen."""

    part: str
    aspect: Aspect
    episode: str
    boot: str | None = None


class Count(Frozen):
    """Continuous evidence: `total_s` of agreeing readings, the last of them at `last` from `source`.

    `linked`: nothing came between.
    """

    grid: Grid
    total_s: float
    last: Instant
    linked: bool = True
    source: str = ""


class ChargeMark(Frozen):
    """The last charge that was measured, and the net load then (smoothed, W). `wall_trusted`: so was the clock."""

    charge: Percent
    at: Instant
    net_load_w: Watts | None = None
    wall_trusted: bool = False


class Memory(Frozen, kw_only=True):
    """What may be lost in a crash without harm; a change here alone is not worth a commit."""

    count: Count | None = None
    mark: ChargeMark | None = None
    grid: Grid = Grid.UNKNOWN
    grid_at: Instant | None = None
    grid_raw: str = ""
    against: Mapping[str, Span] = {}
    """By aspect of the site, since when the battery does what the setting forbids."""
    draw: Draw | None = None
    eased: Mapping[str, Instant] = {}
    """By tier with a goal, since when the battery would last without some of what was taken."""
    metering: Metering = Metering()


class State(Frozen, kw_only=True):
    """All that the policy remembers. `moved_at`: when the reading that last moved the phase was measured.

    `estimate`: what the charge was thought to be, written down now and then while an outage lasts without meters.
    """

    phase: Phase = Phase.NORMAL
    moved_at: Instant | None = None
    episodes: int = 0
    outage_since: Instant | None = None
    tiers: tuple[str, ...] = ()
    estimate: ChargeMark | None = None
    claims: tuple[Claim, ...] = ()
    questions: tuple[Claim, ...] = ()
    """Claims out of a snapshot after the journal was lost: given back only when a person says that they were ours."""
    kept: tuple[Kept, ...] = ()
    hands_off: tuple[HandsOff, ...] = ()
    skips: tuple[Skip, ...] = ()
    due: tuple[Due, ...] = ()
    """Machines that others wait for, once their turn came."""
    site: SiteState = SiteState()
    leases: tuple[Lease, ...] = ()
    lease_ids: int = 0
    disarmed: Disarmed | None = None
    alerts: tuple[Alert, ...] = ()
    families: Mapping[str, Family] = {}
    """By what it is about, what was mailed of it lately."""
    climate: ClimateState = ClimateState()
    schedule: Schedule = Schedule()
    budget: Budget = Budget()
    reports: ReportState = ReportState()
    outage_ended: Instant | None = None
    gave_back_at: Instant | None = None
    claim_ids: int = 0
    action_ids: int = 0
    memory: Memory = Memory()

    @property
    def episode(self) -> str:
        """The name of the present or last outage."""
        return f"outage-{self.episodes}"


# ---------------------------------------------------------------------------------------------------------- inputs


PartReading = LoadReading | LevelReading | HostReading | ThermostatReading


class PartView(Frozen, kw_only=True):
    """A part on the board. `steady_since`: all reads answered since; `fault`: the last one's; `last_boot`: a host's."""

    reading: PartReading | None = None
    last_boot: str | None = None
    steady_since: Instant | None = None
    fault: str = ""


class Event(Frozen, kw_only=True):
    """A transition, told in one line: goes to the log, the journal and `pimgr why`."""

    text: str
    part: str = ""
    what: str = ""


class Outcome(Frozen, kw_only=True):
    """What became of an action: accepted, or the error's class name and its text."""

    action: int
    part: str
    at: Instant
    error: str = ""
    fact: str = ""


class Forget(Frozen, tag="forget"):
    """A person writes off what is owed to a part."""

    part: str


class GiveBack(Frozen, tag="give back"):
    """A person says that a questioned claim was ours: give it back."""

    part: str


Command = Forget | GiveBack | Keep | LetGo | Disarm | Arm | Ack | Drill


class Inputs(Frozen, kw_only=True):
    """Everything new since the last decision, the latest of everything else, and `notes` of plugins for the history.

    `site`: one reading out of those of all meters; `settings`: the fresh ones as they came, best meter first.
    `calendar`: the days and tariff windows around now; None while nobody trusts the wall clock.
    """

    grid: tuple[GridReading, ...] = ()
    site: SiteReading | None = None
    settings: tuple[SiteReading, ...] = ()
    parts: Mapping[str, PartView] = {}
    outcomes: tuple[Outcome, ...] = ()
    commands: tuple[Command, ...] = ()
    notes: tuple[Event, ...] = ()
    calendar: Calendar | None = None
    forecast: ForecastReading | None = None


# -------------------------------------------------------------------------------------------------------- decision


class Action(Frozen, kw_only=True):
    """One request to one part. Its `id` is in the journal before the request is on the wire."""

    id: int
    part: str
    aspect: Aspect
    value: Wish
    why: str


class Notice(Frozen, kw_only=True):
    """Something to mail. `key` is unique; the outbox drops a key it has seen.

    `about`: what it tells a change of; a later one about the same makes it old. `limited`: not too many of these.
    """

    key: str
    severity: Severity
    subject: str
    text: str
    about: str = ""
    limited: bool = False


class Reason(Frozen, kw_only=True):
    """Why a part is as it is; `returns`: what comes next, such as "comes back when the grid is steady"."""

    part: str
    status: str
    why: str
    returns: str = ""


class Decision(Frozen, kw_only=True):
    """`look`: parts whose reading is needed soon; `quick`: poll the grid fast; `wake_at`: CLOCK_BOOTTIME s, or None."""

    state: State
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    notices: tuple[Notice, ...] = ()
    reasons: tuple[Reason, ...] = ()
    look: tuple[str, ...] = ()
    quick: bool = False
    wake_at: float | None = None
    charge: Percent | None = None
    charge_estimated: bool = False
