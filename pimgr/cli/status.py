"""`pimgr status`, by way of typer or without it."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from pimgr.cli import say, show
from pimgr.cli.exits import Exit
from pimgr.cli.word import now


def status(folder: Path, *, as_json: bool) -> NoReturn:
    """Print the house as the pimgr that runs with this runtime folder sees it."""
    view, word = say.last_word(folder, as_json=as_json)
    if as_json:
        say.json({"running": word.running, "age_s": word.age_s, "problem": word.problem, "snapshot": view})
    else:
        say.lines(show.status(view, word, now()))
    say.leave(Exit.OK if word.running else Exit.NOT_RUNNING)
