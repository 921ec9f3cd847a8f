"""When a connection reads which of its parts: rates, floors, back-off, and hurry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pimgr.api import Capability, DeviceError, Refused, Unsupported

POLL_S: dict[Capability, float] = {
    Capability.GRID_SOURCE: 2.0,
    Capability.SITE_METER: 10.0,
    Capability.LOAD: 30.0,
    Capability.GRADED_LOAD: 30.0,
    Capability.HOST: 60.0,
    Capability.THERMOSTAT: 300.0,
    Capability.FORECAST: 1800.0,
}
CLOUD_POLL_S = 300.0
"""A cloud is asked this often at most, whatever it tells."""
READ_BACK = (
    Capability.LOAD,
    Capability.GRADED_LOAD,
    Capability.HOST,
    Capability.THERMOSTAT,
    Capability.SITE_METER,
)
"""What requests change, and so what is read again after one."""
QUICK_S = 1.0
"""Grid polls as soon as anything is suspicious."""
MAX_BACKOFF_S = 300.0
MAX_BACKOFF_EAGER_S = 10.0
"""Back-off of what protection waits for: a grid source that is away, and parts that a decision wants to see."""

Slot = tuple[str, Capability]


def poll_s(capability: Capability, own: dict[Capability, float], cloud: bool) -> float:
    """Seconds between two polls: the type's own rate, else pimgr's."""
    usual = own.get(capability, POLL_S.get(capability, 60.0))
    return max(usual, CLOUD_POLL_S) if cloud and capability not in own else usual


@dataclass
class _Turn:
    every_s: float
    due_s: float
    began_s: float = -1e9
    failures: int = 0
    hurry: bool = False
    refused: bool = False


@dataclass
class Schedule:
    """The polls of one connection, in boot-clock seconds. `slots`: what is read, with its usual rate in s."""

    slots: dict[Slot, float]
    mono_s: Callable[[], float]
    floor_s: float = 1.0
    quick: bool = False
    parts: frozenset[str] = field(init=False)
    _turns: dict[Slot, _Turn] = field(init=False)

    def __post_init__(self) -> None:
        now = self.mono_s()
        self._turns = {slot: _Turn(every, now) for slot, every in self.slots.items()}
        self.parts = frozenset(part for part, _ in self.slots)

    def readable(self, part: str) -> list[Capability]:
        """What can be read back after a request to this part."""
        return [c for p, c in self.slots if p == part and c in READ_BACK]

    def due(self) -> Slot | None:
        """The most overdue read, or None."""
        slot = min(self._turns, key=self._when, default=None)
        return slot if slot is not None and self._when(slot) <= self.mono_s() else None

    def rest_s(self) -> float | None:
        """Seconds until the next read; None when there is nothing to read."""
        if not self._turns:
            return None
        return max(0.0, min(map(self._when, self._turns)) - self.mono_s())

    def _when(self, slot: Slot) -> float:
        turn = self._turns[slot]
        quick = self.quick and slot[1] is Capability.GRID_SOURCE and not turn.failures
        due = min(turn.due_s, turn.began_s + QUICK_S) if quick else turn.due_s
        if turn.hurry and not turn.refused:
            due = min(due, turn.began_s + self._backoff(turn, MAX_BACKOFF_EAGER_S) if turn.failures else turn.began_s)
        return max(due, turn.began_s + self.floor_s)

    def hurry(self, parts: set[str]) -> bool:
        """These parts are wanted soon, the others are not any more; tells whether that is news."""
        news = False
        for (part, _), turn in self._turns.items():
            news |= part in parts and not turn.hurry
            turn.hurry = part in parts
        return news

    def began(self, part: str, capability: Capability) -> None:
        turn = self._turns[part, capability]
        turn.began_s = self.mono_s()
        turn.due_s = turn.began_s + turn.every_s

    def cut(self, part: str, capability: Capability) -> None:
        """A read was given up for a request: it is due again at once, as far as the floor allows."""
        self._turns[part, capability].due_s = self.mono_s()

    def succeeded(self, part: str, capability: Capability) -> None:
        turn = self._turns[part, capability]
        turn.failures, turn.refused, turn.hurry = 0, False, False

    def failed(self, part: str, capability: Capability, error: DeviceError) -> None:
        """Back off: fast where protection waits for an answer, slowly where the device said no."""
        turn = self._turns[part, capability]
        turn.failures += 1
        turn.refused = isinstance(error, Refused | Unsupported)
        eager = capability is Capability.GRID_SOURCE and not turn.refused
        turn.due_s = turn.began_s + self._backoff(turn, MAX_BACKOFF_EAGER_S if eager else MAX_BACKOFF_S)

    @staticmethod
    def _backoff(turn: _Turn, most_s: float) -> float:
        return float(min(most_s, max(1.0, min(turn.every_s, most_s)) * 2.0 ** min(turn.failures - 1, 10)))
