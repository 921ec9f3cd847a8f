"""Begins a plugin: a distribution with one device type, a device on loopback, and tests that pass at once."""

from __future__ import annotations

import re
from pathlib import Path

from pimgr.config.connections import OFFICIAL
from pimgr.installs import licences, templates, templates_tests

NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
NAMES = "a plugin's name is a small letter, then small letters, digits, - or _, at most 32 in all"
LICENCES = {
    "Apache-2.0": licences.APACHE,
    "MIT": licences.MIT,
    "GPL-3.0-or-later": licences.GPL,
    "none": "",
}


class NotMade(Exception):
    """Nothing was written. Its text says why."""


def make(name: str, into: Path, licence: str) -> Path:
    """Write the plugin `name` into a new folder in `into`, which is returned. Raises NotMade."""
    if not NAME.fullmatch(name):
        raise NotMade(f"{name!r}: {NAMES}")
    if name in OFFICIAL:
        raise NotMade(f"{name!r} is a plugin of pimgr itself; choose another name")
    if licence not in LICENCES:
        raise NotMade(f"{licence!r}: the licence is one of {', '.join(LICENCES)}")
    folder = into / f"pimgr-{name}"
    try:
        into.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        for path, text in _files(name, licence).items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    except FileExistsError:
        raise NotMade(f"{folder} is there already; move it away, or choose another name") from None
    except OSError as error:
        raise NotMade(f"{error.filename or folder} can't be written: {error.strerror}") from None
    return folder


def _files(name: str, licence: str) -> dict[str, str]:
    """Every file of the new plugin, by its path."""
    package = "pimgr_" + name.replace("-", "_")
    files = {
        "pyproject.toml": templates.PYPROJECT,
        "README.md": templates.README,
        f"{package}/__init__.py": templates.INIT,
        f"{package}/device.py": templates.DEVICE,
        f"{package}/py.typed": "",
        "tests/loopback.py": templates_tests.LOOPBACK,
        "tests/test_contract.py": templates_tests.TESTS,
    }
    if LICENCES[licence]:
        files["LICENSE"] = LICENCES[licence]
    licensed = f'license = "{licence}"\nlicense-files = ["LICENSE"]\n' if LICENCES[licence] else ""
    words = {
        "@NAME@": name,
        "@PACKAGE@": package,
        "@CLASS@": "".join(word.capitalize() for word in re.split("[-_]", name)),
        "@LICENCE@": licensed,
    }
    for word, meant in words.items():
        files = {path: text.replace(word, meant) for path, text in files.items()}
    return files
