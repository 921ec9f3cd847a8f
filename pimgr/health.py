"""How a connection is doing, for people: what is lost, why and since when; one log line each way."""

from __future__ import annotations

import logging
from collections.abc import Set
from dataclasses import dataclass, field

from pimgr.api import DeviceError, Instant, Unreachable
from pimgr.text import safe

log = logging.getLogger(__name__)

LIBRARY = "its library"


@dataclass(frozen=True)
class Health:
    """`state`: "ok", "waiting" for its first answer, "partly" or "lost"; `since`: when the oldest trouble began."""

    state: str
    reason: str
    since: Instant | None


@dataclass(frozen=True)
class _Trouble:
    error: DeviceError
    since: Instant


def requests(part: str) -> str:
    """What is in trouble when a part doesn't take requests."""
    return f"{part} (requests)"


@dataclass
class Troubles:
    """What of one connection does not work now."""

    _known: dict[str, _Trouble] = field(default_factory=dict)
    _answered: bool = False
    _told: set[str] = field(default_factory=set)

    def well(self, what: str, now: Instant) -> None:
        """It answered."""
        self._answered = True
        trouble = self._known.pop(what, None)
        if trouble is not None:
            log.info("%s: back after %s", safe(what), _span(now.since(trouble.since)))

    def ill(self, what: str, error: DeviceError, now: Instant) -> None:
        """It failed. A plugin's own exception is logged with its traceback, once of each kind."""
        known = self._known.get(what)
        self._known[what] = _Trouble(error, known.since if known else now)
        cause = error.__cause__
        told_before = cause is None or type(cause).__name__ in self._told
        if known is None or not told_before:
            log.warning("%s: lost (%s)", safe(what), safe(error.fact), exc_info=None if told_before else cause)
        if cause is not None:
            self._told.add(type(cause).__name__)

    def polled(self, part: str, now: Instant) -> None:
        """A later poll found the part answering: that an earlier request did not get through is over."""
        trouble = self._known.get(requests(part))
        if trouble is not None and isinstance(trouble.error, Unreachable):
            self.well(requests(part), now)

    def health(self, read: Set[str]) -> Health:
        """`read`: everything that is polled; where nothing is, requests tell."""
        if not self._known:
            return Health("ok" if self._answered else "waiting", "", None)
        lost = LIBRARY in self._known or read <= self._known.keys()
        reasons = dict.fromkeys(str(trouble.error) for trouble in self._known.values())
        return Health("lost" if lost else "partly", "; ".join(reasons), next(iter(self._known.values())).since)


def _span(seconds: float) -> str:
    """A duration as people say it: "40 s", "4 min", "3 h"."""
    if seconds < 120.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 7200.0 else f"{seconds / 3600.0:.0f} h"
