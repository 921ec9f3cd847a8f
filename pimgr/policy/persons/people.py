"""The words of what people ask for: leases, disarming, and the receipt of an alarm. Data only."""

from __future__ import annotations

from pimgr.api import Frozen, Instant, Severity

LEASE = "lease"
"""The rule of what a person keeps so."""


class Term(Frozen, kw_only=True):
    """A time that runs out by itself: `for_s` seconds from `since`, whatever happens to the box.

    `spent_s` of it went by until `at`, written down now and then: a restart with a wrong clock forgets no more than
    the time since. `wall_trusted`: the wall clock was right at `since`, so that a right one later tells the rest.
    """

    for_s: float
    since: Instant
    at: Instant
    spent_s: float = 0.0
    wall_trusted: bool = False


class Lease(Frozen, kw_only=True):
    """A person wants a part on (or off) for a time: stronger than any rule. `id`: the number of its episode."""

    id: int
    part: str
    on: bool
    term: Term

    @property
    def episode(self) -> str:
        """What hands-off and skips of it belong to: they end with it."""
        return f"lease-{self.id}"


class Disarmed(Frozen):
    """Nothing acts until this is over. It rearms itself, whatever happens to the box."""

    term: Term


class Alert(Frozen, kw_only=True):
    """Something critical that lasts and that a person must do something about; told again until it is over or seen.

    `key`: what it is about; `told_at`: when it was mailed last, for the `count`-th time.
    """

    key: str
    subject: str
    text: str
    since: Instant
    told_at: Instant
    count: int = 1
    acked: bool = False


class Held(Frozen, kw_only=True):
    """A message that was not sent, since there were too many about the same: it is told when that is steady."""

    severity: Severity
    subject: str
    text: str


class Family(Frozen, kw_only=True):
    """What was mailed lately about one thing that may come and go. `muted`: changes are not mailed until it is steady.

    `sent`: when, oldest first; `held`: the last one that was not sent; `changed_at`: the last change, sent or not.
    """

    sent: tuple[Instant, ...] = ()
    held: Held | None = None
    changed_at: Instant | None = None
    muted: bool = False
    swallowed: int = 0


# ------------------------------------------------------------------------------------------------- what people ask


class Keep(Frozen, tag="keep"):
    """A person wants a part on (or off) for `for_s`, from now on. A new one replaces an older one."""

    part: str
    on: bool
    for_s: float


class LetGo(Frozen, tag="let go"):
    """A person ends a lease early."""

    part: str


class Disarm(Frozen, tag="disarm"):
    """A person wants that nothing acts for `for_s`."""

    for_s: float


class Arm(Frozen, tag="arm"):
    """A person ends that early."""


class Ack(Frozen, tag="ack"):
    """A person has seen the critical alerts: they are repeated no more."""
