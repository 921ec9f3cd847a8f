"""A recorded decision is made again, and any difference is named."""

from __future__ import annotations

import asyncio
import sqlite3
import zlib
from pathlib import Path

import msgspec
import pytest

from pimgr.api import Grid, GridReading, LoadReading, Now, replace
from pimgr.journal import Journal, NoDecision, Record
from pimgr.policy.calendar import Place
from pimgr.policy.decide import decide
from pimgr.policy.model import (
    Aspect,
    Inputs,
    Origin,
    PartPolicy,
    PartView,
    Phase,
    Policy,
    State,
    Tier,
    Timing,
)
from pimgr.replay import replay
from tests.journal.making import Disk, record

POLICY = Policy(
    parts={
        part: PartPolicy(aspect=Aspect.SWITCH, origin=Origin(part, "kasa.plug", {"host": "127.0.0.1"}))
        for part in ("pool-pump", "dryer")
    },
    tiers=(Tier(name="first", loads=("pool-pump", "dryer")),),
    timing=Timing(confirm_s=4, max_gap_s={"gateway": 6}),
    place=Place(zone="Asia/Tokyo"),
)


async def outage(folder: Path) -> list[Record]:
    """A real outage, decided and written down tick by tick."""
    journal = await Journal.open(folder, folder / "run")
    records = []
    for tick in range(8):
        now = Now(500 + tick, 1_800_000_000 + tick, "boot-1")  # whole numbers, as some plugins give them
        grid = GridReading(at=now.instant, source="gateway", grid=Grid.DOWN, raw="SystemIslandedActive")
        view = PartView(reading=LoadReading(at=now.instant, source="plug", on=True), steady_since=now.instant)
        inputs = Inputs(grid=(grid,), parts={"pool-pump": view, "dryer": view})
        made = Record(
            now=now,
            inputs=inputs,
            policy=POLICY,
            before=journal.state,
            decision=decide(journal.state, inputs, POLICY, now),
        )
        await journal.commit(made)
        records.append(made)
    assert journal.state.phase is Phase.OUTAGE
    assert journal.state.claims
    # the journal stays open: a replay works while the supervisor runs
    results = [replay(folder, n) for n in range(1, 9)]
    assert [(r.seq, r.same, r.difference) for r in results] == [(n, True, ()) for n in range(1, 9)]
    await journal.close()
    return records


def test_every_decision_of_an_outage_comes_out_the_same_to_the_bit(tmp_path: Path) -> None:
    records = asyncio.run(outage(tmp_path))
    telling = [replay(tmp_path, n) for n in range(1, 9)]
    assert [(r.wall, r.zone) for r in telling] == [(r.now.wall, "Asia/Tokyo") for r in records]
    acted = next(r for r, made in zip(telling, records, strict=True) if made.decision.actions)
    assert any("asked pool-pump to be off (action 1)" in line for line in acted.lines)


def test_numbers_count_back_from_the_latest(tmp_path: Path) -> None:
    asyncio.run(outage(tmp_path))
    assert [replay(tmp_path, n).seq for n in (0, -1, -7)] == [8, 7, 1]
    with pytest.raises(NoDecision, match="has 1 to 8"):
        replay(tmp_path, 9)


def test_a_decision_that_comes_out_differently_names_the_fields(tmp_path: Path) -> None:
    records = asyncio.run(outage(tmp_path))
    other = replace(records[0].decision, wake_at=1.0, state=State(phase=Phase.OUTAGE))
    with sqlite3.connect(tmp_path / "journal.db") as db:
        packed = zlib.compress(msgspec.msgpack.encode(other))
        db.execute("UPDATE decisions SET decision = ? WHERE seq = 1", (packed,))
    db.close()
    result = replay(tmp_path, 1)
    assert not result.same
    named = {line.partition(":")[0] for line in result.difference}
    assert {"wake_at", "state.phase"} <= named
    assert "quick" not in named


def test_a_decision_of_which_only_the_promise_was_left_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        disk = Disk()
        journal = await Journal.open(tmp_path, tmp_path / "run", before_commit=disk)
        disk.broken = True
        await journal.commit(record(journal.state, 1))
        await journal.close()
        await (await Journal.open(tmp_path, tmp_path / "run")).close()

    asyncio.run(main())
    result = replay(tmp_path, 1)
    assert not result.same
    assert "its inputs were lost" in result.difference[0]
    assert "dryer: event 1" in result.lines[1]


def test_an_empty_or_missing_journal_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"journal\.db"):
        replay(tmp_path, 1)

    async def main() -> None:
        await (await Journal.open(tmp_path, tmp_path / "run")).close()

    asyncio.run(main())
    with pytest.raises(NoDecision, match="has none yet"):
        replay(tmp_path, 0)
