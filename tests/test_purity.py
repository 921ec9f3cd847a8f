"""Who may import what, told from the syntax trees: the ring stays pure, and every dependency has one home."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Set
from functools import cache
from importlib.metadata import packages_distributions
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


OUTSIDE = ("pimgr.house", "pimgr.demo", "pimgr.testing", "pimgr.simulate")
"""Rehearsals and tests: they speak to plugins and to screens, and no box needs them."""


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def needed_by(folder: Path) -> set[str]:
    """The distributions that a plugin's pyproject asks for, by plain name."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    names = (re.match(r"[A-Za-z0-9._-]+", requirement) for requirement in project["dependencies"])
    return {plain(name.group()) for name in names if name}


def plugin_folders() -> list[Path]:
    """Ours, and the example of somebody else's."""
    return [
        path.parent
        for path in sorted([*ROOT.glob("plugins/*/pyproject.toml"), *ROOT.glob("examples/*/pyproject.toml")])
    ]


def vendor_packages() -> set[str]:
    """What may be imported of any library that a plugin asks for, as the installed distributions tell it."""
    wanted = {name for folder in plugin_folders() for name in needed_by(folder) if not name.startswith("pimgr")}
    of = packages_distributions()
    found = {package for package, names in of.items() if wanted & {plain(name) for name in names}}
    missing = wanted - {plain(name) for package in found for name in of[package]}
    assert not missing, f"not installed: {missing}"
    return found


def own_packages() -> set[str]:
    return {path.name for folder in plugin_folders() for path in folder.glob("pimgr_*")}


def sources(folder: Path) -> Iterator[tuple[str, ast.Module]]:
    """Every module of a folder, by its path from the root."""
    for path in sorted(folder.rglob("*.py")):
        if not {"build", "dist", ".venv"} & set(path.relative_to(ROOT).parts):
            yield str(path.relative_to(ROOT)), parsed(path)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


@cache
def imports(tree: ast.AST) -> frozenset[str]:
    """Every module that is imported anywhere in it, also inside functions; `from pimgr import api` is "pimgr.api"."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = "." * node.level + (node.module or "")
            whole = package in ("pimgr", "pimgr.policy")
            found |= {f"{package}.{alias.name}" for alias in node.names} if whole else {package}
    return frozenset(found)


def top(modules: Set[str]) -> set[str]:
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


def test_between_the_rings_folders_arrows_go_one_way():
    """Words and workbench stand at the top, and every folder may know them."""
    folders = {path.name for path in RING.iterdir() if (path / "__init__.py").is_file()}
    arrows = {folder: set[str]() for folder in folders}
    for path, tree in sources(RING):
        folder = Path(path).parent.name
        if folder in folders:
            arrows[folder] |= {m.split(".")[2] for m in imports(tree) if m.startswith("pimgr.policy.")} & folders - {
                folder
            }
    assert len(folders) > 4
    assert any(arrows.values())
    while free := {folder for folder, known in arrows.items() if not known}:
        arrows = {folder: known - free for folder, known in arrows.items() if folder not in free}
    assert arrows == {}


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


def test_no_module_of_pimgr_imports_a_plugin_or_a_library_of_one():
    """Also of plugins that are yet to come: what they ask for is read from their pyproject files."""
    foreign = vendor_packages() | own_packages()
    assert {"apprise", "kasa", "tinytuya", "paramiko", "pimgr_gmail", "pimgr_ev_charger"} <= foreign
    for path, tree in sources(ROOT / "pimgr"):
        if not path.startswith("pimgr/house/"):  # it may speak a protocol by the other end of the same library
            assert not top(imports(tree)) & foreign, path
        else:
            assert not top(imports(tree)) & (own_packages() | (CLIENTS & foreign)), path


def test_with_all_of_pimgr_imported_no_library_of_a_plugin_is():
    """What is imported by way of something else counts too."""
    program = f"""
import importlib, json, pkgutil, sys
import pimgr
for module in pkgutil.walk_packages(pimgr.__path__, "pimgr.", onerror=lambda name: None):
    if not module.name.startswith({OUTSIDE!r}) and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    imported = set(json.loads(done.stdout.splitlines()[-1]))
    assert "pluggy" in imported
    assert imported & (vendor_packages() | own_packages()) == set()


def test_no_box_needs_the_simulator_nor_anything_to_draw_with():
    """Only commands import it, when they are called; matplotlib is imported by the chart alone, when one is drawn."""
    for path, tree in sources(ROOT / "pimgr"):
        inside = path.startswith("pimgr/simulate/")
        if not inside and not path.startswith("pimgr/cli/"):
            assert not [m for m in imports(tree) if within(m, ("pimgr.simulate",))], path
        at_top = {m for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom) for m in imports(node)}
        assert not top(at_top) & {"matplotlib", "numpy"}, path
        if not path.startswith("pimgr/simulate/chart"):
            assert not top(imports(tree)) & {"matplotlib", "numpy"}, path
    for name in ("app.py", "quick.py", "status.py"):
        tree = ast.parse((ROOT / "pimgr" / "cli" / name).read_text())
        at_top = {m for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom) for m in imports(node)}
        assert not [m for m in at_top if within(m, ("pimgr.simulate",)) or m.endswith(("simulating", "planning"))], name


def test_the_house_in_a_box_imports_no_client():
    for path, tree in sources(ROOT / "pimgr" / "house"):
        assert not top(imports(tree)) & CLIENTS, path


def test_plugins_import_the_contract_and_nothing_else_of_pimgr():
    seen = 0
    for path, tree in [*sources(ROOT / "plugins"), *sources(ROOT / "examples")]:
        allowed: tuple[str, ...] = ("pimgr.api", "pimgr.units")
        if path.endswith("_charger/house.py"):  # what the entry point group pimgr.house names is for the house
            allowed += ("pimgr.house",)
        if "/tests/" in path:
            allowed += ("pimgr.testing", "pimgr.house")
        ours = {m for m in imports(tree) if m.partition(".")[0] == "pimgr"}
        assert {m for m in ours if not within(m, allowed)} == set(), path
        seen += len(ours)
    assert seen > 7


def test_imports_say_in_full_where_from():
    """But in tests, which are no package everywhere, so that a helper beside them may have no other name."""
    for folder in ("pimgr", "plugins", "examples"):
        for path, tree in sources(ROOT / folder):
            if "/tests/" not in path:
                assert not [module for module in imports(tree) if module.startswith(".")], path


def test_a_plugin_imports_no_other_plugin_that_it_does_not_ask_for():
    for folder in plugin_folders():
        own = {p.name for p in folder.glob("pimgr_*")}
        asked = {name.replace("-", "_") for name in needed_by(folder) if name.startswith("pimgr-")}
        for path, tree in sources(folder):
            assert {m for m in top(imports(tree)) if m.startswith("pimgr_")} <= own | asked, path


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
        ("from .beside import thing", {".beside"}),
    ],
)
def test_these_tests_see_an_import_however_it_is_written(text, found):
    assert imports(ast.parse(text)) == found
