"""Names that others chose are shown, and do nothing."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pimgr.text import did_you_mean, safe, safe_lines, safe_markup

NASTY = st.text(alphabet=st.one_of(st.characters(), st.sampled_from("[]\\/@#ab=\x1b\u202e\u0301\n")), max_size=60)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Pool pump 3/4 (süd)", "Pool pump 3/4 (süd)"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\r\nb\tc", "a\\x0d\\x0ab\\x09c"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202egnp.exe", "abc\\u202egnp.exe"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("line\u2028end", "line\\u2028end"),
        ("odd\u00a0space", "odd\\xa0space"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\U000e0001"),
        ("e\u0301", "e\u0301"),
        ("z\u0301\u0302\u0303\u0304", "z\u0301\u0302\\u0303\\u0304"),
        ("水泵", "水泵"),
        ("", ""),
    ],
)
def test_what_can_not_be_seen_is_spelled(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_a_long_name_has_an_end() -> None:
    assert safe("x" * 10_000) == "x" * 499 + "…"
    assert safe("abcdef", 5) == "abcd…"
    assert safe("abcde", 5) == "abcde"


@given(NASTY)
def test_a_safe_text_is_printable_and_stays_as_it_is(text: str) -> None:
    shown = safe(text)
    assert all(letter == " " or unicodedata.category(letter)[0] not in "CZ" for letter in shown)
    assert safe(shown) == shown
    shown.encode()


@given(NASTY)
def test_of_several_lines_only_the_ends_stay(text: str) -> None:
    assert safe_lines(text).count("\n") == text.count("\n")
    assert all(safe(line) == line for line in safe_lines(text).split("\n"))


@given(NASTY)
@example("[bold]x[/bold]")
@example("\\[bold]x")
@example("end\\")
@example("[link=http://192.0.2.1]x")
def test_no_name_becomes_markup(text: str) -> None:
    render = pytest.importorskip("rich.markup").render
    rendered = render(f"[red]{safe_markup(text)}[/red] after", emoji=False)
    shown = safe(text)
    shown = shown[:-1] + "\\x5c" if shown.endswith("\\") else shown
    assert rendered.plain == f"{shown} after"
    assert [(span.start, span.end, span.style) for span in rendered.spans] == [(0, len(shown), "red")]


def test_what_may_have_been_meant_is_named_as_it_is_written_there():
    zones = ["Europe/Berlin", "America/New_York"]
    assert did_you_mean("europe/berln", zones) == 'did you mean "Europe/Berlin"?'
    assert did_you_mean("KWH", ["Wh", "kWh"]) == 'did you mean "kWh"?'
    assert did_you_mean("x" * 10**6, zones) == did_you_mean("", zones) == did_you_mean("Berlin", []) == ""
