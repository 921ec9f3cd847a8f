"""Telemetry is expendable: it holds up nothing, fills nothing, and is never half written."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from pimgr import sqlite, telemetry
from pimgr.api import LoadReading
from pimgr.telemetry import Telemetry, _File
from tests.journal.making import now


def test_stopping_does_not_wait_for_a_disk_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "CLOSE_S", 0.1)
    free = threading.Event()

    async def main() -> None:
        recorder = Telemetry(tmp_path)
        assert recorder._worker is not None
        recorder._worker.submit(free.wait, 20.0)
        async with asyncio.timeout(5):
            await recorder.close()

    try:
        asyncio.run(main())
    finally:
        free.set()


def test_readings_that_can_not_be_written_do_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "MAX_WAITING", 10)

    async def main() -> None:
        recorder = Telemetry(tmp_path)
        for n in range(100):
            recorder.note(LoadReading(at=now(n).instant, source="pump", on=True))
        assert [row[0] for row in recorder._waiting] == [now(n).wall for n in range(90, 100)]
        await recorder.close()

    asyncio.run(main())


def test_what_waits_is_written_all_at_once_or_not_at_all(tmp_path: Path) -> None:
    file = _File(tmp_path / telemetry.NAME, 10**6)
    with pytest.raises(sqlite.Error):
        file.write([(1.0, "pump", "LoadReading", b"\x01"), (2.0, "pump", "LoadReading", object())])  # type: ignore[list-item]
    assert file._open().execute("SELECT count(*) FROM readings").fetchone() == (0,)
    file.close()
