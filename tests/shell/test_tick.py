"""The tick: written down before anything is asked, looked at afterwards, and never late."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pimgr.api import Grid, GridReading, LoadReading, Now
from pimgr.board import Board
from pimgr.dispatch import Dispatcher, Fence
from pimgr.journal import Journal, read_actions
from pimgr.loop import TICK_S, Loop, Wiring
from pimgr.policy.model import Decision, Inputs, Outcome, Policy, State, Tier, Timing
from pimgr.testing import FakeClock, run_virtual
from tests.policy.world import switch

POLICY = Policy(
    parts={"pump": switch()},
    tiers=(Tier(name="at once", loads=("pump",)),),
    timing=Timing(confirm_s=0.0, settle_s=0.0, max_gap_s={"gateway": 6.0}),
)


class House:
    """A loop on a real board and a real journal; `pump` has no connection, so that a request is answered at once."""

    def __init__(self, journal: Journal, folder: Path) -> None:
        self.clock, self.folder = FakeClock(), folder
        self.board = Board(self.clock)
        self.board.grid_gap_s = {"gateway": 6.0}
        self.on_record: dict[int, bool] = {}
        self.looked: list[set[str]] = []
        self.ticks: list[float] = []
        wiring = Wiring(
            clock=self.clock,
            board=self.board,
            dispatcher=Dispatcher({}, Fence(closed=False), self.clock, self.heard),
            commit=journal.commit,
            look=lambda parts, quick: self.looked.append(parts),
            after=self.after,
        )
        self.loop = Loop(wiring, State(), POLICY)

    def heard(self, outcome: Outcome) -> None:
        """The request reached whoever would send it: is it on the disk by now?"""
        self.on_record[outcome.action] = outcome.action in {a.id for a in read_actions(self.folder)}
        self.loop.heard(outcome)

    def after(self, now: Now, inputs: Inputs, decision: Decision) -> None:
        self.ticks.append(now.mono_s)

    def read(self, grid: Grid, *, pump: bool | None = None) -> None:
        at = self.clock.now().instant
        self.board.put("gateway", GridReading(at=at, source="gateway", grid=grid, raw=str(grid)))
        if pump is not None:
            self.board.put("pump", LoadReading(at=at, source="pump", on=pump))


def played(folder: Path, story: object) -> None:
    async def main() -> None:
        journal = await Journal.open(folder, folder / "run")
        try:
            await story(House(journal, folder))  # type: ignore[operator]
        finally:
            await journal.close()

    run_virtual(main())


def test_an_action_is_on_the_disk_before_anybody_is_asked(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        house.read(Grid.DOWN, pump=True)
        decision = await house.loop.tick()
        assert [a.part for a in decision.actions] == ["pump"]
        assert house.on_record == {decision.actions[0].id: True}

    played(tmp_path, story)


def test_what_a_decision_waits_for_is_looked_at(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        house.read(Grid.DOWN)
        decision = await house.loop.tick()
        assert decision.look == ("pump",)
        assert house.looked == [{"pump"}]

    played(tmp_path, story)


def test_without_any_news_it_decides_every_five_seconds(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        running = asyncio.create_task(house.loop.run())
        await asyncio.sleep(3.5 * TICK_S)
        running.cancel()
        gaps = [later - earlier for earlier, later in zip(house.ticks, house.ticks[1:], strict=False)]
        assert len(gaps) == 3
        assert all(abs(gap - TICK_S) < 0.5 for gap in gaps)

    played(tmp_path, story)
