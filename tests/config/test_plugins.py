"""Plugins load one by one, and a bad one stops no other."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pimgr import api, plugins
from pimgr.api import Capability, DeviceType, hookimpl
from pimgr.plugins import PluginStatus
from tests.config.house import ACME, Host


def _open(_config: api.Config, _context: api.Context) -> Any:
    raise AssertionError("nothing is opened here")


def _kind(name: str, **more: Any) -> DeviceType[Any]:
    load = {"": frozenset({Capability.LOAD})}
    return DeviceType(
        name=name, summary="", config=more.pop("config", Host), provides=lambda _: load, open=_open, **more
    )


def _plugin(hook: Callable[..., Any], **options: Any) -> SimpleNamespace:
    return SimpleNamespace(pimgr_device_types=hookimpl(hook, specname="pimgr_device_types", **options))


def _raise(error: BaseException) -> Any:
    raise error


GOOD = _plugin(lambda: (_kind("good.plug"),))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (_plugin(lambda: _raise(RuntimeError("boom"))), "RuntimeError: boom"),
        (_plugin(lambda: sys.exit(3)), "SystemExit: 3"),
        (_plugin(lambda: _raise(GeneratorExit())), "GeneratorExit"),
        (_plugin(lambda: _raise(ModuleNotFoundError("no x", name="vendorlib"))), "needs the Python module vendorlib"),
        (_plugin(lambda: None), "TypeError"),
        (_plugin(lambda: (5,)), "a int where a DeviceType belongs"),
        (_plugin(lambda: (_kind("other.plug"),)), '"other.plug" should be called "bad.SOMETHING"'),
        (_plugin(lambda: (_kind("bad.Plug"),)), '"bad.Plug" should be called'),
        (_plugin(lambda: (_kind("bad.plug"), _kind("bad.plug"))), "bad.plug is there twice"),
        (_plugin(lambda: (_kind("bad.plug", api=(2, 3)),)), "version 2 to 3, this pimgr speaks 1; update pimgr"),
        (_plugin(lambda: (_kind("bad.plug", api=(0, 0)),)), "speaks contract version 0, .*update pimgr-bad"),
        (_plugin(lambda: (_kind("bad.plug", config=dict),)), "isn't an api.Config"),
        (_plugin(lambda wrong: ()), "PluginValidationError: .*wrong"),
        (SimpleNamespace(), "it has no hook"),
        (None, "."),
    ],
)
def test_a_bad_plugin_is_reported_and_stops_no_other(bad: object, reason: str) -> None:
    loaded = plugins.load(only=(), extra={"bad": bad, "good": GOOD, "zzz": _plugin(lambda: (_kind("zzz.plug"),))})
    assert set(loaded.types) == {"good.plug", "zzz.plug"}
    record = loaded.record("bad")
    assert record is not None
    assert record.status is PluginStatus.FAILED
    assert record.types == ()

    assert re.search(reason, record.reason), record.reason
    assert "\n" not in record.reason


def test_a_person_at_the_keyboard_stops_the_loading() -> None:
    with pytest.raises(KeyboardInterrupt):
        plugins.load(only=(), extra={"bad": _plugin(lambda: _raise(KeyboardInterrupt()))})


def test_a_type_belongs_to_one_plugin() -> None:
    loaded = plugins.load(only=(), extra={"acme": ACME})
    assert {plugins.plugin_of(name) for name in loaded.types} == {"acme"}


def test_packages_are_told_for_whom_a_hang_is_noted() -> None:
    kinds = (_kind("good.plug", vendor_modules=("vendor.deep", "shared")),)
    other = (_kind("other.plug", vendor_modules=("shared",)),)
    loaded = plugins.load(only=(), extra={"good": _plugin(lambda: kinds), "other": _plugin(lambda: other)})
    packages = loaded.packages()
    assert packages["vendor"] == "good"
    assert "shared" not in packages
    assert "pimgr" not in packages


# ---------------------------------------------------------------------------------------------------------- installed


def install(folder: Path, name: str, code: str, entry: str = "") -> None:
    """A distribution `pimgr-NAME` in a folder of the path, with one module."""
    module = f"pimgr_{name.replace('-', '_')}"
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{module}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: pimgr-{name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(entry or f"[pimgr]\n{name} = {module}\n")


WORKS = """
from pimgr import api
@api.hookimpl
def pimgr_device_types():
    return (api.DeviceType(name="NAME.plug", summary="", config=api.Config, provides=lambda c: {}, open=None),)
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_installed_plugins_are_found_with_their_versions(site: Path) -> None:
    install(site, "t-works", WORKS.replace("NAME", "t-works"))
    install(site, "t-lacks", "import a_module_that_nobody_has")
    install(site, "t-exits", "raise SystemExit(1)")
    install(site, "t-syntax", "def broken(:")
    install(site, "t-nowhere", "", "[pimgr]\nt-nowhere = pimgr_t_nowhere:missing\n")
    loaded = plugins.load()
    found = {name: loaded.record(name) for name in ("t-works", "t-lacks", "t-exits", "t-syntax", "t-nowhere")}
    told = {name: (record.status.value, record.version) for name, record in found.items() if record}
    assert told == {
        "t-works": ("loaded", "1.2"),
        "t-lacks": ("failed", "1.2"),
        "t-exits": ("failed", "1.2"),
        "t-syntax": ("failed", "1.2"),
        "t-nowhere": ("failed", "1.2"),
    }
    assert "t-works.plug" in loaded.types
    assert "a_module_that_nobody_has, which is not installed" in loaded.reason("t-lacks.plug")


def test_a_plugin_that_nothing_needs_is_not_imported(site: Path) -> None:
    install(site, "t-unused", "raise AssertionError('imported')")
    install(site, "t-used", WORKS.replace("NAME", "t-used"))
    loaded = plugins.load(only={"t-used"})
    unused, used = loaded.record("t-unused"), loaded.record("t-used")
    assert unused is not None
    assert used is not None
    assert (unused.status, used.status) == (PluginStatus.SKIPPED, PluginStatus.LOADED)
    assert "pimgr_t_unused" not in sys.modules


def test_of_two_plugins_with_one_name_the_first_is_kept(site: Path) -> None:
    install(site, "t-one", WORKS.replace("NAME", "t-same"), "[pimgr]\nt-same = pimgr_t_one\n")
    install(site, "t-two", WORKS.replace("NAME", "t-same"), "[pimgr]\nt-same = pimgr_t_two\n")
    records = [record for record in plugins.load(only={"t-same"}).records if record.name == "t-same"]
    assert sorted((record.distribution, record.status.value) for record in records) == [
        ("pimgr-t-one", "loaded"),
        ("pimgr-t-two", "failed"),
    ]


def test_broken_metadata_of_one_distribution_hides_no_other(site: Path) -> None:
    install(site, "t-good", WORKS.replace("NAME", "t-good"))
    install(site, "t-garbled", "", "[pimgr\n\x00 = = =\n:::")
    (site / "pimgr_t_nameless-1.dist-info").mkdir()
    assert "t-good.plug" in plugins.load().types


def test_a_plugin_in_this_process_stands_in_for_an_installed_one(site: Path) -> None:
    install(site, "good", "raise AssertionError('imported')")
    assert [record.status for record in plugins.load(extra={"good": GOOD}).records if record.name == "good"] == [
        "loaded"
    ]


def test_loading_imports_no_event_loop_and_no_config() -> None:
    heavy = "{'asyncio', 'pimgr.config', 'typer'}"
    code = f"import sys, pimgr.plugins as p; p.load(only=()); print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_module_is_a_plugin_too() -> None:
    module = ModuleType("plug")
    module.pimgr_device_types = GOOD.pimgr_device_types  # type: ignore[attr-defined]
    assert set(plugins.load(only=(), extra={"good": module}).types) == {"good.plug"}
