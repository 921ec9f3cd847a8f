"""What a valid config means, and that nothing else passes for one."""

from __future__ import annotations

import msgspec
import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from pimgr import api, config
from pimgr.api import Capability
from pimgr.config.lines import lines_of
from pimgr.policy.model import Aspect, StandingTarget, Switch, Tier
from tests.config.house import ACME, BROKEN, PLUGINS, VALID, Gateway, changed

LOW = '[[tiers]]\nname = "low"\nbelow = 50\nloads = ["nas"]'


def _parse(text: str = VALID, *, lenient: bool = False) -> config.HouseConfig:
    return config.parse(text, "pimgr.toml", PLUGINS, lenient=lenient)


def test_a_valid_config_says_what_it_says() -> None:
    house = _parse()
    policy = house.policy
    assert house.grid_sources == ("gateway", "cloud")
    assert house.meters == ("gateway",)
    assert house.notifiers == ("mail",)
    assert (house.grid_poll_s, policy.timing.confirm_s, policy.timing.settle_s, policy.timing.stagger_s) == (
        2,
        4,
        300,
        5,
    )
    assert (policy.battery.capacity, policy.battery.assumed_load) == (13500, 800)
    assert policy.tiers == (
        Tier(name="at once", loads=("pool-pump", "strip/3")),
        Tier(name="low", loads=("nas",), below=api_percent(50), restore_above=api_percent(60)),
    )
    assert policy.never_shed == ("strip/1",)
    assert policy.keeps == (StandingTarget("heat-tape", Switch(True)),)
    assert house.titles == {"pool-pump": "Pool pump"}
    assert policy.parts["pool-pump"].enforce
    assert not policy.parts["strip/2"].enforce
    assert policy.parts["nas"].aspect is Aspect.HOST_POWER
    assert policy.parts["nas"].witness == "strip/1"
    assert set(policy.parts) == {"pool-pump", *(f"strip/{n}" for n in range(1, 7)), "heat-tape", "nas"}


def test_a_host_that_counts_down_may_be_called_off_and_others_not() -> None:
    counting = _parse(changed(('type = "acme.host"', 'type = "acme.counts-down"')))
    assert counting.policy.parts["nas"].calls_off
    assert not _parse().policy.parts["nas"].calls_off


def api_percent(value: float) -> api.Percent:
    return api.Percent(value)


def test_the_defaults_are_those_of_the_design() -> None:
    text = changed(
        ('poll = "2s"\nconfirm = "4s"\nsettle = "5min"\n', ""), ('stagger = "5s"\n', ""), ('to = ["mail"]', "")
    )
    house = _parse(text)
    timing = house.policy.timing
    assert (house.grid_poll_s, house.meter_poll_s) == (2, 10)
    assert (timing.confirm_s, timing.settle_s, timing.stagger_s) == (4, 300, 5)
    assert house.notifiers == ("mail",)


@pytest.mark.parametrize(
    ("poll", "meter", "stale_s"), [("10s", "gateway", 60.0), ("2min", "gateway", 360.0), ("10s", "cloud", 900.0)]
)
def test_an_estimate_begins_no_sooner_than_after_three_missed_readings(poll: str, meter: str, stale_s: float) -> None:
    text = changed(('meters = ["gateway"]', f'meters = ["{meter}"]\npoll = "{poll}"'))
    assert _parse(text).policy.battery.stale_after_s == stale_s


def test_meters_follow_the_order_of_the_grid_sources() -> None:
    text = changed(('meters = ["gateway"]\n', ""), ('["gateway", "cloud"]', '["cloud", "gateway"]'))
    assert _parse(text).meters == ("cloud", "gateway")


def test_silence_that_still_counts_as_continuous_depends_on_the_source() -> None:
    text = changed(("acme.host", "acme.slow"), ("[connections.nas]", '[connections.nas]\naddress = ""\n'
        'password = { secret = "x" }'), ('"cloud"]', '"cloud", "nas"]'), (LOW, ""),
        ('[loads.nas]\nwitness = "strip/1"', ""))  # fmt: skip
    assert _parse(text).policy.timing.max_gap_s == {"gateway": 6.0, "cloud": 900.0, "nas": 60.0}
    assert _parse(changed(('poll = "2s"', 'poll = "500ms"'))).policy.timing.max_gap_s["gateway"] == 5.0


def test_a_reading_is_fresh_for_two_polls_and_a_minute_at_least() -> None:
    assert _parse().policy.parts["pool-pump"].fresh_s == 60.0
    assert _parse().policy.parts["nas"].fresh_s == 120.0
    assert _parse(changed(('"acme.plug"', '"acme.cloud-plug"'))).policy.parts["pool-pump"].fresh_s == 600.0


def test_numbers_may_carry_their_units() -> None:
    battery = _parse(changed(("assumed_load = 800", 'assumed_load = "0.8 kW"'))).policy.battery
    assert battery.assumed_load == 800.0
    assert _parse(changed(("below = 50", 'below = "50 %"'))) == _parse()


def test_the_digest_tells_contents_apart_and_not_layouts() -> None:
    assert _parse().digest == _parse("# a comment\n" + VALID.replace(" = ", "  =  ")).digest
    assert _parse().digest != _parse(changed(("below = 50", "below = 51"))).digest
    assert _parse().digest != _parse(changed(('"192.0.2.10"', '"192.0.2.11"'))).digest


def test_a_config_round_trips_the_journal() -> None:
    house = _parse()
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(house), type=config.HouseConfig) == house


def test_a_connection_gives_its_plugin_a_typed_config() -> None:
    connection = next(one for one in _parse().connections if one.id == "gateway")
    typed = config.typed(connection, PLUGINS)
    assert typed == Gateway(address="192.0.2.10", password=api.Secret("gateway-password"))
    assert connection.provides == {"": (Capability.GRID_SOURCE, Capability.SITE_METER)}


def test_a_part_that_left_the_config_can_still_be_opened() -> None:
    house = _parse()
    origin = house.policy.parts["strip/3"].origin
    assert config.connection_from_origin(origin, PLUGINS) == next(one for one in house.connections if one.id == "strip")


@pytest.mark.parametrize(
    "change",
    [{"type": "gone.plug"}, {"type": "broken.plug"}, {"type": "acme.quarrel"}, {"table": {"outlets": "six"}}],
    ids=["no plugin", "broken plugin", "failing plugin", "outdated table"],
)
def test_what_can_not_be_opened_any_more_is_still_known_by_its_name(change: dict[str, object]) -> None:
    origin = msgspec.structs.replace(_parse().policy.parts["strip/3"].origin, **change)
    found = config.connection_from_origin(origin, PLUGINS)
    assert (found.id, found.provides) == ("strip", {})


def test_one_broken_plugin_does_not_stop_the_others_from_protecting() -> None:
    text = changed(('[connections.strip]\ntype = "acme.plug"', '[connections.strip]\ntype = "broken.strip"'))
    with pytest.raises(config.ConfigErrors):
        _parse(text)
    house = _parse(text, lenient=True)
    assert [tier.loads for tier in house.policy.tiers] == [("pool-pump",), ("nas",)]
    assert house.policy.never_shed == ()
    assert [(one.id, "boom" in one.reason) for one in house.unavailable] == [("strip", True)]
    assert next(one for one in house.connections if one.id == "strip").provides == {}


def test_lenience_ends_with_plugins() -> None:
    with pytest.raises(config.ConfigErrors):
        _parse(changed(('"acme.plug"', '"broken.strip"'), ("below = 50", "below = nan")), lenient=True)


# ------------------------------------------------------------------------------------------------------------ hostile

VALUES = ["nan", "-inf", "1e999", "-1", "0", "9" * 400, "true", '""', '"x"', '"\\u202e"', "[]", "[[]]", "{}",
          '["gateway", "gateway"]', "{ secret = 5 }", '{ secret = "x" }', "2024-01-01", "07:00:00", "'''\n'''",
          "[1, {a = []}]", "0x7fffffffffffffffffff", '"strip/1"']  # fmt: skip
LINES = VALID.split("\n")


@st.composite
def mutations(draw: st.DrawFn) -> str:
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["delete", "double", "move", "value", "key", "insert"])):
            case "delete":
                lines[at] = ""
            case "double":
                lines.insert(at, lines[at])
            case "move":
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(at))
            case "value" if "=" in lines[at]:
                lines[at] = lines[at].partition("=")[0] + "= " + draw(st.sampled_from(VALUES))
            case "key" if "=" in lines[at]:
                lines[at] = (
                    draw(st.sampled_from(["x", '"a.b"', "loads", "a.b.c", '""'])) + " =" + lines[at].partition("=")[2]
                )
            case _:
                lines[at] += draw(st.text(max_size=6))
    return "\n".join(lines)


def _well_told(errors: config.ConfigErrors, text: str) -> None:
    assert errors.errors
    for error in errors.errors:
        assert error.expected
        assert error.line is None or 1 <= error.line <= text.count("\n") + 1
        assert all(letter == "\n" or letter.isprintable() for letter in str(error))


@given(mutations())
@settings(max_examples=400, deadline=None)
def test_whatever_is_in_the_file_is_a_config_or_a_list_of_errors(text: str) -> None:
    try:
        house = _parse(text)
    except config.ConfigErrors as told:
        _well_told(told, text)
    else:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(house), type=config.HouseConfig) == house
        assert set(house.policy.never_shed).isdisjoint(part for tier in house.policy.tiers for part in tier.loads)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("utf-8", "replace")))
@settings(max_examples=200, deadline=None)
def test_noise_is_no_config(text: str) -> None:
    with pytest.raises(config.ConfigErrors):
        _parse(text)


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 5000, "a = " + "{a=" * 5000, "x" * 2_000_000, "\x00", "a.b." * 3000 + "c = 1"]
)
def test_a_monstrous_file_is_refused(text: str) -> None:
    with pytest.raises(config.ConfigErrors):
        _parse(text)


# -------------------------------------------------------------------------------------------------------------- lines

ODD = (
    '''# a comment with [brackets] and "quotes"
a = 1
"quoted key" = """
several
lines with # and = and [x]
"""  # after
b.c.d = [  # list
  1,
  # within
  { e = 2, f = [3,
    4] },
]
[table]  # x
g = 'it'''
    + "'"
    + """

[[several]]
h = "\\"]" # ]
[several.below]
i = 1
[[several]]
[[several.deep]]
j = \'\'\'x"""
    + "''''"
    + """
k = 2024-01-01T00:00:00
"""
)


def test_lines_are_found_in_any_layout() -> None:
    tomli.loads(ODD)
    lines = lines_of(ODD)
    expected = {
        ("a",): 2, ("quoted key",): 3, ("b", "c", "d"): 7, ("b", "c", "d", 0): 8, ("b", "c", "d", 1, "e"): 10,
        ("b", "c", "d", 1, "f", 1): 11, ("table",): 13, ("table", "g"): 14, ("several", 0): 16, ("several", 0, "h"): 17,
        ("several", 0, "below", "i"): 19, ("several", 1): 20, ("several", 1, "deep", 0, "j"): 22,
        ("several", 1, "deep", 0, "k"): 23,
    }  # fmt: skip
    assert {key: lines.get(key) for key in expected} == expected


def test_every_key_of_a_config_has_its_line() -> None:
    def keys(value: object, path: tuple[str | int, ...]) -> set[tuple[str | int, ...]]:
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return {path} | {key for name, item in inner for key in keys(item, (*path, name))}

    lines = lines_of(VALID)
    for key in keys(tomli.loads(VALID), ()) - {()}:
        last = next(bit for bit in reversed(key) if isinstance(bit, str))
        assert last in LINES[lines[key] - 1], key


def test_the_fixture_plugins_are_what_they_are_meant_to_be() -> None:
    assert hasattr(ACME, "pimgr_device_types")
    assert hasattr(BROKEN, "pimgr_device_types")
    assert "broken.strip" not in PLUGINS.types
