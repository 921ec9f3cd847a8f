"""The pages of device facts and of promises name tests that exist, each in the folder under whose heading it stands."""

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
