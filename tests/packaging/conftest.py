"""The Pythons of this machine, and wheels that are built once for all tests here."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import wheels

ROOT = Path(__file__).resolve().parents[2]
SUPPORTED = ("3.11", "3.13")
ASKS_VERSION = "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])"


def candidates(version: str) -> Iterator[str]:
    """Where a Python of that version may be; the one that runs this comes first."""
    if sys.version_info[:2] == tuple(int(number) for number in version.split(".")):
        yield sys.executable
    if found := shutil.which(f"python{version}"):
        yield found
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from (str(path / "bin" / "python3") for path in sorted(pyenv.glob(f"versions/{version}*")))


def find_python(version: str) -> str | None:
    """A Python of that version that can make a venv."""
    for path in candidates(version):
        answer = subprocess.run([path, "-c", ASKS_VERSION], capture_output=True, text=True, check=False)
        if answer.stdout.strip() == version:
            return path
    return None


@pytest.fixture(scope="session", params=SUPPORTED)
def python(request: pytest.FixtureRequest) -> str:
    """Each supported Python that is on this machine."""
    path = find_python(request.param)
    if path is None:
        pytest.skip(f"no Python {request.param} here")
    return path


@pytest.fixture(scope="session")
def our_wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Wheels of pimgr and its plugins, built offline from a clean copy."""
    return wheels.build(tmp_path_factory.mktemp("dist") / "wheels")


@pytest.fixture(scope="session")
def wheelhouse(python: str) -> Path:
    """Wheels of all that lock/run.lock names, made as docs/install.md says; kept in build/ until the lock changes."""
    locks = b"".join((ROOT / "lock" / name).read_bytes() for name in ("build.lock", "run.lock"))
    version = subprocess.run([python, "-c", ASKS_VERSION], capture_output=True, text=True, check=True).stdout.strip()
    house = ROOT / "build" / f"wheelhouse-{version}-{hashlib.sha256(locks).hexdigest()[:12]}"
    if house.exists():
        return house
    for stale in (ROOT / "build").glob(f"wheelhouse-{version}-*"):
        shutil.rmtree(stale)
    making = house.with_name(f".{house.name}-{os.getpid()}")
    builder = making / "venv"
    subprocess.run([python, "-m", "venv", str(builder)], check=True)
    pip = [str(builder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    locked = ["--quiet", "--require-hashes", "--no-deps"]
    subprocess.run([*pip, "install", *locked, "-r", "lock/build.lock"], check=True, cwd=ROOT)
    wheel = [*pip, "wheel", *locked, "--no-build-isolation", "-w", str(making / "wheels"), "-r", "lock/run.lock"]
    subprocess.run(wheel, check=True, cwd=ROOT)
    (making / "wheels").rename(house)
    shutil.rmtree(making)
    return house
