"""What a rule wants of a part for a time. Data only."""

from __future__ import annotations

from pimgr.api import Frozen, Instant
from pimgr.policy.aspects import Aspect, Value


class Want(Frozen, kw_only=True):
    """A take: `part` is to be `value` while `rule` says so. `order`: earlier goes off first and comes back last.

    `why`: "the grid is down"; `returns`: when it comes back, such as "when the grid has been back for 5 min".
    `frozen`: what is taken stays so, but nothing new is asked for. `waits`: for what, such as "pc1 to be off".
    `since`: only what was read after it tells how the part was found.
    """

    part: str
    aspect: Aspect
    value: Value
    rule: str
    episode: str
    order: int
    why: str
    returns: str = ""
    frozen: bool = False
    waits: str = ""
    since: Instant | None = None
