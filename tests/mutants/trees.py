"""Copies of the tree to remove a site from, and the tests run there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.mutants.guard import STRAYED
from tests.mutants.removing import Removal, without

COPIED = ("pimgr", "plugins", "tests", "etc", "docs", "pyproject.toml")
LOST = -1
"""The status of a run whose starter has died."""
STARTER = Path(__file__).with_name("starter.py")
OPTIONS = (
    *("-p", "no:cacheprovider", "-p", "tests.mutants.guard"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # the starter has libraries loaded, before pytest sees them
    "-o",
    "addopts=--import-mode=importlib",
    "-o",
    "timeout_func_only=true",
)
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
    """A copy in a folder of its own, of which one file at a time is changed; `close` it."""

    def __init__(self, source: Path, folder: Path) -> None:
        self.folder = folder
        self._starter: subprocess.Popen[str] | None = None
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
        output = self.folder / "output"
        arguments = ["-x", "-q", *OPTIONS, f"--timeout={TEST_S}", *options, *tests]
        status, hung = self._run([str(output), *arguments], limit_s)
        text = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
        if hung:
            return Run(Fate.HUNG, "")
        if status == STRAYED:
            text = f"the copy is not what was tested\n{text}"
        return Run({0: Fate.PASSED, 1: Fate.FAILED}.get(status, Fate.BROKEN), text)

    def close(self) -> None:
        """No more runs."""
        if self._starter is not None:
            self._starter.communicate()

    def _run(self, line: Sequence[str], limit_s: float) -> tuple[int, bool]:
        """Its exit status, and whether it had to be ended at the limit; what it left hanging is ended too."""
        if self._starter is None:
            self._starter = subprocess.Popen(
                [sys.executable, str(STARTER)],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        asked, told = self._starter.stdin, self._starter.stdout
        assert asked is not None
        assert told is not None
        with suppress(OSError, ValueError):
            print(json.dumps(line), file=asked, flush=True)
            run = int(told.readline())
            limit = threading.Timer(limit_s, _end, (run,))
            limit.start()
            try:
                return int(told.readline()), not limit.is_alive()
            finally:
                limit.cancel()
                _end(run)
        return LOST, False

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


def _end(run: int) -> None:
    """The run and all that it started: what a removed deadline leaves hanging stays in its session."""
    with suppress(ProcessLookupError):
        os.killpg(run, signal.SIGKILL)
