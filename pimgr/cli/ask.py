"""What a person asks of a running pimgr: keep a part on or off, disarm, arm, and the receipt of an alert."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NoReturn

from pimgr.cli import say
from pimgr.cli.exits import Exit
from pimgr.text import safe, safe_lines

UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
TIME = re.compile(r"(?:\d{1,6}(?:\.\d{1,3})?\s*(?:s|min|h|d)\s*)+")
PIECE = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)")


def keep(run: Path, part: str, how: str | None, for_: str, *, end: bool) -> NoReturn:
    """Ask that a part be on or off for a time, or end that."""
    if end:
        if how is not None:
            say.fail("either on or off, or --end", Exit.USAGE)
        ask(run, do="let go", part=part)
    if how not in ("on", "off"):
        say.fail(f"on or off? Such as: pimgr keep {safe(part, 60)} on --for 2h", Exit.USAGE)
    ask(run, do="keep", part=part, on=how == "on", for_s=seconds(for_))


def seconds(text: str) -> float:
    """The seconds of "2h", "90min", "1h30min" or "7d"; ends the program for anything else."""
    if not TIME.fullmatch(text.strip()):
        say.fail(f'"{safe(text, 40)}" is no time; write such as 30min, 2h, 1h30min or 3d', Exit.USAGE)
    return sum(float(number) * UNITS[unit] for number, unit in PIECE.findall(text))


def ask(folder: Path, *, do: str, part: str = "", on: bool = False, for_s: float = 0.0) -> NoReturn:
    """Ask the pimgr that runs with this runtime folder, say what it answers, and end."""
    from pimgr.control import NotRunning, Request
    from pimgr.control import ask as asked

    try:
        reply = asked(folder, Request(do=do, part=part, on=on, for_s=for_s))
    except NotRunning as error:
        say.fail(str(error), Exit.NOT_RUNNING)
    print(safe_lines(reply.text), file=sys.stdout if reply.ok else sys.stderr)
    say.leave(Exit.OK if reply.ok else Exit.NO)
