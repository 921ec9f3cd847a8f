"""Keeping, disarming and seen alerts, as a person types them and reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pimgr.api import Instant
from pimgr.cli import show
from pimgr.cli.app import app
from pimgr.cli.exits import Exit
from pimgr.cli.word import Word
from pimgr.control import Request
from pimgr.snapshot import AlertLine, KeptLine, Snapshot
from tests.cli.test_cli import _asked

NOW = Instant(1000.0, 1_800_000_000.0, "boot-1")
WORD = Word(running=True, age_s=1.0)


def view(**more: object) -> Snapshot:
    return Snapshot(at=NOW, pid=1, seq=1, headline="on grid", phase="normal", grid="up", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "request_"),
    [
        (["keep", "strip/3", "on"], Request(do="keep", part="strip/3", on=True, for_s=7200.0)),
        (["keep", "pump", "off", "--for", "1h30min"], Request(do="keep", part="pump", for_s=5400.0)),
        (["keep", "pump", "--end"], Request(do="let go", part="pump")),
        (["disarm", "--for", "4h"], Request(do="disarm", for_s=14400.0)),
        (["disarm", "--for", "7 d"], Request(do="disarm", for_s=604800.0)),
        (["arm"], Request(do="arm")),
        (["ack"], Request(do="ack")),
    ],
)
def test_a_command_asks_the_running_pimgr(tmp_path: Path, arguments: list[str], request_: Request) -> None:
    told, asked = _asked(tmp_path, *arguments)
    assert asked == [request_]
    assert (told.returncode, told.stdout) == (Exit.OK, "line one\nline \\x1b[31mtwo\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["keep", "pump"], "on or off? Such as: pimgr keep pump on --for 2h"),
        (["keep", "pump", "up"], "on or off?"),
        (["keep", "pump", "on", "--end"], "either on or off, or --end"),
        (["keep", "pump", "on", "--for", "2"], '"2" is no time; write such as 30min, 2h, 1h30min or 3d'),
        (["keep", "pump", "on", "--for", "2m"], "is no time"),
        (["disarm", "--for", "\x1b[31mnever"], "\\x1b"),
        (["disarm", "--for", "-4h"], "is no time"),
    ],
)
def test_what_makes_no_sense_is_said_so_and_not_asked(tmp_path: Path, arguments: list[str], said: str) -> None:
    told = CliRunner().invoke(app, [*arguments, "--run", str(tmp_path)])
    assert told.exit_code == Exit.USAGE
    assert said in told.stderr


def test_the_status_of_a_disarmed_pimgr_says_so_at_its_top() -> None:
    lines = show.status(view(disarmed_s=3600.0), WORD, NOW)
    assert lines[1].startswith("! pimgr is DISARMED and does nothing")


def test_the_status_shows_what_is_kept_and_for_how_long() -> None:
    kept = (KeptLine(part="pump", on=True, left_s=5400.0), KeptLine(part="nas", on=False, left_s=30.0))
    assert "kept     pump on (1 h 30 min left), nas off (30 s left), by you" in show.status(view(kept=kept), WORD, NOW)


def test_the_status_shows_alerts_and_whether_they_are_told_again() -> None:
    told = AlertLine(subject="Manual update \x1b[31mrequired", since=Instant(400.0, 0.0, "boot-1"), mails=2)
    seen = AlertLine(subject="The grid can't be seen", since=NOW, mails=1, seen=True)
    text = "\n".join(show.status(view(alerts=(told, seen)), WORD, NOW))
    assert "Waiting for you" in text
    assert "\\x1b[31mrequired (mailed 2 times; `pimgr ack` ends that; it\n    began 10 min ago)" in text
    assert "(mailed 1 time and not again, since you have seen it;" in text
    assert max(map(len, text.splitlines())) <= 80
