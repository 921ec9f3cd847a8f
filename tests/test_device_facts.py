"""Pages name what exists: promises and device facts their tests, each in the folder of its heading; others files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| (?P<fact>.+?) \| (?P<named>.+) \|$", re.MULTILINE)


@pytest.mark.parametrize(("name", "least"), [("device-facts.md", 50), ("promises.md", 25)])
def test_every_test_that_the_page_names_is_there(name: str, least: int) -> None:
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    folder, missing, count = Path(), [], 0
    for row in ROW.finditer(page):
        names = re.findall(r"`([^`]+)`", row["named"])
        if row["fact"].startswith("**"):
            folder = ROOT / names[0]
            assert folder.is_dir()
            continue
        for named in names:
            count += 1
            there = any(f"def {named}(" in path.read_text(encoding="utf-8") for path in folder.glob("test_*.py"))
            missing += [] if there else [named]
    assert missing == []
    assert count > least


def test_all_22_promises_have_their_line() -> None:
    page = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    assert sorted(int(number) for number in re.findall(r"^\| (\d+): ", page, re.MULTILINE)) == list(range(1, 23))


def test_the_page_of_the_architecture_names_every_module_of_the_core_and_no_file_that_is_gone() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w*./-]+(?:\.py|\.toml|/))`", page))
    core = ROOT / "pimgr"
    found = {name: {*ROOT.glob(name), *core.glob(name)} for name in named}
    assert [name for name, paths in found.items() if not paths] == []
    assert set(core.glob("[a-z]*.py")) <= set().union(*found.values())
    table = re.findall(r"^\| (`pimgr/.+?`) \|", page.partition("\nArrows go one way")[0], re.MULTILINE)
    modules = [name.strip("`").removeprefix("pimgr/") for row in table for name in row.split(", ")]
    assert len(modules) == len(set(modules)), "each has one row"
