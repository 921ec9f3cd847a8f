"""The table of troubles in the docs is what the plugins' own tests expect, for every device type that there is."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import msgspec
import pytest

from pimgr import api
from pimgr.testing import Trouble
from tests.testing.lamp import lamp
from tests.testing.matrix_rows import Row, row, table

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "fault-matrix.md"
FOUND = ROOT / "build" / "fault-matrix.md"
BEGIN, END = "<!-- the table: begin -->\n", "<!-- the table: end -->\n"


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """One row for each fault matrix of a plugin."""
    file = tmp_path_factory.mktemp("matrix") / "rows.jsonl"
    command = [sys.executable, "-m", "pytest", "plugins", "-q", "-p", "tests.testing.matrix_rows", "-p", "no:xdist"]
    command += ["-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib", "--matrix-rows", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120.0, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    return [msgspec.json.decode(line, type=Row) for line in file.read_bytes().splitlines()]


def device_types() -> set[str]:
    """What the plugins of this repository offer, by their entry points."""
    names: set[str] = set()
    for project in (ROOT / "plugins").glob("*/pyproject.toml"):
        points = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["entry-points"][api.GROUP]
        for module in points.values():
            manager = api.plugin_manager()
            manager.register(import_module(module))
            names |= {kind.name for found in manager.hook.pimgr_device_types() for kind in found}
    return names


@pytest.mark.slow
def test_every_device_type_is_in_the_matrix(rows: list[Row]) -> None:
    assert {row.device for row in rows} == device_types()


@pytest.mark.slow
def test_the_page_shows_what_the_tests_expect(rows: list[Row]) -> None:
    shown = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    expected = table(rows)
    if shown != expected:
        FOUND.parent.mkdir(exist_ok=True)
        FOUND.write_text(expected, encoding="utf-8")
    assert shown == expected, f"put {FOUND.relative_to(ROOT)} between the marks of {PAGE.relative_to(ROOT)}"


def test_a_row_says_what_is_expected_what_works_and_what_cannot_be() -> None:
    faults = {Trouble.CUT: (), Trouble.SILENT: (api.Refused,)}
    found = row("bright lamp", lamp(faults=faults, spared={Trouble.RATE_LIMITED: "it counts no questions"}))
    assert (found.cells["cut"], found.cells["silent"], found.cells["rate limited"]) == ("works", "Refused", "spared")
    assert found.cells["dripping"] == "Unreachable or Garbled"
    head, rule, line, empty, reason = table([found]).splitlines()
    assert head.startswith("| device type | as | unreachable | silent |")
    assert rule.count("---") == 12
    assert line.startswith("| `lamp.plug` | bright lamp | Unreachable | Refused |")
    assert (empty, reason) == ("", "- `lamp.plug`, rate limited: it counts no questions")
