"""What happened in random histories, counted: where nothing happens, every promise is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from pimgr.policy.model import Decision
from tests.policy.profiles import SHARE


class Tally(Counter[str]):
    """How often each kind of event was told."""

    def watch(self, _house: object, _before: object, _inputs: object, _now: object, decision: Decision) -> None:
        self.note(decision)

    def note(self, decision: Decision) -> None:
        self.update(event.what for event in decision.events)

    def of(self, histories: Callable[[], None]) -> Tally:
        """Only of these, which are lived through now."""
        self.clear()
        histories()
        return self

    def more_than(self, **least: int) -> None:
        """Where all examples are tried, each of these happened more often."""
        seldom = {what: self[what] for what, times in least.items() if self[what] <= times}
        assert SHARE < 1.0 or not seldom, dict(self)
