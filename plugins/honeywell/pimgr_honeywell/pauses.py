"""What must not be asked of the portal yet, also across restarts: its patience is short, and its locks are long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pimgr.api import Context, DeviceError, Garbled, Instant, Refused, Unreachable

KINDS: dict[str, type[DeviceError]] = {"unreachable": Unreachable, "refused": Refused, "garbled": Garbled}


@dataclass(frozen=True)
class Why:
    """What a question is answered with while it must not be asked. `kind`: of `KINDS`."""

    kind: str
    fact: str
    cure: str


@dataclass(frozen=True)
class Pause:
    """`left_s`: how long it still lasts."""

    left_s: float
    why: Why
    mark: str = ""

    def error(self, part: str, wish: str) -> DeviceError:
        """What to raise instead of asking."""
        fact = f"{self.why.fact}; pimgr asks again in {max(1.0, self.left_s / 60.0):.0f} min"
        return KINDS[self.why.kind](part, wish, fact, self.why.cure)


class Pauses:
    """The pauses of one account, by name, kept in the connection's durable area."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def begin(self, name: str, for_s: float, why: Why, mark: str = "") -> None:
        """Pause from now on. `mark`: something to know the reason by again."""
        now = self._context.now()
        record = {"mono_s": now.mono_s, "wall": now.wall, "boot": now.boot, "for_s": for_s, "mark": mark}
        await self._context.store.put(name, {**record, "kind": why.kind, "fact": why.fact, "cure": why.cure})

    async def explain(self, name: str, why: Why) -> None:
        """Another reason for a pause, which goes on as it is."""
        record = self._context.store.get(name)
        if isinstance(record, dict):
            changed = {**record, "kind": why.kind, "fact": why.fact, "cure": why.cure}
            await self._context.store.put(name, changed)

    async def end(self, name: str) -> None:
        await self._context.store.put(name, None)

    async def current(self, name: str) -> Pause | None:
        """The pause, if it isn't over.

        After a blackout the wall clock may say less than when the pause began; how long that was nobody knows then,
        and the pause begins anew.
        """
        record: Any = self._context.store.get(name)
        if not isinstance(record, dict):
            return None
        why = Why(str(record["kind"]), str(record["fact"]), str(record["cure"]))
        began, now = Instant(record["mono_s"], record["wall"], record["boot"]), self._context.now()
        if began.boot != now.boot and now.wall < began.wall:
            await self.begin(name, record["for_s"], why, record["mark"])
            began = now
        left_s = record["for_s"] - now.since(began)
        return Pause(left_s, why, record["mark"]) if left_s > 0 else None
