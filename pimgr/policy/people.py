"""The words of what people ask for: leases, disarming, and the receipt of an alarm. Data only."""

from __future__ import annotations

from pimgr.api import Frozen, Instant
from pimgr.policy.aspects import Value


class Lease(Frozen, tag="lease"):
    """A person wants a part so for `for_s` from `since`: it is stronger than any rule, and ends by itself."""

    part: str
    value: Value
    for_s: float
    since: Instant


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


class Disarmed(Frozen):
    """Nothing acts until `for_s` after `since`. It rearms itself, whatever happens to the box."""

    since: Instant
    for_s: float
