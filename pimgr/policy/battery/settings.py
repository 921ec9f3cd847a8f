"""The words of the site's keep: what it is told to do, and how far that got. Data only."""

from __future__ import annotations

from enum import StrEnum

from pimgr.api import Frozen, Instant, SiteMode
from pimgr.policy.aspects import Mode, Reserve, Setting
from pimgr.units import Percent

FULL = Reserve(Percent(100.0))
BACKUP = Mode(SiteMode.BACKUP)
MAX_GAP_S = 900.0
"""Two readings further apart than this say nothing of the time between."""


class SettingWant(Frozen, kw_only=True):
    """A rule wants a setting of the site now. `why`: such as "the config wants it"; `raised`: what of it made it more.

    `episode`: the tariff window it belongs to, or "": what a person changes is theirs until that is another one.
    `frozen`: what is pursued stays so, and nothing new is asked for. `raises`: also while the vendor's storm watch is
    active, if it raises the reserve.
    """

    value: Setting
    rule: str
    why: str
    raised: str = ""
    episode: str = ""
    frozen: bool = False
    raises: bool = False


class SitePolicy(Frozen, kw_only=True):
    """`controls`: parts that can set the site, the preferred one first; `keep`: standing targets of the config."""

    controls: tuple[str, ...] = ()
    keep: tuple[Setting, ...] = ()


class Stage(StrEnum):
    """`seen` was read back; `person`: somebody changed it, and it is theirs until the window or value is another."""

    WAITING = "waiting"
    ASKED = "asked"
    SEEN = "seen"
    PERSON = "person"


class Pursuit(Frozen, kw_only=True):
    """One setting on its way to be so.

    `action`, `asked_at`, `accepted`, `problem`: the last request, to `control`; `tries`: requests since it began or was
    escalated; `ignored`: read back as wanted, and the battery did otherwise. `failing`: controls that said no lately.
    """

    wanted: Setting
    stage: Stage = Stage.WAITING
    control: str = ""
    action: int | None = None
    asked_at: Instant | None = None
    accepted: bool | None = None
    problem: str = ""
    tries: int = 0
    ignored: int = 0
    failing: tuple[str, ...] = ()
    escalated: bool = False
    alarmed: bool = False
    seen_at: Instant | None = None
    episode: str = ""

    @property
    def wish(self) -> Setting:
        """What is asked for: in place of a reserve of 100 % that is not kept, the mode that does the same."""
        return BACKUP if self.escalated and self.wanted == FULL else self.wanted


class Span(Frozen):
    """From the first to the last reading in a row that said the same."""

    since: Instant
    last: Instant

    def goes_on(self, at: Instant) -> bool:
        """Whether a reading measured then is the next in the row."""
        return at.boot == self.last.boot and at.since(self.last) <= MAX_GAP_S


class SiteState(Frozen, kw_only=True):
    """`mode_before`: how the site was operated before the mode had to stand in for a reserve of 100 %."""

    pursuits: tuple[Pursuit, ...] = ()
    mode_before: Mode | None = None
