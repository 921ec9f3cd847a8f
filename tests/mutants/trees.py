"""Copies of the tree to remove a site from, and the tests run there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.mutants.guard import STRAYED
from tests.mutants.removing import Removal, without

COPIED = ("pimgr", "plugins", "tests", "etc", "docs", "pyproject.toml")
OPTIONS = ("-o", "addopts=--import-mode=importlib", "-o", "timeout_func_only=true")
TEST_S = 12
"""What a test may take, once its fixtures are made; those of a removed deadline hang."""


class Fate(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    HUNG = "hung"
    BROKEN = "broken"
    """No test ran, or it ran on other code: that proves nothing."""


@dataclass(frozen=True)
class Run:
    """How the named tests ended, and what they printed last."""

    fate: Fate
    output: str


class Tree:
    """A copy in a folder of its own, of which one file at a time is changed."""

    def __init__(self, source: Path, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            if (source / name).is_dir():
                shutil.copytree(
                    source / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
                )
            elif (source / name).exists():
                shutil.copy(source / name, folder / name)

    @contextmanager
    def without(self, removals: Sequence[Removal]) -> Iterator[None]:
        """The tree with these sites removed, as long as the block runs. Raises what `removing.without` does."""
        files = {site.file: [r for r in removals if r[0].file == site.file] for site, _ in removals}
        whole = {self.folder / file: (self.folder / file).read_text(encoding="utf-8") for file in files}
        changed = {self.folder / file: without(whole[self.folder / file], each) for file, each in files.items()}
        try:
            for path, text in changed.items():
                _write(path, text)
            yield
        finally:
            for path, text in whole.items():
                _write(path, text)

    def test(self, tests: Sequence[str], limit_s: float, *options: str) -> Run:
        """Run these tests on this copy."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "tests.mutants.guard"]
        process = subprocess.Popen(
            [*command, *OPTIONS, f"--timeout={TEST_S}", *options, *tests],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            output, fate = "", Fate.HUNG
        else:
            fate = {0: Fate.PASSED, 1: Fate.FAILED}.get(process.returncode, Fate.BROKEN)
            if process.returncode == STRAYED:
                output = f"the copy is not what was tested\n{output}"
        finally:
            _end(process)
        return Run(fate, output)

    def _environment(self) -> dict[str, str]:
        path = [self.folder, *sorted(p for p in self.folder.glob("plugins/*") if p.is_dir())]
        environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS"}}
        # as in CI: a test that would be skipped here, for want of a program, fails and says so
        return {**environment, "CI": "1", "PYTHONPATH": os.pathsep.join(map(str, path))}


def _write(path: Path, text: str) -> None:
    """A compiled module is told from its source by second and size only: the old one goes."""
    path.write_text(text, encoding="utf-8")
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()


def _end(process: subprocess.Popen[str]) -> None:
    """The run and all that it started: what a removed deadline leaves hanging stays in its session."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
