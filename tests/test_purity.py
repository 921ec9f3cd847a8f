"""Who may import what, told from the syntax trees: the ring stays pure, and every dependency has one home."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
RING = ROOT / "pimgr" / "policy"
DATA_MODULES = {"__future__", "collections.abc", "dataclasses", "enum", "math", "typing"}
CLOCKS_AND_CHANCE = {"time", "datetime", "random", "secrets", "uuid", "os", "io", "socket", "asyncio", "threading"}
VENDORS = {
    "tesla_powerwall",
    "kasa",
    "paramiko",
    "aiosomecomfort",
    "tinytuya",
    "aiohttp",
    "requests",
    "smtplib",
    "rich",
}
CLIENTS = {
    "tesla_powerwall",
    "kasa",
    "paramiko",
    "smtplib",
    "tinytuya",
    "aiosomecomfort",
    "aiohttp",
    "requests",
    "httpx",
}
ONE_HOME = {
    "typer": "pimgr/cli/",
    "sqlite3": "pimgr/sqlite.py",
    "sdnotify": "pimgr/notify.py",
}


def sources(folder: Path) -> Iterator[tuple[str, ast.Module]]:
    """Every module of a folder, by its path from the root."""
    for path in sorted(folder.rglob("*.py")):
        if not {"build", "dist", ".venv"} & set(path.relative_to(ROOT).parts):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(), str(path))


def imports(tree: ast.AST) -> set[str]:
    """Every module that is imported anywhere in it, also inside functions; `from pimgr import api` is "pimgr.api"."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports say in full where from"
            package = node.module or ""
            whole = package in ("pimgr", "pimgr.policy")
            found |= {f"{package}.{alias.name}" for alias in node.names} if whole else {package}
    return found


def top(modules: set[str]) -> set[str]:
    return {m.partition(".")[0] for m in modules}


def within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == p or module.startswith(p + ".") for p in packages)


@pytest.mark.parametrize(("path", "tree"), sources(RING))
def test_the_ring_imports_data_modules_the_contract_and_itself(path, tree):
    others = {m for m in imports(tree) if not within(m, ("pimgr.policy", "pimgr.api", "pimgr.units"))}
    assert others <= DATA_MODULES


@pytest.mark.parametrize(("path", "tree"), sources(RING))
def test_the_ring_knows_no_clock_no_chance_and_no_files(path, tree):
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    assert not names & (CLOCKS_AND_CHANCE | {"open", "print", "input", "exec", "eval", "__import__", "globals"})
    assert not any(isinstance(n, ast.Global | ast.Nonlocal | ast.AsyncFunctionDef | ast.Await) for n in ast.walk(tree))


@pytest.mark.parametrize(("path", "tree"), sources(RING))
def test_the_ring_keeps_nothing_between_two_calls(path, tree):
    """No mutable value at module level: what it remembers is in State."""
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            assert not isinstance(node.value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp), ast.unparse(
                node
            )


@pytest.mark.parametrize("library", ONE_HOME)
def test_each_of_these_libraries_has_one_home(library):
    homes = {path for path, tree in sources(ROOT / "pimgr") if library in top(imports(tree))}
    assert homes
    assert {h for h in homes if not h.startswith(ONE_HOME[library])} == set()


def test_pluggy_is_met_in_the_contract_and_where_plugins_are_loaded():
    """`api` holds the hook's specification, which cannot be written without it."""
    homes = {path for path, tree in sources(ROOT / "pimgr") if "pluggy" in top(imports(tree))}
    assert homes <= {"pimgr/api.py", "pimgr/plugins.py"}


def test_the_core_imports_no_vendor():
    for path, tree in sources(ROOT / "pimgr"):
        screen = {"rich"} if path.startswith("pimgr/demo/") else set()
        if not path.startswith("pimgr/house/"):  # it has its own test
            assert not top(imports(tree)) & (VENDORS - screen), path


def test_the_house_in_a_box_imports_no_client():
    for path, tree in sources(ROOT / "pimgr" / "house"):
        assert not top(imports(tree)) & CLIENTS, path


def test_plugins_import_the_contract_and_nothing_else_of_pimgr():
    seen = 0
    for path, tree in sources(ROOT / "plugins"):
        allowed: tuple[str, ...] = ("pimgr.api", "pimgr.units")
        if "/tests/" in path:
            allowed += ("pimgr.testing", "pimgr.house")
        ours = {m for m in imports(tree) if m.partition(".")[0] == "pimgr"}
        assert {m for m in ours if not within(m, allowed)} == set(), path
        seen += len(ours)
    assert seen > 7


def test_plugins_import_no_other_plugin():
    for path, tree in sources(ROOT / "plugins"):
        own = {p.name for p in (ROOT / Path(*Path(path).parts[:2])).glob("pimgr_*")}
        assert {m for m in top(imports(tree)) if m.startswith("pimgr_")} <= own, path


def test_what_plugin_authors_and_kill_loops_use_needs_no_pytest():
    for name in ("context.py", "scripted.py", "time.py", "world.py"):
        tree = ast.parse((ROOT / "pimgr" / "testing" / name).read_text())
        assert "pytest" not in top(imports(tree)), name


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import time", {"time"}),
        ("def f():\n from random import random", {"random"}),
        ("from pimgr import api, journal", {"pimgr.api", "pimgr.journal"}),
        ("import os.path as p", {"os.path"}),
        ("from collections.abc import Mapping", {"collections.abc"}),
    ],
)
def test_these_tests_see_an_import_however_it_is_written(text, found):
    assert imports(ast.parse(text)) == found
