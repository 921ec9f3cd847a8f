"""A message without end becomes a mail that any server takes."""

from __future__ import annotations

from pimgr_gmail.letter import one_line, plain


def test_a_subject_has_an_end() -> None:
    assert one_line("x" * 100_000) == "x" * 200


def test_a_text_has_an_end() -> None:
    assert plain("x" * 1_000_000) == "x" * 100_000 + "\n"
