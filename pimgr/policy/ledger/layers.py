"""The words of the order of machines: what is known of a host's being off, and whose turn came. Data only."""

from __future__ import annotations

from pimgr.api import Frozen, Instant
from pimgr.units import Watts


class Proof(Frozen, kw_only=True):
    """What tells a host that is off from one that is only silent.

    `accepted`: it said yes to our request; `drew_w`: what its outlet let through before that, None where nothing
    measures it; `off_at`: since when it is known to be off.
    """

    accepted: bool = False
    drew_w: Watts | None = None
    off_at: Instant | None = None


class Due(Frozen, kw_only=True):
    """Somebody waits for `part`, whose turn came at `since`: to go off, or to come `back`.

    `late`: its deadline went by, and it is waited for no longer.
    """

    part: str
    back: bool
    since: Instant
    late: bool = False
