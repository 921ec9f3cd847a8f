"""What each device type is expected to do in each trouble, as the plugins' own fault matrices say it.

Loaded as a pytest plugin (``-p tests.testing.matrix_rows --matrix-rows FILE``) it sets up the `subject` of every
`FaultMatrixSuite`, writes one JSON line for each into FILE, and runs no test.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pytest

from pimgr.testing import FaultMatrixSuite, Subject, Trouble
from pimgr.testing.cell import FOUR
from pimgr.testing.matrix import TROUBLES
from pimgr.testing.subject import FAULTS

WORKS, SPARED = "works", "spared"


class Row(msgspec.Struct, frozen=True):
    """One device type in one setting. `cells`: by trouble; `spared`: the reasons why some can't be."""

    device: str
    setting: str
    cells: dict[str, str]
    spared: dict[str, str]


def row(setting: str, subject: Subject) -> Row:
    cells = {trouble.value: _cell(subject, trouble) for trouble in TROUBLES}
    spared = {trouble.value: reason for trouble, reason in subject.spared.items()}
    return Row(subject.device_type.name, setting, cells, spared)


def _cell(subject: Subject, trouble: Trouble) -> str:
    if trouble in subject.spared:
        return SPARED
    expected = subject.faults.get(trouble, FAULTS[trouble])
    return " or ".join(kind.__name__ for kind in FOUR if kind in expected) or WORKS


def table(rows: Iterable[Row]) -> str:
    """The rows as Markdown, with the reasons below."""
    ordered = sorted(rows, key=lambda row: (row.device, row.setting))
    head = ["device type", "as", *(trouble.value for trouble in TROUBLES)]
    lines = [_line(head), _line(["---"] * len(head))]
    lines += [_line([f"`{row.device}`", row.setting, *row.cells.values()]) for row in ordered]
    return "\n".join([*lines, "", *_reasons(ordered)]) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _reasons(rows: Iterable[Row]) -> Iterator[str]:
    """Who can't have which trouble, and why; what several say alike is said once."""
    said: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for trouble, reason in row.spared.items():
            settings = said.setdefault((trouble, reason), [])
            if f"`{row.device}`" not in settings:
                settings.append(f"`{row.device}`")
    for (trouble, reason), devices in sorted(said.items(), key=lambda item: (item[1], item[0])):
        yield f"- {', '.join(devices)}, {trouble}: {reason}"


def _setting(suite: type) -> str:
    """`TestPlugWithCloudInTrouble` is "plug with cloud", `TestPlug31InTrouble` "plug 3.1"."""
    name = re.sub(r"^Test|(InTrouble|FaultMatrix|Matrix|Faults|Troubles?)$", "", suite.__name__)
    words = re.findall(r"[A-Z]+(?![a-z])\d*|[A-Z][a-z]*\d*|\d+", name)
    plain = " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in words)
    return re.sub(r"(?<=[a-z])(\d)(\d)\b", r" \1.\2", plain) or "it"


# -------------------------------------------------------------------------------------------- as a pytest plugin


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--matrix-rows", default="", help="file for the rows of the fault matrix")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """One test of each fault matrix is enough to know its subject."""
    if not config.getoption("--matrix-rows"):
        return
    first: dict[type, pytest.Item] = {}
    for item in items:
        suite = item.cls if isinstance(item, pytest.Function) else None
        if suite is not None and issubclass(suite, FaultMatrixSuite):
            first.setdefault(suite, item)
    items[:] = first.values()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Write its row instead of running it."""
    file = pyfuncitem.config.getoption("--matrix-rows")
    if not file:
        return None
    found = row(_setting(pyfuncitem.cls), pyfuncitem.funcargs["subject"])
    with Path(file).open("ab") as rows:
        rows.write(msgspec.json.encode(found) + b"\n")
    return True
