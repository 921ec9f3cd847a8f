"""The house keeps the books of its energy and warmth, however long the steps are."""

from __future__ import annotations

import math

import pytest

from pimgr.policy.aspects import HostPower, Level, Reserve, SetPoints, Switch
from pimgr.simulate.devices import NATURE, PERSON, Host, Plug
from pimgr.simulate.plant import GRACE_S, RETRY_S
from pimgr.simulate.rivals import Nothing
from pimgr.simulate.rooms import PULL, Room, Work
from pimgr.simulate.year import set_up
from pimgr.units import Celsius, Percent
from tests.simulate.houses import evening, small

HOUR_S = 3600.0


def lived(solar: float, for_s: float = 5 * HOUR_S, days: int = 2):
    setup = set_up(small(solar), evening(for_s, days))
    run = setup.run(Nothing())
    run.until(setup.scenario.span_s)
    return run


@pytest.mark.parametrize("solar", [0.0, 3000.0, 9000.0])
def test_no_energy_is_made_or_lost(solar):
    run = lived(solar, days=3)
    m, stored = run.plant.energy.meters, run.plant.energy.stored_wh
    assert m.discharged_wh - m.charged_wh == pytest.approx(8000.0 - stored, abs=0.5)
    assert m.load_wh == pytest.approx(
        m.imported_wh - m.exported_wh + m.solar_wh + m.discharged_wh - m.charged_wh, abs=0.5
    )
    assert 0.0 <= stored <= 10_000.0
    assert sum(run.plant.tally.bought_wh.values()) == pytest.approx(m.imported_wh)


def test_time_is_accounted_for_to_the_second():
    run = lived(0.0, for_s=9 * HOUR_S)
    tally = run.plant.tally
    assert tally.outage_s == pytest.approx(9 * HOUR_S)
    assert 0.0 < tally.dark_s < tally.outage_s


def test_a_battery_that_is_asked_for_too_much_trips_after_ten_seconds_and_tries_again():
    setup = set_up(small(), evening(HOUR_S))
    run = setup.run(Nothing())
    run.plant.world.base_w[:] = [4000.0] * len(run.plant.world.base_w)  # 6.0 kW or more in all, of 5.0
    run.until(setup.scenario.span_s)
    dark = [(a[0], b[0]) for a, b in zip(run.trace.rows, run.trace.rows[1:], strict=False) if a[5] and not b[5]]
    start = setup.outages[0].start
    assert dark
    first = next(row[0] for row in run.trace.rows if row[5])
    assert first - start in (pytest.approx(GRACE_S), pytest.approx(0.0))
    assert dark[0][1] - first == pytest.approx(RETRY_S, abs=1.0)


def test_in_the_dark_nothing_answers_and_machines_start_again_when_there_is_light():
    run = lived(0.0, for_s=9 * HOUR_S)
    nas = run.plant.devices["nas"]
    assert isinstance(nas, Host)
    assert nas.boot == 2
    assert nas.up


def test_a_machine_that_was_shut_down_stays_down_when_power_returns():
    nas = Host(name="nas", watts=50.0, duty=[1.0], shutdown_s=20.0, boot_s=60.0)
    assert nas.obey(0.0, HostPower(False, "nas-2")) == "Refused"
    assert nas.obey(0.0, HostPower(False, "nas-1")) == ""
    assert nas.live(19.0) is False
    assert nas.live(20.0) is True
    nas.lose_power()
    nas.get_power(100.0)
    assert nas.due is None
    nas.obey(200.0, HostPower(True))
    assert nas.live(260.0)
    assert (nas.up, nas.boot_id, nas.wrong) == (True, "nas-2", 0)


def plug() -> Plug:
    return Plug(name="pump", watts=1000.0, duty=[1.0])


def test_turning_on_what_was_not_turned_off_is_counted_as_wrong():
    mine = plug()
    mine.move(False, PERSON)
    mine.obey(0.0, Switch(True))
    assert mine.wrong == 1


def test_turning_on_again_what_a_person_turned_off_after_us_is_counted_as_wrong_if_it_was_seen():
    seen, unseen = plug(), plug()
    for each in (seen, unseen):
        each.obey(0.0, Switch(False))
        each.move(True, PERSON)
        if each is seen:
            each.read()
        each.move(False, PERSON)
        each.obey(1.0, Switch(True))
    assert (seen.wrong, unseen.wrong) == (1, 0)


def test_what_a_person_turned_off_while_our_request_was_lost_looks_like_ours():
    mine = plug()
    mine.asked = True
    mine.move(False, PERSON)
    mine.obey(1.0, Switch(True))
    assert mine.wrong == 0


def test_giving_back_what_was_taken_is_right():
    mine = plug()
    for _ in range(3):
        mine.obey(0.0, Switch(False))
        mine.obey(1.0, Switch(True))
    assert (mine.wrong, mine.switchings, mine.owed) == (0, 6, False)
    mine.move(False, NATURE)
    assert not mine.owed


def test_a_charger_that_is_lowered_is_owed_its_level():
    run = lived(0.0)
    car = run.plant.devices["car"]
    car.obey(0.0, Level(6.0))
    assert car.owed
    car.obey(1.0, Level(10.0))
    assert (car.owed, car.wrong) == (False, 0)


def room(**more) -> Room:
    return Room(name="hall", watts=3000.0, feeder="", own_cool=24.0, own_heat=20.0, **more)


def test_a_heat_pump_holds_the_set_point_at_the_power_that_this_takes():
    hall = room(indoor=24.0)
    hall.settle(outdoor=34.0, powered=True)
    assert hall.work is Work.HOLD
    assert hall.draws_w == pytest.approx(3000.0 * (34.0 + 2.5 - 24.0) / PULL)
    hall.flow(5 * HOUR_S)
    assert hall.indoor == 24.0
    assert hall.discomfort == 0.0


def test_one_long_step_is_the_same_as_many_short_ones():
    one, many = room(indoor=20.5), room(indoor=20.5)
    for hall, steps in ((one, 1), (many, 100)):
        hall.settle(outdoor=30.0, powered=False)
        for _ in range(steps):
            hall.flow(6 * HOUR_S / steps)
    assert one.indoor == pytest.approx(many.indoor)


def test_a_room_is_pulled_down_to_a_lower_set_point_and_then_held():
    hall = room(indoor=24.0)
    hall.obey(SetPoints(cool=Celsius(19.5), heat=Celsius(15.0), until=1e9))
    hall.settle(outdoor=30.0, powered=True)
    assert hall.work is Work.FULL
    hall.flow(hall.change_s())
    assert hall.indoor == pytest.approx(19.5)
    hall.settle(outdoor=30.0, powered=True)
    assert hall.work is Work.HOLD
    assert hall.expire(1e9)
    assert (hall.cool, hall.heat) == (24.0, 20.0)


def test_without_power_it_drifts_and_somebody_sweats():
    hall = room(indoor=24.0)
    hall.settle(outdoor=36.0, powered=False)
    assert hall.draws_w == 0.0
    assert math.isinf(hall.change_s())
    hall.flow(8 * HOUR_S)
    assert 28.0 < hall.indoor < 32.0
    assert hall.discomfort > 10.0


def test_the_reserve_is_kept_while_the_grid_is_there():
    setup = set_up(small(), evening(HOUR_S))
    run = setup.run(Nothing())
    run.plant.set_site(Reserve(Percent(60.0)))
    run.until(17 * HOUR_S)
    assert run.plant.charge == pytest.approx(60.0)
