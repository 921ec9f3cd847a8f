"""Whatever a device or a config says: it stops no decision, and does nothing to those who read it."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pimgr import logs
from pimgr.api import Context, Grid, HostReading, LoadReading, Unreachable
from pimgr.cli import main as cli
from pimgr.journal import read_history
from tests.run.rig import TIERS, Box, Init, config, plugin, table, virtually
from tests.shell.rig import Odd

EVIL = "evil\x1b[2J\r\nMAINPID=1\nBcc: all@example.net\x00\u202e[red]bold[/]\u2028<b>\u0007 gr\u0301\u0301\u0301\u0301"
SURROGATE = "half \ud800 of a letter \udcff"
TITLE = 'title = "pool\\u001b[2J pump\\r\\nforged line\\u202e"'


def harmless(text: str) -> bool:
    """No character in it has an effect on whoever shows it; lines are lines."""
    return not [c for c in text if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}]


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """What pimgr's own log handler writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.Harmless())
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield stream
    finally:
        root.removeHandler(handler)


def run_cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["pimgr", *arguments])
    with pytest.raises(SystemExit):
        cli()
    out = capsys.readouterr()
    return out.out + out.err


@pytest.mark.parametrize("words", [EVIL, SURROGATE, "x" * 5_000_000], ids=["controls", "surrogates", "endless"])
@pytest.mark.parametrize("how", [Unreachable, ValueError])
def test_what_a_device_says_is_harmless_in_log_snapshot_status_why_mail_systemd_and_journal(
    tmp_path: Path, words: str, how: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [True]

    async def read(context: Context) -> Any:
        if answers:
            return LoadReading(at=context.now(), source="well", on=True)
        raise how(words) if how is ValueError else how(words, words, words, words)

    async def switch(_context: Context, _on: bool) -> None:
        answers.clear()
        raise how(words) if how is ValueError else how(words, words, words, words)

    init = Init(tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", str(init.path))
    box = Box(tmp_path, plugins={"odd": plugin(Odd(read=read, switch=switch).type(floor_s=0.1))})
    tiers = TIERS.replace('"pump", ', '"well", "pump", ') + f"[loads.well]\n{TITLE}\n"
    box.write(config("WORLD", table("well", "odd.plug"), tiers=tiers))

    async def main() -> None:
        async with box.on():
            await asyncio.sleep(10.0)
            box.world.set_grid(Grid.UNKNOWN, raw=EVIL)
            await asyncio.sleep(10.0)
            box.world.set_grid(Grid.DOWN, raw=EVIL)
            await box.until(lambda: box.taken("pump", "boiler"))
            await asyncio.sleep(300.0)
            assert "well" in box.claims()
            told = run_cli(monkeypatch, capsys, "status", "--run", str(box.run))
            told += run_cli(monkeypatch, capsys, "why", "well", "--run", str(box.run), "--state", str(box.state))
            assert harmless(told), repr(told)
            assert "\nforged" not in told
            assert "\nMAINPID" not in told
            assert len(told) < 50_000
            for message in box.world.messages():
                assert harmless(message.subject)
                assert "\n" not in message.subject
                assert harmless(message.text)
            assert box.mails()
            assert read_history(box.state, "well", 100)

    with logged() as log:
        virtually(main())
    written = log.getvalue()
    assert harmless(written), repr(written)
    assert "\nMAINPID" not in written
    assert "\nBcc" not in written
    assert len(written) < 200_000
    heard = init.listen()
    assert all(harmless(line) for line in heard)
    assert not [line for line in heard if "MAINPID" in line]
    init.close()


def test_a_boot_id_or_a_grid_word_of_half_letters_is_no_reading_and_stops_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async def read(context: Context) -> Any:
            return HostReading(at=context.now(), source="x", up=True, boot_id=SURROGATE)

        box = Box(tmp_path, plugins={"odd": plugin(Odd(read=read).type(floor_s=0.1))})
        box.write(config("WORLD", table("well", "odd.plug"), tiers=TIERS.replace('"pump", ', '"well", "pump", ')))
        async with box.on():
            await asyncio.sleep(10.0)
            await box.outage()
            assert "well" not in box.claims()

    virtually(main())


def test_an_entry_of_the_log_can_not_be_forged_by_an_exceptions_text(tmp_path: Path) -> None:
    with logged() as log:
        try:
            raise ValueError("first\nsecond: pimgr says all is well\x1b[31m")
        except ValueError:
            logging.getLogger("some.library").warning("oops\nthird: forged", exc_info=True)
    lines = log.getvalue().splitlines()
    assert lines[0] == "oops"
    assert all(line.startswith("  ") for line in lines[1:])
    assert harmless(log.getvalue())
