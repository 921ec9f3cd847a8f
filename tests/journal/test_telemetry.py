"""Telemetry is remembered with its age, keeps within its bounds, and disturbs nothing when its disk fails."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from pimgr.api import Grid, GridReading, Reading, SiteReading
from pimgr.telemetry import KEEP_S, Telemetry
from pimgr.testing.time import run_virtual
from pimgr.units import Percent
from tests.journal.making import now


def site(n: int, part: str = "gateway") -> SiteReading:
    return SiteReading(at=now(n).instant, source=part, charge=Percent(float(n % 100)))


def rows(folder: Path) -> int:
    db = sqlite3.connect(folder / "telemetry.db")
    try:
        return int(db.execute("SELECT count(*) FROM readings").fetchone()[0])
    finally:
        db.close()


def test_the_last_reading_of_each_part_is_remembered_with_its_own_age(tmp_path: Path) -> None:
    async def main() -> dict[str, Reading]:
        telemetry = Telemetry(tmp_path)
        assert await telemetry.remembered() == {}
        for n in range(5):
            telemetry.note(site(n))
            telemetry.note(site(n, "cloud"))
            telemetry.note(GridReading(at=now(n).instant, source="gateway", grid=Grid.UP))
        await telemetry.close()
        await telemetry.close()
        telemetry = Telemetry(tmp_path)
        grids = await telemetry.remembered(GridReading)
        assert grids == {"gateway": GridReading(at=now(4).instant, source="gateway", grid=Grid.UP)}
        known = await telemetry.remembered()
        await telemetry.close()
        return known

    assert asyncio.run(main()) == {"gateway": site(4), "cloud": site(4, "cloud")}
    assert rows(tmp_path) == 15


def test_it_is_written_every_five_minutes_and_not_before(tmp_path: Path) -> None:
    async def main() -> None:
        telemetry = Telemetry(tmp_path)
        await telemetry.remembered()
        running = asyncio.create_task(telemetry.run())
        telemetry.note(site(1))
        await asyncio.sleep(299)
        assert rows(tmp_path) == 0
        await asyncio.sleep(10)
        assert rows(tmp_path) == 1
        running.cancel()
        await telemetry.close()

    run_virtual(main())


def test_the_same_reading_is_recorded_once(tmp_path: Path) -> None:
    async def main() -> None:
        telemetry = Telemetry(tmp_path)
        for n in (1, 1, 1, 2, 2):
            telemetry.note(site(n))
        await telemetry.close()

    asyncio.run(main())
    assert rows(tmp_path) == 2


def test_it_keeps_ninety_days_and_no_more_than_its_share_of_the_disk(tmp_path: Path) -> None:
    async def main() -> None:
        telemetry = Telemetry(tmp_path, max_bytes=200_000)
        telemetry.note(site(0))
        telemetry.note(site(int(KEEP_S) + 1))
        await telemetry.flush()
        assert rows(tmp_path) == 1
        first = int(KEEP_S) + 2
        for batch in range(10):
            for n in range(500):
                telemetry.note(site(first + batch * 500 + n))
            await telemetry.flush()
        known = await telemetry.remembered()
        assert known == {"gateway": site(first + 4999)}
        await telemetry.close()

    asyncio.run(main())
    assert 500 < rows(tmp_path) < 4000
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) < 400_000


@pytest.mark.parametrize("content", [b"<html>", bytes(8192)[:5000] + b"x" * 9000])
def test_a_broken_file_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "telemetry.db").write_bytes(content)

    async def main() -> None:
        telemetry = Telemetry(tmp_path)
        assert await telemetry.remembered() == {}
        telemetry.note(site(1))
        await telemetry.close()
        assert telemetry.problem == ""

    asyncio.run(main())
    assert rows(tmp_path) == 1


def test_without_a_disk_it_is_off_and_says_why_and_nothing_else_happens(tmp_path: Path) -> None:
    async def main() -> None:
        telemetry = Telemetry(tmp_path / "missing")
        assert await telemetry.remembered() == {}
        assert "nothing is recorded" in telemetry.problem
        telemetry.note(site(1))
        await telemetry.flush()
        await telemetry.close()

    asyncio.run(main())
    assert list(tmp_path.iterdir()) == []
