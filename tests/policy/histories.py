"""Random histories of a house: what befalls the grid, the devices, the people in it, and pimgr itself."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile

from hypothesis import strategies as st

from pimgr.policy.model import (
    Arm,
    Disarm,
    Forget,
    Goal,
    Keep,
    LetGo,
    Phase,
    Policy,
    StandingTarget,
    Switch,
    Tier,
    Timing,
)
from pimgr.policy.shedding.allowance import BudgetPolicy
from pimgr.units import Percent
from tests.policy.devices import PIMGR, Change, Charger, Device, Host, Plug
from tests.policy.watches import all_watches
from tests.policy.world import GATEWAY, World, charger, host, switch

PLUGS = ("pump", "heater", "desk", "lamp", "fridge")
METERED = {"tv": 80.0, "office": 300.0, "boiler": 1500.0, "clock": 2.0}
"""Loads that go off as needed; the clock draws too little to be any help."""
CARS = ("car", "van")
PARTS = (*PLUGS, *METERED, *CARS, "nas")
Event = tuple[str, tuple[object, ...]]

WAITS = st.sampled_from([0.0, 0.3, 1.0, 2.5, 4.0, 7.0, 12.0, 20.0, 35.0, 70.0])
FATES = st.sampled_from(["request lost", "answer lost", "ignored", "no word"])
MOMENTS = st.sampled_from(["before", "committed", "half", "sent"])

policies = st.builds(
    lambda confirm, settle, stagger, enforce, kept, budget, waits: Policy(
        parts={**{p: switch() for p in PLUGS}, "pump": switch(enforce=enforce), "nas": host()}
        | {"car": charger(enforce=enforce), "van": charger()}
        | {part: switch(enforce=enforce and part == "tv") for part in METERED}
        | {"boiler": switch(min_off_s=waits[1])},
        tiers=(
            Tier(name="at once", loads=("pump", "nas", "car", "lamp", "fridge")),
            Tier(name="low", below=Percent(50.0), restore_above=Percent(60.0), loads=("heater", "van", "desk")),
            Tier(name="as needed", loads=tuple(METERED), keep=Goal()),
        ),
        budget=budget,
        never_shed=("fridge",),
        keeps=(StandingTarget("lamp", Switch(kept)),),
        timing=Timing(
            confirm_s=confirm, settle_s=settle, stagger_s=stagger, max_gap_s={GATEWAY: 6.0}, restore_charge=waits[0]
        ),
    ),
    st.sampled_from([0.0, 4.0]),
    st.sampled_from([0.0, 15.0]),
    st.sampled_from([0.0, 2.0, 5.0]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([BudgetPolicy(), BudgetPolicy(most=2, step_s=5.0, ease_s=10.0)]),
    st.sampled_from([(Percent(0.0), 0.0), (Percent(50.0), 20.0)]),
)


def happening(name: str, *arguments: st.SearchStrategy[object]) -> st.SearchStrategy[Event]:
    return st.tuples(st.just(name), st.tuples(*arguments))


events = st.one_of(
    happening("grid", st.booleans()),
    happening("outage", st.sampled_from([15.0, 60.0, 200.0])),
    happening("gateway", st.sampled_from(["answers", "silent", "unknown"])),
    happening("meters", st.booleans()),
    happening("charge", st.sampled_from([20.0, 49.0, 55.0, 61.0, 90.0])),
    happening("reach", st.sampled_from(PARTS), st.booleans()),
    happening("fate", st.sampled_from(PARTS), FATES),
    happening("press", st.sampled_from(PARTS), st.booleans()),
    happening("dial", st.sampled_from(CARS), st.sampled_from([0.0, 6.0, 10.0, 16.0])),
    happening("cycle", st.sampled_from((*PLUGS, *METERED))),
    happening("crash", st.sampled_from([0.5, 3.0, 40.0])),
    happening("crash at", MOMENTS, st.sampled_from([0.5, 3.0, 40.0])),
    happening("reboot", st.sampled_from([20.0, 90.0]), st.sampled_from([0.0, -3e8, 7200.0])),
    happening("forget", st.sampled_from(PARTS)),
    happening("keep", st.sampled_from(PARTS), st.booleans(), st.sampled_from([60.0, 90.0, 240.0])),
    happening("let go", st.sampled_from(PARTS)),
    happening("disarm", st.sampled_from([60.0, 150.0])),
    happening("arm"),
)
beginnings: st.SearchStrategy[list[tuple[Event, float]]] = st.sampled_from(
    [
        [],
        [(("grid", (False,)), 12.0)],
        [(("meters", (False,)), 0.0), (("charge", (49.0,)), 0.0), (("outage", (70.0,)), 0.0)],
    ]
)
histories = st.tuples(beginnings, st.lists(st.tuples(events, WAITS), max_size=25)).map(lambda h: h[0] + h[1])


def build(policy: Policy, on: frozenset[str], shutdown_s: float) -> World:
    devices: tuple[Device, ...] = tuple(Plug(name=p, on=p in on) for p in PLUGS)
    metered = tuple(Plug(name=p, on=p in on, watts=watts) for p, watts in METERED.items())
    nas = Host(name="nas", on="nas" in on, shutdown_s=shutdown_s)
    cars = tuple(Charger(name=c, on=c in on, level=16.0 if c in on else 4.0) for c in CARS)
    world = World(policy, (*devices, *metered, *cars, nas), all_watches())
    world.load_w = 600.0
    return world


def befall(world: World, event: Event, **more: Callable[..., object]) -> object:
    """Let it happen; `more` can. A command answers False if there was nobody to take it."""
    name, a = event
    deeds: dict[str, Callable[..., object]] = {
        "grid": lambda up: setattr(world, "grid_up", up),
        "outage": lambda seconds: (setattr(world, "grid_up", False), world.run(seconds)),
        "gateway": lambda how: setattr(world, "gateway", how),
        "meters": lambda well: setattr(world, "meters", well),
        "charge": lambda percent: setattr(world, "charge", percent),
        "reach": lambda part, well: setattr(world.devices[part], "reachable", well),
        "fate": lambda part, how: setattr(world.devices[part], "fate", how),
        "press": world.press,
        "dial": world.dial,
        "cycle": world.power_cycle,
        "crash": world.crash,
        "crash at": lambda when, down_s: world.__dict__.update(crash_when=when, down_s=down_s),
        "reboot": world.reboot,
        "forget": lambda part: world.tell(Forget(part)),
        "keep": lambda part, on, for_s: world.tell(Keep(part, on, for_s)),
        "let go": lambda part: world.tell(LetGo(part)),
        "disarm": lambda for_s: world.tell(Disarm(for_s)),
        "arm": lambda: world.tell(Arm()),
        **more,
    }
    return deeds[name](*a)


def all_is_well_again(world: World) -> None:
    """The power is back and the battery full, everything answers, and the people have gone to bed."""
    world.grid_up, world.gateway, world.meters, world.crash_when = True, "answers", True, ""
    world.set_clock()
    world.charge = 90.0
    for device in world.devices.values():
        device.reachable, device.fate = True, ""


def still_off_by_us(world: World) -> list[str]:
    """The truth: what pimgr turned off last, and was on before it did anything, though nobody wrote it off."""
    kept_off = {k.part for k in world.policy.keeps if k.value == Switch(False)}
    off = (d for d in world.devices.values() if not d.on and d.last_by == PIMGR and d.name not in kept_off)
    return [d.name for d in off if _ours(d)[0].was]


def _ours(device: Device) -> list[Change]:
    """What pimgr did with it since anybody else did."""
    return list(takewhile(lambda change: change.by == PIMGR, reversed(device.changes)))[::-1]


def everything_is_given_back(world: World) -> bool:
    return world.state.phase is Phase.NORMAL and not world.state.claims
