"""A table of a plugin's config whose entries are wrong is told entry by entry, in words and not in a library's."""

from __future__ import annotations

from pathlib import Path

from pimgr import config as configs
from pimgr import plugins as plugin_loading

CONFIG = """
version = 1

[grid]
sources = ["gateway"]

[connections.gateway]
type = "powerwall.gateway"
address = "192.0.2.10"
password = { secret = "pw" }

[connections.climate]
type = "honeywell.account"
username = "me@example.com"
password = { secret = "pw" }
thermostats = { hall = "x", bedroom = 1234567, "the den" = 1.5 }
"""


def problems(text: str, folder: Path) -> str:
    (folder / "pimgr.toml").write_text(text)
    (folder / "secrets").mkdir(exist_ok=True)
    _, errors = configs.check(folder / "pimgr.toml", plugin_loading.load(), configs.Secrets(folder / "secrets"))
    return str(errors)


def test_each_wrong_entry_of_a_table_is_told_with_its_place(tmp_path: Path) -> None:
    told = problems(CONFIG, tmp_path)
    assert "connections.climate.thermostats.hall" in told
    assert 'connections.climate.thermostats."the den"' in told or "thermostats.the den" in told
    assert told.count("expected  a whole number") == 2
    assert "bedroom" not in told
    assert "at `$" not in told


def test_a_table_that_is_none_is_told_what_its_entries_are(tmp_path: Path) -> None:
    told = problems(CONFIG.replace('{ hall = "x", bedroom = 1234567, "the den" = 1.5 }', "7"), tmp_path)
    assert "a table, each entry a whole number" in told
