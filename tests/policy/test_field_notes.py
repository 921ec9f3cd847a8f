"""The defects that users of the two old programs suffered from (FIELD-NOTES, by number) that concern the ring."""

from __future__ import annotations

from datetime import date

from pimgr import days_off
from pimgr.api import Grid, GridReading, replace
from pimgr.policy.battery.rates import Holidays
from pimgr.policy.model import Inputs, Phase, Policy, Tier, Timing
from pimgr.units import Percent
from tests.policy.battery import CLOUD, Battery
from tests.policy.desk import Desk, asked, house
from tests.policy.devices import Device, Host, Plug
from tests.policy.world import GATEWAY, World, host, switch


def a_house(*on: str, plugs: int = 5) -> World:
    """plug-0 to plug-4 and five hosts go off at once; those named in `on` are on."""
    names = [f"plug-{n}" for n in range(plugs)]
    hosts = [f"host-{n}" for n in range(5)]
    policy = Policy(
        parts={**{n: switch() for n in names}, **{h: host() for h in hosts}, "router": switch(), "fridge": switch()},
        tiers=(Tier(name="at once", loads=(*hosts, *names)),),
        never_shed=("fridge",),
        timing=Timing(settle_s=20.0, stagger_s=1.0, max_gap_s={GATEWAY: 6.0}),
    )
    devices: list[Device] = [Plug(name=n, on=n in on) for n in (*names, "router", "fridge")]
    devices += [Host(name=h, on=h in on) for h in hosts]
    return World(policy, tuple(devices))


ALL = ("plug-0", "plug-1", "host-0", "host-1", "router", "fridge")


def on_now(world: World) -> set[str]:
    return {d.name for d in world.devices.values() if d.on}


def test_defect_1_seconds_pass_from_outage_to_first_action():
    world = a_house(*ALL)
    world.run(45.0)
    began, world.grid_up = world.t, False
    world.run(20.0)
    assert world.wire[0].t - began <= 7.5


def test_defect_3_a_restart_during_an_outage_forgets_no_restore():
    """Power returned while pimgr was down, or the whole box was."""
    for die in (lambda w: w.crash(120.0), lambda w: w.reboot(120.0, wall_error=-3e8)):
        world = a_house(*ALL)
        world.run(45.0)
        before = on_now(world)
        world.grid_up = False
        world.run(60.0)
        assert on_now(world) == {"router", "fridge"}
        die(world)
        world.run(60.0)
        world.grid_up = True
        world.run(400.0)
        assert on_now(world) == before
        assert world.state.claims == ()


def test_defect_4_what_was_off_before_the_outage_stays_off():
    world = a_house(*ALL)
    world.run(45.0)
    before = on_now(world)
    world.grid_up = False
    world.run(60.0)
    world.grid_up = True
    world.run(400.0)
    assert on_now(world) == before
    touched = {s.action.part for s in world.wire}
    assert touched == {"plug-0", "plug-1", "host-0", "host-1"}


def test_defect_5_dead_hosts_delay_no_plug():
    world = a_house(*ALL)
    for n in range(5):
        world.devices[f"host-{n}"].reachable = False
    world.run(45.0)
    began, world.grid_up = world.t, False
    world.run(12.0)
    off = [d.changes[-1].t - began for d in world.devices.values() if d.name in ("plug-0", "plug-1")]
    assert len(off) == 2
    assert max(off) <= 7.5


def test_defect_6_two_blips_ten_minutes_apart_shut_nothing_down():
    world = a_house(*ALL)
    world.policy = replace(world.policy, timing=replace(world.policy.timing, confirm_s=12.0))
    world.run(45.0)
    for _ in range(2):
        world.grid_up = False
        world.run(10.0)
        world.grid_up = True
        world.run(630.0)
    assert world.wire == []
    assert world.state.episodes == 0


def test_defect_7_only_loads_named_in_a_tier_are_touched_and_never_the_protected():
    world = a_house(*ALL)
    world.policy = replace(world.policy, tiers=(Tier(name="all", loads=("fridge", *world.policy.tiers[0].loads)),))
    world.run(45.0)
    world.grid_up = False
    world.run(300.0)
    assert {"router", "fridge"} <= on_now(world)
    assert not {s.action.part for s in world.wire} & {"router", "fridge"}


def test_defect_8_hosts_come_back_in_order():
    world = a_house("host-0", "host-1", "host-2")
    world.run(60.0)
    world.grid_up = False
    world.run(120.0)
    assert on_now(world) == set()
    world.grid_up = True
    world.run(400.0)
    assert on_now(world) == {"host-0", "host-1", "host-2"}
    woken = [s.action.part for s in world.wire if s.action.value.up]
    assert woken[:3] == ["host-2", "host-1", "host-0"]


def test_defect_9_a_grid_status_that_nobody_knows_is_neither_up_nor_down():
    for phase, grids in ((Phase.NORMAL, ("up",)), (Phase.OUTAGE, ("down",)), (Phase.SETTLING, ("down", "up"))):
        desk = Desk(house(timing=replace(house().timing, settle_s=60.0)))
        desk.everything_on()
        for step, grid in enumerate(grids):
            desk.tick(1000 + 2 * step, grid)
        assert desk.state.phase is phase
        for t in range(1010, 2000, 30):
            desk.t = t
            odd = GridReading(at=desk.instant(), source=GATEWAY, grid=Grid.UNKNOWN, raw="SystemNewlyInvented")
            assert desk.decide(Inputs(grid=(odd,), parts=desk.views)).state.phase is phase


def test_defect_14_what_is_wanted_is_a_state_and_no_edge():
    """The one tick at which the charge fell past the threshold is lost in a crash; the load goes off nevertheless."""
    desk = Desk()
    desk.everything_on()
    desk.charged(60)
    desk.tick(1000, "down")
    desk.restart()
    desk.t = 1100
    desk.everything_on()
    desk.charged(30)
    assert asked(desk.tick(grid="down"), "desk") == [False]


def test_defect_16_a_drop_past_two_thresholds_in_one_step_applies_both():
    steps = (("high", 50.0, "desk"), ("middle", 35.0, "heater"), ("low", 20.0, "pump"))
    tiers = tuple(Tier(name=n, below=Percent(b), loads=(load,)) for n, b, load in steps)
    desk = Desk(replace(house(), tiers=tiers))
    desk.everything_on()
    desk.charged(19)
    assert [a.part for a in desk.tick(1000, "down").actions] == ["desk", "heater", "pump"]


def test_defect_18_a_part_that_fails_lets_every_other_go_on():
    world = a_house(*ALL)
    world.devices["plug-0"].reachable = False
    world.run(45.0)
    world.grid_up = False
    world.run(60.0)
    assert on_now(world) == {"plug-0", "router", "fridge"}
    world.grid_up = True
    world.run(200.0)
    assert {"plug-1", "host-0", "host-1"} <= on_now(world)


def test_defect_20_a_trouble_that_lasts_is_mailed_once_and_its_end_too():
    world = a_house(*ALL)
    world.keep_decisions = True
    world.run(45.0)
    world.grid_up = False
    world.run(60.0)
    world.devices["plug-0"].reachable = False
    world.grid_up = True
    world.run(2 * 3600.0)
    world.devices["plug-0"].reachable = True
    world.run(120.0)
    mails = [n.subject for _, d in world.decisions for n in d.notices]
    assert mails == [
        "The grid is down: battery at 80 %, lasts about 5 h 20 min",
        "Everything is off that may go off",
        "The grid is back",
        "Given back, except for plug-0",
        "Everything was given back",
    ]


def test_defect_13_a_reserve_that_is_accepted_and_never_applied_is_mailed():
    battery = Battery().until("2027-01-15T13:45")
    battery.obeys[CLOUD] = False
    battery.until("2027-01-15T17:00")
    assert battery.alarms()[:1] == ["Manual update required: reserve 20 %"]


def test_defect_14_a_missed_edge_on_friday_is_made_good_at_once():
    """The reserve stayed at 0 % all weekend."""
    battery = Battery().until("2027-01-15T19:50")
    battery.go("2027-01-15T20:30").restart()
    battery.live(60)
    assert battery.reserve == 100.0


def test_defect_17_a_peak_leaves_something_for_an_outage_and_more_before_a_storm():
    battery = Battery("2027-01-15T13:00").until("2027-01-15T14:30")
    assert battery.reserve == 20.0
    battery.gusts(90.0, 12.0).until("2027-01-15T15:00")
    assert battery.reserve == 60.0
    battery.facts["storm"] = True
    battery.until("2027-01-15T15:30")
    assert battery.reserve == 80.0


def test_defect_22_holidays_are_computed_for_any_year():
    six = Holidays(
        country="US", names=("New Year", "Memorial Day", "Independence Day", "Labor Day", "Thanksgiving", "Christmas")
    )
    for year in range(2021, 2041):
        days = days_off.in_year(six, year)
        assert date(year, 12, 25) in days
        assert len({name for name in days.values() if "(observed)" not in name}) == 6
