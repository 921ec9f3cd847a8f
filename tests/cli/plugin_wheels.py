"""Wheels of small plugins, written file by file, and a folder to add them to."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

PLUGIN = """
from pimgr.testing.scripted import pimgr_device_types as _scripted
import dataclasses
from pimgr.api import hookimpl

@hookimpl
def pimgr_device_types():
    kind = _scripted()[0]
    return (dataclasses.replace(kind, name="{name}.thing"),)
"""
"""A plugin with one device type, which is a scripted device of pimgr's own."""


def wheel(
    folder: Path,
    name: str = "acme",
    version: str = "1.0",
    *,
    files: Mapping[str, str] | None = None,
    needs: tuple[str, ...] = (),
    entry: str | None = None,
) -> Path:
    """A wheel of `pimgr-NAME` with a plugin NAME; `files` besides or instead of its module, `needs` requirements."""
    package = f"pimgr_{name.replace('-', '_')}"
    contents = {f"{package}.py": PLUGIN.format(name=name), **(files or {})}
    return plain_wheel(
        folder,
        f"pimgr-{name}",
        version,
        files=contents,
        needs=needs,
        entries=f"[pimgr]\n{name} = {package}\n" if entry is None else entry,
    )


def plain_wheel(
    folder: Path,
    distribution: str,
    version: str,
    *,
    files: Mapping[str, str],
    needs: tuple[str, ...] = (),
    entries: str = "",
) -> Path:
    """A wheel of any distribution. Source: PyPA, "Binary distribution format"."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{distribution.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    wanted = "".join(f"Requires-Dist: {need}\n" for need in needs)
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n{wanted}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: pimgr-tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if entries:
        contents[f"{info}/entry_points.txt"] = entries
    path = folder / f"{stem}-py3-none-any.whl"
    record = ""
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in contents.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(text.encode())}\n"
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return path
