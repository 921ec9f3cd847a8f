"""docs/write-a-plugin.md, done by the letter in a fresh environment, ends with a working plugin."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "write-a-plugin.md"
BLOCK = re.compile(r"^```(console|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOOLS = ("iniconfig", "packaging", "pluggy", "pygments", "pytest", "setuptools")
"""What the tutorial needs besides pimgr: pytest with what it needs, and setuptools."""
SECONDS = 240


@pytest.fixture(scope="session")
def tools(wheelhouse: Path) -> Path:
    """Wheels of `TOOLS` as lock/dev.lock pins them; kept in build/ until they change."""
    blocks = re.split(r"\n(?=[a-z0-9])", (ROOT / "lock" / "dev.lock").read_text(encoding="utf-8"))
    chosen = "\n".join(block for block in blocks if block.split("==")[0] in TOOLS) + "\n"
    folder = wheelhouse.parent / f"tools-{hashlib.sha256(chosen.encode()).hexdigest()[:12]}"
    if not folder.exists():
        making = folder.with_name(f".{folder.name}-making")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        (making / "tools.lock").write_text(chosen)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
        locked = ["--require-hashes", "-w", str(making), "-r", str(making / "tools.lock")]
        subprocess.run([*pip, *locked], check=True, timeout=SECONDS)
        making.rename(folder)
    assert len(list(folder.glob("*.whl"))) == len(TOOLS)
    return folder


def pattern(line: str) -> re.Pattern[str]:
    """A line of the page, in which `...` stands for anything."""
    return re.compile(".*".join(re.escape(part) for part in line.split("...")))


def test_the_tutorial_done_by_the_letter_ends_with_a_working_plugin(
    python: str, our_wheels: list[Path], wheelhouse: Path, tools: Path, tmp_path: Path
) -> None:
    """Its boxes are one script for a shell that stops at the first failure; nothing comes from a network."""
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    said = [f"echo '@@ {number}'\n{text}" for number, (kind, text) in enumerate(blocks) if kind == "console"]
    assert len(said) == 6, "a box was added or lost"
    (tmp_path / "dist").symlink_to(our_wheels[0].parent)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(python)
    environment = {
        "PATH": f"{tmp_path / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_FIND_LINKS": f"{wheelhouse} {tools}",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "GIT_CEILING_DIRECTORIES": str(tmp_path),
    }
    shell = subprocess.Popen(
        ["bash", "-eu", "-o", "pipefail", "-c", "\n".join(said)],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = shell.communicate(timeout=SECONDS)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)  # the device that was played with, where a box failed
        shell.wait()
    assert shell.returncode == 0, output
    told = dict(re.findall(r"^@@ (\d+)\n(.*?)(?=^@@ |\Z)", output, re.MULTILINE | re.DOTALL))
    for number, (kind, text) in enumerate(blocks):
        if kind != "text":
            continue
        lines = told[str(number - 1)].splitlines()
        for line in text.splitlines():
            assert any(pattern(line).fullmatch(each) for each in lines), f"{line!r} is not in:\n{told[str(number - 1)]}"


def test_every_message_in_the_tables_is_said_somewhere_in_the_code() -> None:
    """A cure for a message that is never said helps nobody: its longest fixed words are in the source."""
    page = PAGE.read_text(encoding="utf-8")
    code = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "pimgr").rglob("*.py"))
    code = re.sub(r'["\']?\s*\n\s*f?["\']?', "", code).replace("`", "'")
    rows = re.findall(r"^\| (?:in the list: )?(`.+?) \|", page.partition("| it says |")[2], re.MULTILINE)
    assert len(rows) > 10
    for message in re.findall(r"`([^`]+)`", " ".join(rows)):
        fixed = re.split(r"\.\.\.|\b[XY]\b|cpython-\d+|version \d|speaks \d", message.replace("`", "'"))
        words = max(fixed, key=len).strip(" ,;")
        assert words in code, f"{words!r} of {message!r}"
