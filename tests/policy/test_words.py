"""What the ring knows, is told and decides survives the journal, bit for bit."""

from __future__ import annotations

import ast
import pkgutil
from dataclasses import is_dataclass
from importlib import import_module
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimgr import policy
from pimgr.api import Grid, GridReading, HostReading, Instant, LoadReading, Now, SiteReading
from pimgr.policy import model
from pimgr.policy.decide import decide
from pimgr.policy.ledger.machines import Order
from pimgr.policy.model import (
    Claim,
    Decision,
    Forget,
    GiveBack,
    HostPower,
    Inputs,
    Outcome,
    PartView,
    Policy,
    StandingTarget,
    State,
    Switch,
)
from pimgr.policy.persons.people import Lease
from pimgr.policy.shedding.allowance import BudgetPolicy
from pimgr.policy.turn import Turn
from pimgr.policy.want import Want
from pimgr.units import Percent, Watts
from tests.policy.desk import Desk, house
from tests.policy.profiles import ci

seconds = st.floats(0.0, 1e9)
instants = st.builds(Instant, seconds, seconds, st.sampled_from(["boot-1", "boot-2"]))
words = st.text(max_size=20)
views = st.builds(
    PartView,
    reading=st.none()
    | st.builds(LoadReading, at=instants, source=words, on=st.booleans(), power_w=st.none() | seconds.map(Watts))
    | st.builds(HostReading, at=instants, source=words, up=st.booleans(), boot_id=st.none() | words),
    steady_since=st.none() | instants,
    fault=words,
)
inputs = st.builds(
    Inputs,
    grid=st.lists(
        st.builds(GridReading, at=instants, source=words, grid=st.sampled_from(Grid), passing=st.booleans(), raw=words),
        max_size=3,
    ).map(tuple),
    site=st.none()
    | st.builds(
        SiteReading,
        at=instants,
        source=words,
        charge=st.none() | st.floats(0.0, 100.0).map(Percent),
        load_w=st.none() | st.floats(0.0, 1e5).map(Watts),
    ),
    parts=st.dictionaries(st.sampled_from(["pump", "nas", "desk", "heater", "fridge"]), views),
    outcomes=st.lists(
        st.builds(Outcome, action=st.integers(0, 9), part=words, at=instants, error=words, fact=words), max_size=3
    ).map(tuple),
    commands=st.lists(st.builds(Forget, st.just("pump")) | st.builds(GiveBack, st.just("pump")), max_size=2).map(tuple),
)


def same(value: object) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=type(value)) == value


@ci(200)
@given(st.lists(inputs, min_size=1, max_size=4))
def test_whatever_is_told_state_inputs_and_decision_round_trip_and_replay_to_the_bit(told):
    """Readings of any kind, for parts of any kind, of any date: nothing makes the ring fall over."""
    desk = Desk(house(keeps=(StandingTarget("desk", Switch(True)),)))
    for step, new in enumerate(told):
        before, desk.t = desk.state, 1000.0 + step
        blob = msgspec.msgpack.encode((before, new))
        decision = desk.decide(new)
        for value in (new, before, decision):
            same(value)
        state, again = msgspec.msgpack.decode(blob, type=tuple[State, Inputs])
        now = Now(desk.t, desk.instant().wall, desk.boot, desk.trusted)
        rules = msgspec.msgpack.decode(msgspec.msgpack.encode(desk.policy), type=Policy)
        assert msgspec.msgpack.encode(decide(state, again, rules, now)) == msgspec.msgpack.encode(decision)
        assert msgspec.msgpack.encode((before, new)) == blob


def test_a_state_of_an_older_version_still_reads():
    """Fields that were added since have defaults."""
    desk = Desk()
    desk.taken()
    raw = msgspec.msgpack.decode(msgspec.msgpack.encode(desk.state))
    for claim in raw["claims"]:
        for added in ("nags", "sent_at", "woken_at"):
            del claim[added]
        del claim["progress"]["lost"]
    del raw["estimate"]
    old = msgspec.convert(raw, State)
    assert [c.part for c in old.claims] == ["pump", "nas"]
    assert old.claims[0].sent_at is None


@pytest.mark.parametrize("value", [Switch(True), Switch(False), HostPower(True, "b"), HostPower(False)])
def test_what_was_found_keeps_its_kind(value):
    kind = Switch | HostPower
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=kind) == value


def test_every_word_of_the_ring_is_frozen():
    """In all of its modules; only the workbench of one tick is written on."""
    modules = [import_module(found.name) for found in pkgutil.walk_packages(policy.__path__, "pimgr.policy.")]
    kinds = {kind for module in modules for kind in vars(module).values() if isinstance(kind, type)}
    words = [kind for kind in kinds if issubclass(kind, msgspec.Struct) or is_dataclass(kind)]
    assert {Claim, BudgetPolicy, Want, Lease, Order} <= set(words), "structs and dataclasses, of several folders"
    assert [kind for kind in words if not _is_frozen(kind)] == [Turn]


def _is_frozen(kind: type) -> bool:
    struct = issubclass(kind, msgspec.Struct)
    return kind.__struct_config__.frozen if struct else kind.__dataclass_params__.frozen


def test_every_module_of_the_ring_is_short_enough_to_read():
    for path in Path(model.__file__).parent.rglob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= (365 if path.name == "model.py" else 300), path.name
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 40, f"{path.name}: {node.name}"


def test_the_defaults_of_a_decision_do_nothing():
    decision = Decision(state=State())
    assert (decision.actions, decision.notices, decision.wake_at) == ((), (), None)
