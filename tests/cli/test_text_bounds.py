"""A text without end costs no more than one of the longest that is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pimgr.text import LIMIT, safe, safe_lines


class Endless(str):
    """Whoever looks at all of it never ends."""

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("it was read to its end")

    def split(self, *_: Any) -> list[str]:
        raise AssertionError("it was read to its end")


def test_of_a_text_without_end_only_the_beginning_is_looked_at() -> None:
    assert len(safe(Endless("x" * 10_000))) == LIMIT


def test_of_many_lines_without_end_only_the_first_ones_are_looked_at() -> None:
    assert safe_lines(Endless("line\n" * 100_000)).count("\n") == 20_000 // len("line\n")


def test_a_text_that_grows_by_its_escapes_has_the_same_end() -> None:
    assert len(safe("\x1b" * (LIMIT - 1))) == LIMIT
