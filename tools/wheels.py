"""Builds wheels of pimgr and of every plugin from a clean copy of this checkout.

A copy, because setuptools packs whatever an earlier build left in build/lib, also modules that are gone by now.
The build runs offline with the setuptools that is installed (from lock/build.lock).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("pimgr", "plugins", "pyproject.toml", "README.md", "LICENSE")
LEFTOVERS = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "dist", ".*_cache")


def copy_sources(target: Path) -> list[Path]:
    """Copy what is packed into `target`; returns the folders of the distributions there, pimgr's first."""
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=LEFTOVERS)
        elif source.exists():
            shutil.copy2(source, target / name)
    return [target, *sorted(path.parent for path in target.glob("plugins/*/pyproject.toml"))]


def build(folder: Path, python: str = sys.executable) -> list[Path]:
    """Wheels of all distributions in `folder`, emptied first. Raises CalledProcessError if one can't be built."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="pimgr-wheels-") as scratch:
        distributions = [str(path) for path in copy_sources(Path(scratch))]
        command = [python, "-m", "pip", "--isolated", "wheel", "--quiet", "--no-index", "--no-deps"]
        subprocess.run([*command, "--no-build-isolation", "-w", str(folder), *distributions], check=True)
    return sorted(folder.glob("*.whl"))


if __name__ == "__main__":
    for wheel in build(Path(sys.argv[1])):
        print(wheel)
