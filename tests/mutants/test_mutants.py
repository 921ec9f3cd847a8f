"""The list of sites is complete, and `make mutants` tells of each that is missing, gone, or removed unnoticed."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from tests.mutants import run, table
from tests.mutants.removing import without
from tests.mutants.sites import Site, find

ROOT = Path(__file__).resolve().parents[2]
SITES = find(ROOT)
DECLARED = table.read(ROOT / "tests/mutants" / table.NAME)


def test_every_commit_read_back_and_deadline_is_declared_and_nothing_else() -> None:
    assert table.differences(SITES, DECLARED) == []


def test_there_are_sites_of_every_kind_and_the_well_known_ones_are_among_them() -> None:
    assert {s.id.split(":")[2] for s in SITES} == {"commit", "read-back", "deadline"}
    ids = {s.id.rpartition(":")[0] for s in SITES}
    assert {
        "pimgr.loop:Loop.tick:commit",
        "pimgr.sqlite:transaction:commit",
        "pimgr.connections:ConnectionTask._serve:read-back",
        "pimgr.policy.ledger.verdict:in_flight:read-back",
        "pimgr.link:Link.attempt:deadline",
        "pimgr_kasa.plug:Plug._call:deadline",
    } <= ids


@pytest.mark.parametrize("site", SITES, ids=[s.id for s in SITES])
def test_every_removal_changes_the_code_and_its_tests_are_there(site: Site) -> None:
    declared = DECLARED[site.id]
    whole = site.path.read_text(encoding="utf-8")
    changed = without(whole, [(site, declared.removal)])
    compile(changed, site.id, "exec")
    assert changed != ast.unparse(ast.parse(whole)) + "\n"
    for test in declared.tests:
        path, _, name = test.partition("::")
        tests = (ROOT / path).read_text(encoding="utf-8")
        assert f"def {name.partition('[')[0].rpartition('::')[2]}(" in tests, f"no test {test}"


# ------------------------------------------------------------------------------------------- of a small tree of its own

WORK = """
import asyncio
import os

async def asked(answer):
    async with asyncio.timeout(0.05):
        return await answer.wait()

def kept(file, data):
    file.write(data)
    file.flush()
    os.fsync(file.fileno())
"""
TESTS = """
import asyncio
import pytest
from pimgr import work

def test_an_answer_that_does_not_come_is_not_waited_for():
    async def main():
        async with asyncio.timeout(2):
            await work.asked(asyncio.Event())
    with pytest.raises(TimeoutError) as error:
        asyncio.run(main())
    assert error.traceback[-1].name != "main" and any(e.name == "asked" for e in error.traceback)

def test_what_is_kept_can_be_read(tmp_path):
    with open(tmp_path / "kept", "wb") as file:
        work.kept(file, b"x" * 10)
        assert (tmp_path / "kept").read_bytes() == b"x" * 10
"""
TABLE = """
["pimgr.work:asked:deadline:1"]
removal = "10"
tests = ["tests/test_work.py::test_an_answer_that_does_not_come_is_not_waited_for"]

["pimgr.work:kept:commit:1"]
removal = "drop"
tests = ["tests/test_work.py::test_what_is_kept_can_be_read"]

["pimgr.work:kept:commit:2"]
removal = "drop"
tests = ["tests/test_work.py::test_what_is_kept_can_be_read"]
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A tree with one deadline and two commits, of which the last is not tested."""
    for name, text in {
        "pyproject.toml": "",
        "pimgr/__init__.py": "",
        "pimgr/testing/__init__.py": "",
        "pimgr/testing/plugin.py": "",
        "pimgr/work.py": WORK,
        "tests/test_work.py": TESTS,
        "tests/mutants/table.toml": TABLE,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for path in Path(__file__).parent.glob("*.py"):
        if path.name != Path(__file__).name:
            shutil.copy(path, tmp_path / "tests" / "mutants")
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.slow
def test_a_removal_that_nobody_notices_is_told_with_its_site(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--jobs", "2"], small) == 1
    told = capsys.readouterr().out
    assert "survives: pimgr.work:kept:commit:2" in told
    assert "pimgr/work.py:12: os.fsync(file.fileno())" in told
    assert "3 sites removed one at a time: 2 caught" in told


@pytest.mark.slow
def test_when_every_removal_is_noticed_all_is_well(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--jobs", "2", "asked", "kept:commit:1"], small) == 0
    assert "2 sites removed one at a time: 2 caught" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_whose_starter_died_proves_nothing(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(small / "tests/test_work.py", "import pytest\n", "import os, pytest; os.kill(os.getppid(), 9)\n")
    assert run.main(["--jobs", "1", "kept"], small) == 1
    assert "the whole code does not pass" in capsys.readouterr().out


@pytest.mark.slow
def test_what_there_was_no_time_for_is_told(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--jobs", "2", "--within", "0", "asked", "kept:commit:1"], small) == 0
    told = capsys.readouterr().out
    assert "0 sites removed" in told
    assert "2 more were not reached in time" in told


def test_every_commit_begins_elsewhere_and_has_the_same_removals() -> None:
    sites = [f"site {n}" for n in range(40)]
    turns = [run.in_turn(sites, f"commit {n}") for n in range(20)]
    assert all(sorted(turn) == sorted(sites) for turn in turns)
    assert len({turn[0] for turn in turns}) > 10
    assert run.in_turn(sites, "commit 3") == turns[3]
    assert run.in_turn([], "commit 3") == []


@pytest.mark.slow
def test_a_test_that_fails_anyway_proves_nothing(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(small / "tests/test_work.py", 'b"x" * 10\n', 'b"y" * 10\n')
    assert run.main(["--jobs", "1", "kept"], small) == 1
    assert "the whole code does not pass" in capsys.readouterr().out


@pytest.mark.slow
def test_a_test_of_other_code_than_the_copy_proves_nothing(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = small / "elsewhere"
    elsewhere.mkdir()
    (small / "plugins/strange/pimgr_strange").mkdir(parents=True)
    (elsewhere / "pimgr_strange.py").write_text("")
    edit(
        small / "tests/test_work.py",
        "import asyncio\n",
        f"import asyncio, sys; sys.path.insert(0, {str(elsewhere)!r})\n",
    )
    edit(small / "tests/test_work.py", "import pytest\n", "import pytest, pimgr_strange\n")
    assert run.main(["--jobs", "1", "kept"], small) == 1
    assert f"pimgr_strange ({elsewhere}" in capsys.readouterr().out


def test_a_site_that_nobody_declared_is_told_with_what_to_write(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(small / "pimgr/work.py", "    file.write(data)\n", "    file.write(data)\n    os.fsync(file.fileno())\n")
    assert run.main([], small) == 1
    told = capsys.readouterr().out
    assert "not in the table" in told
    assert '["pimgr.work:kept:commit:3"]' in told


def test_a_declared_site_that_is_gone_is_told(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(small / "pimgr/work.py", "    os.fsync(file.fileno())\n", "")
    assert run.main([], small) == 1
    assert "in the table, but not in the code: pimgr.work:kept:commit:2" in capsys.readouterr().out
