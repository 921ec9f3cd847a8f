"""Words that others chose, made harmless: one escaper for terminal, log, mail and page; and which word was meant."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

LIMIT = 500
"""Longest text of a device or a config that is shown; nobody reads on, and a log line has an end."""
_CONTROLS = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories whose members a reader can't see: controls, bidi and zero-width marks, surrogates, line separators."""
_MARKS = frozenset({"Mn", "Me"})
_TAG = re.compile(r"(\\*)(\[[a-z#/@][^\[]*?\])")
"""What rich takes for a tag, with the backslashes before it. Source: rich.markup, 15.0."""
_MARKS_IN_A_ROW = 2
"""Accents that real languages stack on one letter; more of them paint over the neighbouring lines."""


def safe(text: str, limit: int = LIMIT) -> str:
    """One line of `text` that shows what it is and does nothing.

    Controls, ANSI sequences, bidi and zero-width marks, odd spaces, line ends and stacked accents become visible
    escapes such as ``\\x1b``; what is longer than `limit` characters is cut, with an ellipsis. Printable text passes
    unchanged, so it may be applied twice. Markup means nothing to plain text; a sink that reads it uses `safe_markup`.
    """
    shown: list[str] = []
    marks = 0
    for letter in text[: limit + 1]:
        category = unicodedata.category(letter)
        marks = marks + 1 if category in _MARKS else 0
        odd_space = category == "Zs" and letter != " "
        hidden = category in _CONTROLS or odd_space or marks > _MARKS_IN_A_ROW
        shown.append(_escape(letter) if hidden else letter)
    whole = "".join(shown)
    return whole if len(text) <= limit and len(whole) <= limit else whole[: limit - 1] + "…"


def safe_lines(text: str, limit: int = 20_000) -> str:
    """As `safe`, for text of several lines: LF stays."""
    return "\n".join(safe(line) for line in text[:limit].split("\n"))


def safe_markup(text: str, limit: int = LIMIT) -> str:
    """As `safe`, for a text within rich's markup: it can't begin a tag, and its last backslash can't disarm ours."""
    escaped = _TAG.sub(r"\1\1\\\2", safe(text, limit))
    return escaped[:-1] + "\\x5c" if escaped.endswith("\\") else escaped


def _escape(letter: str) -> str:
    code = ord(letter)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean "x"?` for the nearest of `known`, else nothing."""
    near = nearest(word, known)
    return f'did you mean "{near}"?' if near else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """The one of `known` that may have been meant, whatever its capitals; "" where none is like it."""
    import difflib

    by_low = {one.lower(): one for one in known}
    near = difflib.get_close_matches(word[:100].lower(), list(by_low), n=1, cutoff=0.6)
    return by_low[near[0]] if near else ""
