"""One tick's workbench: the inputs it reads and what it collects. Lives for one call of `decide`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pimgr.api import Instant, Now, Severity, replace
from pimgr.policy.aspects import Wish
from pimgr.policy.model import (
    Action,
    Aspect,
    Event,
    Inputs,
    Notice,
    Outcome,
    PartPolicy,
    PartReading,
    PartView,
    Policy,
    Reason,
    State,
)
from pimgr.policy.values import aspect_of, word

NOTHING = PartView()
Key = tuple[str, Aspect]
FRESH_S = 60.0
CLOCK_SLACK_S = 1.0
"""A reading may be dated this much after the tick that first sees it."""


def measured_after(at: Instant, mark: Instant, now: Now) -> bool:
    """Whether a reading of `at` is newer than `mark`.

    Boots are told apart by their id, not by the wall clock, which starts wrong on a box without a battery for it: what
    this boot measured is newer than any mark of an earlier one, and what an earlier boot measured proves nothing now.
    """
    if at.boot != now.boot:
        return False
    return mark.boot != now.boot or at.mono_s > mark.mono_s


def from_the_future(at: Instant, now: Now) -> bool:
    """Whether a reading claims to be measured later than now: a device's wrong date. It would look new for ever."""
    return at.boot == now.boot and at.mono_s > now.mono_s + CLOCK_SLACK_S


def surely_since(mark: Instant, now: Now) -> float:
    """Seconds that surely went by since `mark`.

    In an earlier boot the wall clock may have been wrong, even if it is right now: at least this boot went by since.
    """
    return now.since(mark) if mark.boot == now.boot else now.mono_s


@dataclass(kw_only=True)
class Turn:
    """`wake` takes moments (CLOCK_BOOTTIME s) at which the decision may differ without anything new being told."""

    before: State
    inputs: Inputs
    policy: Policy
    now: Now
    action_ids: int
    actions: list[Action] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    look: set[str] = field(default_factory=set)
    episodes: set[str] = field(default_factory=set)
    """What goes on now: an outage, a tariff window. What belongs to another one is over."""
    wake: list[float] = field(default_factory=list)
    alarms: dict[str, tuple[str, str]] = field(default_factory=dict)
    cleared: set[str] = field(default_factory=set)

    def view(self, part: str) -> PartView:
        return self.inputs.parts.get(part, NOTHING)

    def of(self, part: str) -> PartPolicy | None:
        return self.policy.parts.get(part)

    def names(self, parts: Iterable[str]) -> str:
        """What a home owner calls them, in a row; "nothing" for none."""
        called = ((part, self.of(part)) for part in parts)
        return ", ".join(of.title if of and of.title else part for part, of in called) or "nothing"

    def fresh(self, part: str, within_s: float | None = None) -> PartReading | None:
        """The part's last reading, if it is new enough to act on, even though a read after it may have failed.

        `within_s` None: as the config has it for this part; a minute for one that left the config.
        """
        of, reading = self.of(part), self.view(part).reading
        if within_s is None:
            within_s = of.fresh_s if of else FRESH_S
        if reading is None or reading.at.boot != self.now.boot or from_the_future(reading.at, self.now):
            return None
        return reading if self.now.since(reading.at) <= within_s else None

    def read_since(self, part: str, mark: Instant | None) -> bool:
        """Whether the part was read after `mark`."""
        reading = self.view(part).reading
        return reading is not None and mark is not None and measured_after(reading.at, mark, self.now)

    def outcome(self, action: int | None) -> Outcome | None:
        """What became of one of our requests, if that is told in this tick."""
        return next((o for o in self.inputs.outcomes if o.action == action), None) if action is not None else None

    def act(self, part: str, value: Wish, why: str) -> int:
        """Ask for `value`; returns the action's id."""
        self.action_ids += 1
        self.actions.append(Action(id=self.action_ids, part=part, aspect=aspect_of(value), value=value, why=why))
        return self.action_ids

    def tell(self, text: str, part: str = "", what: str = "") -> None:
        self.events.append(Event(text=text, part=part, what=what))

    def mail(self, key: str, severity: Severity, subject: str, lines: Iterable[str]) -> None:
        self.notices.append(Notice(key=key, severity=severity, subject=subject, text="\n".join(lines)))

    @property
    def knows_the_schedule(self) -> bool:
        """Whether it is known which windows of the tariff go on."""
        return self.inputs.calendar is not None and self.now.wall_trusted

    def goes_on(self, episode: str) -> bool:
        """Whether an episode isn't known to be over: without a trusted clock nobody knows that of a tariff window."""
        return episode in self.episodes or not (self.knows_the_schedule or episode.startswith(("outage-", "lease-")))

    def said(self, value: Wish) -> str:
        """A value as the owner of the house says it, in the owner's degrees."""
        return word(value, fahrenheit=self.policy.climate is not None and self.policy.climate.fahrenheit)

    def news(self, about: str, severity: Severity, subject: str, lines: Iterable[str]) -> None:
        """Mail a change of something that may come and go: of a hundred such changes, five are mailed."""
        self.mail(f"{about}-{self.now.boot}-{self.now.mono_s:.3f}", severity, subject, lines)
        self.notices[-1] = replace(self.notices[-1], about=about, limited=True)

    def alarm(self, key: str, subject: str, lines: Iterable[str]) -> None:
        """Something critical began that a person must do something about: mailed again and again until `clear`.

        To be called while it lasts, or once when it begins.
        """
        text = "\n".join(lines)
        if key not in self.alarms and all(alert.key != key for alert in self.before.alerts):
            self.news(key, Severity.CRITICAL, subject, [text])
        self.alarms[key] = (subject, text)

    def repeat(self) -> None:
        """The mail just made asks a person to do something: it is mailed again until `clear`, or its outage is over."""
        notice = self.notices[-1]
        self.alarms[notice.key] = (notice.subject, notice.text)

    def clear(self, key: str) -> None:
        """It is over. Whoever raised it mails that, too."""
        self.cleared.add(key)

    def wall(self) -> float | None:
        """UTC in s, for schedules; None while nobody trusts the clock."""
        return self.now.wall if self.now.wall_trusted else None

    def wake_at_wall(self, wall: float) -> None:
        """Ask to be woken at a moment of the calendar."""
        self.wake_in(wall - self.now.wall)

    def wake_in(self, seconds: float) -> None:
        self.wake.append(self.now.mono_s + max(0.0, seconds))

    def waited(self, since: Instant, seconds: float) -> bool:
        """Whether `seconds` went by since then, or the box restarted; if not, asks to be woken when they will have."""
        return self._over(seconds - self.now.since(since) if since.boot == self.now.boot else 0.0)

    def surely_waited(self, since: Instant, seconds: float) -> bool:
        """As `waited`, but a restart of the box doesn't shorten it."""
        return self._over(seconds - surely_since(since, self.now))

    def _over(self, left: float) -> bool:
        if left > 0:
            self.wake_in(left)
        return left <= 0
