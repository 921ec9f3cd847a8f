"""How a command says what it has to say, and ends."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pimgr.cli.exits import Exit
from pimgr.text import safe, safe_lines

if TYPE_CHECKING:  # `pimgr --help` needs neither
    from pimgr.cli.word import Word
    from pimgr.config import ConfigErrors
    from pimgr.snapshot import Snapshot


def lines(texts: Iterable[str]) -> None:
    """Print lines; names of devices in them are escaped already."""
    for text in texts:
        print(text)


def json(value: object) -> None:
    """Print a value for a program. JSON escapes control characters itself."""
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(value)).decode())


def fail(text: str, status: Exit) -> NoReturn:
    """Say what is wrong where errors go, and end."""
    print(safe(text, 1000), file=sys.stderr)
    leave(status)


def meanwhile(text: str) -> None:
    """Say why it takes a while, where somebody waits at a terminal."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr, flush=True)


def leave(status: int) -> NoReturn:
    raise SystemExit(int(status))


def wrong(errors: ConfigErrors) -> NoReturn:
    """Say everything that is wrong with a config or a scenario where errors go, and end."""
    print(safe_lines(str(errors)), file=sys.stderr)
    leave(Exit.NO)


def last_word(folder: Path, *, as_json: bool) -> tuple[Snapshot, Word]:
    """The snapshot of the running pimgr, and what it is worth; ends the program if there is none."""
    from pimgr import snapshot as snapshots
    from pimgr.cli.word import alive, judge, now

    try:
        view = snapshots.read(folder)
    except snapshots.NoSnapshot as error:
        if as_json:
            json({"running": False, "age_s": None, "problem": str(error), "snapshot": None})
            leave(Exit.NOT_RUNNING)
        fail(str(error), Exit.NOT_RUNNING)
    return view, judge(view, now(), alive=alive(view.pid))
