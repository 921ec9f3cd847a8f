"""Whether what was installed may stand beside the release: it shadows nothing, and its plugins load."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import Distribution
from pathlib import Path

import msgspec

from pimgr import api
from pimgr.installs import pip
from pimgr.installs.generation import ENVIRONMENT, Root, installed_in, plain
from pimgr.installs.pip import NotInstalled
from pimgr.installs.scaffold import NAME, NAMES

LOAD_S = 60.0
"""How long the plugins may take to load."""
_OF_PIP = ("bin", "__pycache__", "share", "include", "lib")

_PROBE = """
import sys
import msgspec
sys.path.append(sys.argv[1])
from importlib.metadata import distributions
from pimgr import api, plugins
found = {e.name: e for d in distributions(path=[sys.argv[1]]) for e in d.entry_points if e.group == api.GROUP}
records = plugins.load(found, {name: entry.load() for name, entry in found.items()}).records
print(msgspec.json.encode([(r.name, r.status, r.reason) for r in records if r.name in found]).decode())
"""
"""Loads what a folder brings, in a process of its own: an import that never ends, or ends it, does no harm."""


def judge_site(site: Path, asked: Sequence[tuple[str, str]], base: Path) -> tuple[Root, ...]:
    """The plugins that `asked` (distribution and source) brought. Raises NotInstalled where they may not be used."""
    made = {plain(one.name): one for one in installed_in(site)}
    release = pip.release(base)
    _shadows_nothing(site, made, release)
    taken = {e.name: one.name for one in release.values() for e in one.entry_points if e.group == api.GROUP}
    roots = []
    for name, source in asked:
        one = made.get(name)
        if one is None:
            raise NotInstalled(
                f"{name} is part of this installation already; `sudo pimgr plugin remove {name}` if it was added"
            )
        roots.append(Root(name=one.name, version=one.version, plugins=_plugins(one, taken), source=source))
    if roots:
        _load(site)
    return tuple(roots)


def _plugins(one: Distribution, taken: dict[str, str]) -> tuple[str, ...]:
    """The names of the plugins of a distribution; they are `taken` from now on."""
    names = sorted(entry.name for entry in one.entry_points if entry.group == api.GROUP)
    if not names:
        raise NotInstalled(f"{one.name} {one.version} is no plugin: it has no entry point in the group {api.GROUP}")
    for name in names:
        if not NAME.fullmatch(name):
            raise NotInstalled(f"{one.name} calls its plugin {name!r}; {NAMES}")
        if name in taken:
            raise NotInstalled(f"{one.name} brings a plugin {name!r}, and so does {taken[name]}; have one of the two")
        taken[name] = one.name
    return tuple(names)


def _shadows_nothing(site: Path, made: dict[str, Distribution], release: dict[str, Distribution]) -> None:
    """Raise NotInstalled where a distribution or a module of the release would be there twice."""
    if twice := sorted(made.keys() & release.keys()):
        raise NotInstalled(f"it would bring its own {twice[0]}, which is part of this installation")
    owners = dict.fromkeys(sys.stdlib_module_names, "Python")
    for one in release.values():
        owners |= dict.fromkeys(modules(one), one.name)
    owners["pimgr"] = "pimgr"
    for path in sorted(site.iterdir()):
        name = path.name.partition(".")[0]
        if path.name.endswith(".dist-info") or name in _OF_PIP:
            continue
        if name in owners:
            raise NotInstalled(f"it would bring its own module {name}, which {owners[name]} has already")


def modules(one: Distribution) -> set[str]:
    """Top-level modules and packages of a distribution of the release."""
    tops = set((one.read_text("top_level.txt") or "").split())
    for file in one.files or ():
        if not file.parts or file.parts[0] in ("..", "/", "__pycache__"):
            continue
        if len(file.parts) > 1 and not file.parts[0].endswith((".dist-info", ".egg-info", ".data")):
            tops.add(file.parts[0])
        elif len(file.parts) == 1 and file.suffix in (".py", ".so"):
            tops.add(file.name.partition(".")[0])
    return tops


def _load(site: Path) -> None:
    """Raise NotInstalled unless every plugin in the folder loads."""
    command = [sys.executable, "-c", _PROBE, str(site)]
    alone = os.environ | {ENVIRONMENT: str(site / "none")}
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LOAD_S, env=alone)
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"its code didn't load within {LOAD_S:.0f} s") from None
    if done.returncode != 0 or not done.stdout:
        last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        raise NotInstalled(f"its code doesn't load: {last}")
    for name, status, reason in msgspec.json.decode(done.stdout.splitlines()[-1], type=list[tuple[str, str, str]]):
        if status != "loaded":
            raise NotInstalled(f"its plugin {name} doesn't load: {reason}")
