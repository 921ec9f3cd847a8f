"""What the pyproject files promise one another: names, versions, entry points, and a lock that covers them all."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tools import lock

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ("apprise", "gmail", "honeywell", "kasa", "powerwall", "ssh-host", "tuya", "weather", "windows-host")
LOCKS = {name: (ROOT / "lock" / f"{name}.lock").read_text(encoding="utf-8") for name in ("build", "run", "dev")}


def table(path: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"))


def pins(locked: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\$", locked, re.MULTILINE))


def bare(requirement: str) -> str:
    """The normalised name in a requirement such as `AIOSomecomfort>=0.0.39`."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name.group()).lower()


def test_the_extra_all_names_every_plugin_at_our_own_version() -> None:
    project = table("pyproject.toml")["project"]
    assert sorted(project["optional-dependencies"]["all"]) == [
        f"pimgr-{name}=={project['version']}" for name in PLUGINS
    ]


@pytest.mark.parametrize("name", PLUGINS)
def test_each_plugin_is_a_distribution_with_one_entry_point_of_its_name(name: str) -> None:
    project = table(f"plugins/{name}/pyproject.toml")["project"]
    version = table("pyproject.toml")["project"]["version"]
    assert (project["name"], project["version"]) == (f"pimgr-{name}", version)
    assert list(project["entry-points"]["pimgr"]) == [name]
    assert f"pimgr=={version}" in project["dependencies"]


def test_the_core_depends_on_seven_libraries_and_no_vendor() -> None:
    dependencies = table("pyproject.toml")["project"]["dependencies"]
    assert {bare(requirement) for requirement in dependencies} == {
        "astral",
        "holidays",
        "msgspec",
        "pluggy",
        "sdnotify",
        "tomli",
        "typer",
    }


def test_everything_asked_for_is_locked() -> None:
    run, test = lock.asked_for()
    assert {bare(requirement) for requirement in run} <= set(pins(LOCKS["run"])), "run `make lock KEEP=1`"
    assert {bare(requirement) for requirement in {*run, *test}} <= set(pins(LOCKS["dev"])), "run `make lock KEEP=1`"


def test_the_three_locks_agree() -> None:
    everything = pins(LOCKS["dev"]).items()
    assert pins(LOCKS["run"]).items() <= everything
    assert pins(LOCKS["build"]).items() <= everything


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_file_has_its_hash_and_no_address(name: str) -> None:
    blocks = re.split(r"\n(?=[a-z0-9])", LOCKS[name].split("\n# The following", 1)[0])
    for block in blocks:
        assert "--hash=sha256:" in block, block
    assert not re.search(r"://|^-|--index|--find-links|--extra-index|--trusted-host", LOCKS[name], re.MULTILINE)
