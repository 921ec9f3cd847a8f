"""Every kind of error in a config is found, and told as tests/config/errors.txt has it.

After a wanted change of wording: `python -m tests.config.test_errors` writes that file anew; read its difference.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pimgr import config
from tests.config.house import PLUGINS, changed

FILE = Path(__file__).with_name("errors.txt")
PATH = "/etc/pimgr/pimgr.toml"
EMPTY = 'version = 1\n[grid]\nsources = ["gateway"]\n'
CASES: dict[str, list[tuple[str, str]] | None] = {
    "no version": [("version = 1\n", "")],
    "newer version": [("version = 1", "version = 2")],
    "unknown top key": [("version = 1", "version = 1\nbatery = 5")],
    "unknown key deep": [('confirm = "4s"', 'confrim = "4s"')],
    "unknown connection key": [('address = "192.0.2.10"', 'address = "192.0.2.10"\npasword = "hunter2"')],
    "missing connection key": [('address = "192.0.2.10"\n', "")],
    "duplicate id": [("[connections.strip]", "[connections.pool-pump]")],
    "duplicate key": [('confirm = "4s"', 'poll = "4s"')],
    "not TOML": [('poll = "2s"', "poll = 2s")],
    "unknown type": [('"acme.host"', '"acme.hots"')],
    "missing plugin": [('"acme.host"', '"zwave.host"')],
    "plugin misspelt": [('"acme.host"', '"kassa.plug"')],
    "failed plugin": [('"acme.host"', '"broken.host"')],
    "provides fails": [('"acme.host"', '"acme.quarrel"')],
    "provides odd": [('"acme.host"', '"acme.odd"')],
    "bad id": [("[connections.heat-tape]", '[connections."Heat Tape"]'), ('part = "heat-tape"', 'part = "pool-pump"')],
    "wrong type": [("outlets = 6", 'outlets = "six"')],
    "wrong choice": [("outlets = 6", 'outlets = 6\nmodel = "seven"')],
    "refused by the plugin": [
        ("outlets = 6", "outlets = 60"),
    ],
    "a date": [("outlets = 6", "outlets = 6\naddress = 2024-01-01")],
    "literal password": [('{ secret = "gateway-password" }', '"hunter2"')],
    "literal password in a list": [("outlets = 6", 'outlets = 6\nkeys = ["hunter2"]')],
    "odd secret name": [('"gateway-password"', '"../shadow"')],
    "protected part in a tier": [('"strip/3"', '"strip/1"')],
    "unknown part of a strip": [('"strip/3"', '"strip/9"')],
    "misspelt part": [('"pool-pump", ', '"pool-pmup", ')],
    "notifier in a tier": [('"strip/3"', '"mail"')],
    "part in two tiers": [('loads = ["nas"]', 'loads = ["nas", "pool-pump"]')],
    "part twice in a tier": [('"strip/3"', '"pool-pump"')],
    "hysteresis too small": [("below = 50", "below = 50\nrestore_above = 53")],
    "below too high": [("below = 50", "below = 97")],
    "tier without when": [("below = 50\n", "")],
    "tier with both": [("below = 50", "below = 50\nat_once = true")],
    "at once and as needed": [("at_once = true", 'at_once = true\nkeep = "8h"')],
    "restore of a tier as needed": [("below = 50", 'keep = "sunrise"\nrestore_above = 60')],
    "left without goal": [("below = 50", "below = 50\nleft = 20")],
    "too much left": [("below = 50", 'keep = "8h"\nleft = 90')],
    "odd goal": [("below = 50", 'keep = "sunset"')],
    "goal without unit": [("below = 50", "keep = 8")],
    "goal too near": [("below = 50", 'keep = "5min"')],
    "after without unit": [("below = 50", "after = 10")],
    "runtime hysteresis too small": [("below = 50", 'below_runtime = "4h"\nrestore_runtime = "4h"')],
    "restore runtime alone": [("below = 50", 'below = 50\nrestore_runtime = "4h"')],
    "odd intent": [('settle = "5min"', 'settle = "5min"\nintentional = "outtage"')],
    "odd panels": [("assumed_load = 800", 'solar = "5 kW"')],
    "rest of a host": [('witness = "strip/1"', 'min_off = "5min"')],
    "witness that goes off first": [('witness = "strip/1"', 'witness = "strip/3"')],
    "two tiers of one name": [('name = "low"', 'name = "at once"')],
    "tier without loads": [('loads = ["nas"]', "loads = []")],
    "tiers as a table": [
        ('[[tiers]]\nname = "at once"', '[tiers]\nname = "at once"'),
        ('[[tiers]]\nname = "low"\nbelow = 50\nloads = ["nas"]', ""),
    ],
    "percent out of range": [("below = 50", "below = 150")],
    "nan": [("below = 50", "below = nan")],
    "infinity": [("assumed_load = 800", "assumed_load = inf")],
    "no grid source": [('sources = ["gateway", "cloud"]', "sources = []")],
    "grid source that is none": [('sources = ["gateway", "cloud"]', 'sources = ["nas"]')],
    "source as text": [('sources = ["gateway", "cloud"]', 'sources = "gateway"')],
    "duration without unit": [('poll = "2s"', "poll = 2")],
    "duration with odd unit": [('settle = "5min"', 'settle = "5 minn"')],
    "duration out of range": [('settle = "5min"', 'settle = "48h"')],
    "odd power": [("assumed_load = 800", 'assumed_load = "800 horses"')],
    "enforce on a host": [('witness = "strip/1"', "enforce = true")],
    "witness of a load": [("enforce = true", 'witness = "nas"')],
    "own witness": [('witness = "strip/1"', 'witness = "nas"')],
    "flag in quotes": [("enforce = true", 'enforce = "true"')],
    "keep of a host": [('part = "heat-tape"', 'part = "nas"')],
    "keep twice": [("[restore]", '[[keep]]\npart = "heat-tape"\non = false\n[restore]')],
    "protected part kept off": [('part = "heat-tape"\non = true', 'part = "strip/1"\non = false')],
    "mail to a load": [('to = ["mail"]', 'to = ["nas"]')],
    "no connections": None,
}


def _told(name: str) -> str:
    changes = CASES[name]
    try:
        config.parse(EMPTY if changes is None else changed(*changes), PATH, PLUGINS)
    except config.ConfigErrors as errors:
        return re.sub(r"\([^()]*/house.py:\d+\)", "(FILE:LINE)", str(errors))
    return "no error"


def _golden() -> dict[str, str]:
    sections = FILE.read_text(encoding="utf-8").split("## ")[1:]
    return {name: text.strip() for name, _, text in (section.partition("\n") for section in sections)}


@pytest.mark.parametrize("name", CASES)
def test_an_error_is_told_with_its_line_and_cure(name: str) -> None:
    assert _told(name) == _golden()[name]


@pytest.mark.parametrize("name", CASES)
def test_no_error_shows_a_password(name: str) -> None:
    told = _told(name)
    assert told != "no error"
    assert "hunter2" not in told


def test_every_error_is_told_at_once() -> None:
    text = changed(
        ('"2s"', "2"), ("below = 50", "below = nan"), ("outlets = 6", 'outlets = "six"'), ('"mail"]', '"nas"]'),
        ("[restore]", "[restor]"), ("assumed_load", "load"),
    )  # fmt: skip
    with pytest.raises(config.ConfigErrors) as caught:
        config.parse(text, PATH, PLUGINS)
    assert [error.key for error in caught.value.errors] == [
        "grid.poll",
        "battery.load",
        "connections.strip.outlets",
        "tiers #2.below",
        "restor",
        "mail.to #1",
    ]
    assert [error.line for error in caught.value.errors] == [5, 11, 29, 47, 64, 68]


def test_parts_of_a_connection_in_error_are_no_errors_of_their_own() -> None:
    with pytest.raises(config.ConfigErrors) as caught:
        config.parse(changed(("outlets = 6", "outlets = 99")), PATH, PLUGINS)
    assert [error.key for error in caught.value.errors] == ["connections.strip.outlets"]


def test_a_hostile_name_is_shown_and_does_nothing() -> None:
    for name in ("\\u001b[31mred", "\\u202eevil", "[bold]x[/]"):
        with pytest.raises(config.ConfigErrors) as caught:
            config.parse(changed(('"pool-pump", ', f'"{name}", ')), PATH, PLUGINS)
        told = str(caught.value)
        assert all(letter == "\n" or letter.isprintable() for letter in told)


HEADINGS = {
    "[grid]": "[grid]", "[battery]": "[battery]", "[[tiers]]": "[[tiers]]", "[protect]": "[protect]",
    "[loads.NAME]": "[loads.pool-pump]", "[[keep]]": "[[keep]]", "[restore]": "[restore]", "[mail]": "[mail]",
}  # fmt: skip


@pytest.mark.parametrize("heading", HEADINGS)
def test_the_documentation_names_every_key(heading: str) -> None:
    told, current = set(), ""
    for line in (Path(__file__).parents[2] / "docs" / "config.md").read_text(encoding="utf-8").split("\n"):
        if line.startswith("| "):
            cells = [cell.strip() for cell in line.split("|")]
            current = cells[1].strip("`") or current
            told |= set(re.findall(r"`(\w+)`", cells[2])) if current == heading else set()
    with pytest.raises(config.ConfigErrors) as caught:
        config.parse(changed((HEADINGS[heading], f"{HEADINGS[heading]}\nbogus = 1")), PATH, PLUGINS)
    known = caught.value.errors[0].expected.removeprefix("one of the keys ").split(", ")
    assert told == set(known)


if __name__ == "__main__":
    FILE.write_text("".join(f"## {name}\n{_told(name)}\n\n" for name in CASES), encoding="utf-8")
