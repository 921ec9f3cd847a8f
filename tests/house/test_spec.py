"""A scenario that is wrong says everything that is wrong with it, by key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from pimgr.house import EVENING, House, SpecError, read_spec
from pimgr.house.kasa import KasaSpec

WRONG = """
version = 1
speeed = 3
speed = nan
charge = 101

[battery]
power_w = "much"

[[device]]
id = "pump"
kind = "kasa"
wats = 3

[[device]]
id = "strip"
kind = "kasa"
outlets = 2
watts = [1.0]

[[device]]
id = "cat"
kind = "cat"

[[device]]
kind = "mail"

[[at]]
grid = "down"

[[at]]
t = 1
fault = { pump = "silly" }
"""


def errors(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read_spec(text)
    return list(caught.value.errors)


def test_every_error_is_told_at_once_with_its_key() -> None:
    told = errors(WRONG)
    for start in (
        "speeed: unknown key",
        "speed: nan",
        "charge: 101",
        "battery.power_w: 'much'",
        "device.pump.wats: unknown key",
        "device.strip.watts: 1 values for 2 outlets",
        "device.cat.kind: 'cat' is not one of",
        "device[3].id: missing",
        "at[0].t: missing",
        "at[1].fault",
    ):
        assert [line for line in told if line.startswith(start)], (start, told)
    assert len(told) == 10


def test_a_slip_of_the_pen_is_recognised() -> None:
    assert 'speeed: unknown key; did you mean "speed"?' in errors("version = 1\nspeeed = 3")


def test_a_moment_names_only_what_is_in_the_house() -> None:
    told = errors(
        'version = 1\n[[device]]\nid = "pump"\nkind = "kasa"\n[[at]]\nt = 1\n'
        'fault = { pumpe = "silent" }\nperson = { "pump/3" = true }'
    )
    assert told == [
        'at[0].fault.pumpe: no such device; did you mean "pump"?',
        'at[0].person.pump/3: no such part; did you mean "pump"?',
    ]


def test_an_id_belongs_to_one_device() -> None:
    twice = '[[device]]\nid = "pump"\nkind = "kasa"\n' * 2
    assert errors(f"version = 1\n{twice}") == ["device.pump: id is used 2 times"]


@pytest.mark.parametrize(
    "text", ["", "version = 2", "version = 1\n[", "version = 1\ndevice = 3", "version = 1\nat = [1]"]
)
def test_what_is_no_scenario_is_refused(text: str) -> None:
    assert errors(text)


def test_the_shipped_evening_is_playable() -> None:
    spec = read_spec(EVENING)
    assert sorted(device.kind for device in spec.device) == ["gateway", "kasa", "kasa", "kasa", "kasa", "mail", "ssh"]
    strips = [device for device in spec.device if isinstance(device, KasaSpec) and device.outlets]
    assert [strip.outlets for strip in strips] == [6]
    assert [moment.t for moment in spec.at if moment.grid == "down"] == [5.0]
    assert [moment.t for moment in spec.at if moment.grid == "up"] == [40.0]


def test_a_scenario_comes_from_a_file_or_a_text(tmp_path: Path) -> None:
    path = tmp_path / "one.toml"
    path.write_text("version = 1\nname = 'one'")
    assert House.from_toml(path).spec == House.from_toml(path.read_text()).spec


@dataclass
class Row:
    bad: str
    key: str


@pytest.mark.parametrize(
    "row",
    [
        Row('id = "a/b"\nkind = "kasa"', "device.a/b.id"),
        Row('id = "nas"\nkind = "ssh"\nmac = "no"', "device.nas.mac"),
        Row('id = "m"\nkind = "mail"\nsecurity = "maybe"', "device.m.security"),
        Row('id = "g"\nkind = "gateway"\nport = 70000', "device.g.port"),
    ],
    ids=lambda row: row.key,
)
def test_a_devices_keys_are_checked(row: Row) -> None:
    assert errors(f"version = 1\n[[device]]\n{row.bad}")[0].startswith(row.key)
