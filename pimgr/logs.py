"""The log: one line an event, and nothing in it that a device could have made up."""

from __future__ import annotations

import logging

from pimgr.text import safe

LIMIT = 20_000


class Harmless(logging.Formatter):
    """What is logged by whomever, without effect on a terminal.

    Whatever is not the first line of an entry is indented, so that no text of a device passes for an entry of its own.
    """

    def __init__(self, prefix: str = "") -> None:
        super().__init__(f"{prefix}%(message)s")

    def format(self, record: logging.LogRecord) -> str:
        first, *rest = super().format(record)[:LIMIT].split("\n")
        return "\n".join([safe(first, LIMIT), *(f"  {safe(line)}" for line in rest)])


def begin(*, dry_run: bool) -> None:
    """Log to the standard error. Libraries have a say only if something is wrong: an SSH login is no event."""
    handler = logging.StreamHandler()
    handler.setFormatter(Harmless("dry run: " if dry_run else ""))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("pimgr").setLevel(logging.INFO)
