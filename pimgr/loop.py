"""The tick: gather, decide, write down, hand out, publish, beat. It never waits for the world."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from pimgr.api import Now
from pimgr.board import Board
from pimgr.clock import Clock
from pimgr.dispatch import Dispatcher
from pimgr.journal import Record
from pimgr.policy.calendar import Calendar
from pimgr.policy.decide import decide, worth_keeping
from pimgr.policy.model import Command, Decision, Event, Inputs, Notice, Outcome, Policy, State

TICK_S = 5.0
"""The longest time between two decisions."""
REST_S = 0.001
"""The shortest rest without news: a timer may fire a little before the moment that it was set for."""


@dataclass(kw_only=True)
class Wiring:
    """The loop's neighbours. `commit` returns when the decision is durable; `after` publishes it and beats.

    `calendar`: the days and tariff windows around now, or None.
    """

    clock: Clock
    board: Board
    dispatcher: Dispatcher
    commit: Callable[[Record], Awaitable[int]]
    look: Callable[[set[str], bool], None]
    after: Callable[[Now, Inputs, Decision], None]
    calendar: Callable[[Policy, Now], Calendar | None] = lambda policy, now: None


class Loop:
    """The supervisor's heart. `policy` may be swapped between ticks."""

    def __init__(self, wiring: Wiring, state: State, policy: Policy) -> None:
        self.wiring, self.state, self.policy = wiring, state, policy
        self._outcomes: list[Outcome] = []
        self._commands: list[Command] = []
        self._notes: list[Event] = []
        self._asked: list[tuple[str, asyncio.Future[Notice]]] = []
        self._wanted: frozenset[str] = frozenset()
        self._wake = asyncio.Event()
        self._wake_at: float | None = None

    # ------------------------------------------------------------------------------------------ what is told to it

    def heard(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self._wake.set()

    def told(self, command: Command) -> None:
        self._commands.append(command)
        self._wake.set()

    async def asked(self, command: Command, key: str) -> Notice:
        """As `told`; waits for the notice that answers it: its key begins so, and it is durable then."""
        answer: asyncio.Future[Notice] = asyncio.get_running_loop().create_future()
        self._asked.append((key, answer))
        self.told(command)
        try:
            return await answer
        finally:
            self._asked.remove((key, answer))

    def noted(self, note: Event) -> None:
        """For the history only: it is written down with the next decision."""
        self._notes.append(note)
        self._wake.set()

    def arrived(self, part: str, grid: bool) -> None:
        """A reading (or its failure) is on the board. Only those that a decision waits for wake the loop."""
        if grid or part in self._wanted:
            self._wake.set()

    def swap(self, policy: Policy) -> None:
        self.policy = policy
        self._wake.set()

    # --------------------------------------------------------------------------------------------------- the tick

    async def run(self) -> None:
        while True:
            await self.tick()
            await self._rest()

    async def tick(self) -> Decision:
        """One decision. What changes is durable before anything is asked of a device."""
        w = self.wiring
        self._wake.clear()
        now = w.clock.now()
        inputs = Inputs(
            grid=w.board.take_grid(),
            site=w.board.site(),
            settings=w.dispatcher.fence.settings(w.board.settings(), w.clock),
            parts=w.dispatcher.fence.view(w.board.views(), w.clock),
            outcomes=tuple(self._outcomes),
            commands=tuple(self._commands),
            notes=tuple(self._notes),
            calendar=w.calendar(self.policy, now),
            forecast=w.board.forecast(),
        )
        self._notes.clear()
        self._outcomes.clear()
        self._commands.clear()
        decision = decide(self.state, inputs, self.policy, now)
        if worth_keeping(self.state, decision):
            await w.commit(Record(now=now, inputs=inputs, policy=self.policy, before=self.state, decision=decision))
        self.state = decision.state
        self._answer(decision.notices)
        w.dispatcher.send(decision.actions)
        self._wanted = frozenset(decision.look)
        self._wake_at = decision.wake_at
        w.look(set(decision.look), decision.quick)
        w.after(now, inputs, decision)
        return decision

    def _answer(self, notices: tuple[Notice, ...]) -> None:
        for key, answer in self._asked:
            notice = next((n for n in notices if n.key.startswith(key)), None)
            if notice is not None and not answer.done():
                answer.set_result(notice)

    async def _rest(self) -> None:
        """Until something arrives, the decision's own moment, or 5 s."""
        left = TICK_S
        if self._wake_at is not None:
            left = min(left, max(REST_S, self._wake_at - self.wiring.clock.now().mono_s))
        with suppress(TimeoutError):
            async with asyncio.timeout(left):
                await self._wake.wait()
