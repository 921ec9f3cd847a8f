"""Loaded into each run of a mutant: a run that tested anything but the copied tree proves nothing, and ends with 9."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

STRAYED = 9


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    tree = Path.cwd().resolve()
    ours = {"pimgr", *(path.name for path in tree.glob("plugins/*/pimgr_*"))}
    modules = [(name, module) for name, module in list(sys.modules.items()) if name.partition(".")[0] in ours]
    files = [(name, str(getattr(module, "__file__", None) or "")) for name, module in modules]
    strayed = [f"{name} ({file})" for name, file in files if file and tree not in Path(file).resolve().parents]
    if strayed:
        print(f"\nnot of {tree}: {', '.join(strayed)}")
        session.exitstatus = STRAYED
