"""Renews the hash-locked dependencies in lock/: what every pyproject.toml here asks for, resolved once for all of them.

    build.lock   setuptools and wheel: installed first, so that no build needs the network
    run.lock     what a box needs: pimgr, its plugins, the screen and the house in a box
    dev.lock     both, and what the tests and this tool need; its pins are the others' pins

One lock serves every supported Python and every platform: hashes of all files of a release are kept. It names no
index; whoever installs from it uses their own.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "lock"
BUILD = ("setuptools>=77", "wheel")
OURS = re.compile(r"pimgr(-|\b)")


def project(path: Path) -> dict[str, Any]:
    """The `[project]` table of one pyproject.toml."""
    table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    return table


def foreign(requirements: Iterable[str]) -> set[str]:
    """The requirements that are not our own distributions, which come from this checkout."""
    return {requirement for requirement in requirements if not OURS.match(requirement)}


def asked_for() -> tuple[set[str], set[str]]:
    """What a box needs, and what only the tests need."""
    root = project(ROOT / "pyproject.toml")
    extras = root["optional-dependencies"]
    run = foreign([*root["dependencies"], *extras["screen"], *extras["house"]])
    for plugin in sorted(ROOT.glob("plugins/*/pyproject.toml")):
        run |= foreign(project(plugin).get("dependencies", []))
    return run, foreign([*extras["test"], *extras["plot"]])


def compile_lock(name: str, requirements: Iterable[str], options: list[str]) -> None:
    """Write lock/`name`, hashed, without a word about this machine's index."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PIP_") or key == "PIP_CERT"}
    environment["PIP_CONFIG_FILE"] = os.devnull
    command = [sys.executable, "-m", "piptools", "compile", "--quiet", "--no-header", "--generate-hashes"]
    command += ["--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host", "--allow-unsafe"]
    command += ["--strip-extras", "--annotation-style=line", *options, f"--output-file={name}", "-"]
    wanted = "".join(f"{line}\n" for line in sorted(requirements))
    subprocess.run(command, check=True, env=environment, cwd=LOCKS, input=wanted, encoding="utf-8")
    print(f"lock/{name}: {(LOCKS / name).read_text(encoding='utf-8').count('==')} pins")


def main() -> None:
    """Resolve everything once, then cut the two smaller locks out of it by constraint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="keep the pins that still fit; only add what is missing")
    keep = parser.parse_args().keep
    LOCKS.mkdir(exist_ok=True)
    run, test = asked_for()
    compile_lock("dev.lock", {*run, *test, *BUILD, "pip-tools"}, [] if keep else ["--upgrade"])
    constraint = ["--constraint=dev.lock", "--upgrade"]
    compile_lock("run.lock", run, constraint)
    compile_lock("build.lock", BUILD, constraint)


if __name__ == "__main__":
    main()
