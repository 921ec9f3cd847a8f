"""Lines of the screen: how wide, and broken where."""

from __future__ import annotations

import textwrap

from pimgr.text import safe

WIDTH = 80
NAME = 28
"""Longest name that a column is made wide for."""


def wrapped(text: str, indent: int, hang: int | None = None) -> list[str]:
    """`text`, escaped, in lines of at most WIDTH columns."""
    begin, rest = " " * indent, " " * (indent if hang is None else hang)
    lines = textwrap.wrap(safe(text), WIDTH, initial_indent=begin, subsequent_indent=rest, break_on_hyphens=False)
    return lines or [begin.rstrip()]
