"""The page of device facts names tests that exist, each in the folder under whose heading it stands."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| (?P<fact>.+?) \| (?P<named>.+) \|$", re.MULTILINE)


def test_every_test_that_the_page_names_is_there() -> None:
    page = (ROOT / "docs" / "device-facts.md").read_text(encoding="utf-8")
    folder, missing, count = Path(), [], 0
    for row in ROW.finditer(page):
        names = re.findall(r"`([^`]+)`", row["named"])
        if row["fact"].startswith("**"):
            folder = ROOT / names[0]
            assert folder.is_dir()
            continue
        for name in names:
            count += 1
            there = any(f"def {name}(" in path.read_text(encoding="utf-8") for path in folder.glob("test_*.py"))
            missing += [] if there else [name]
    assert missing == []
    assert count > 50
