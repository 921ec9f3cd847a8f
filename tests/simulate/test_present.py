"""A plan begins with the house as it is: what is off already, and what pimgr owes, in the midst of an outage too."""

from __future__ import annotations

import pytest

from pimgr.api import LevelReading, LoadReading, replace
from pimgr.config import HouseConfig, parse
from pimgr.policy.aspects import Aspect, SetPoints
from pimgr.policy.model import Claim, ClaimStatus
from pimgr.simulate.engine import Run
from pimgr.simulate.plan import plan
from pimgr.simulate.present import Known, Present
from pimgr.simulate.ring import Ring
from pimgr.simulate.year import set_up
from pimgr.snapshot import PartLine, SiteFact, Snapshot, ThermostatLine
from pimgr.units import Celsius
from tests.simulate.houses import PLUGINS, SMALL, evening, small

HOUR_S = 3600.0


def told(ring: Ring, run: Run) -> Known:
    """What a running pimgr's snapshot and journal would say of a simulated house."""
    plant, now = run.plant, ring.box.now(run.plant)
    lines = []
    for part, device in plant.devices.items():
        reading = device.reading(now.instant, plant.power_w(part))
        match reading:
            case LoadReading():
                state, level = "on" if reading.on else "off", None
            case LevelReading():
                state, level = f"at {reading.level:g}", reading.level
            case _:
                state, level = "up" if reading.up else "silent", None
        power_w = getattr(reading, "power_w", None)
        lines.append(PartLine(part=part, title=part, state=state, level=level, power_w=power_w))
    facts = {"load": plant.load_w, "reserve": plant.settings.reserve}
    site = tuple(SiteFact(name=k, value="", number=v, source="gateway", at=now.instant) for k, v in facts.items())
    phase = ring.state.phase.value
    view = Snapshot(
        at=now.instant, pid=1, seq=1, headline="", phase=phase, grid="", charge=plant.charge, site=site,
        parts=tuple(lines),
    )  # fmt: skip
    return Known(now=now, snapshot=view, state=ring.state)


def ten_minutes_in(house: HouseConfig, at: str = "18:00", charge: float = 80.0) -> tuple[Ring, Run]:
    """An outage of many hours has just been met."""
    setup = set_up(house, evening(20 * HOUR_S, at=f"2026-05-02T{at}"))
    ring = Ring(policy=setup.policy)
    run = setup.run(ring)
    run.until(setup.outages[0].start)
    run.plant.energy = replace(run.plant.energy, stored_wh=charge / 100.0 * run.plant.battery.capacity_wh)
    run.until(setup.outages[0].start + 600.0)
    return ring, run


def test_in_an_outage_nothing_goes_off_twice_and_what_goes_off_next_does_so_when_it_will():
    ring, run = ten_minutes_in(small())
    made = plan(small(), told(ring, run))
    assert made.in_outage
    assert [line.text for line in made.outage] == ["off: lamp, nas"]
    run.until(run.plant.t + 10 * HOUR_S)
    began = run.plant.world.weather.begin
    off = next(began + t for t, shed in run.trace.shed if "lamp" in shed)
    assert made.outage[0].wall == pytest.approx(off, abs=1200.0)


def test_in_an_outage_what_is_off_already_comes_back_with_the_sun():
    house = parse(SMALL.format(solar=6000.0).replace("reserve = 80", "reserve = 80\nsolar = '6 kWp'"), "sunny", PLUGINS)
    ring, run = ten_minutes_in(house, at="09:00", charge=45.0)
    assert run.plant.shed == {"pump", "car", "lamp", "nas"}
    first = plan(house, told(ring, run)).outage[0]
    assert first.text == "on again: nas, lamp"
    assert first.charge is not None
    assert first.charge > 50.0


def test_a_graded_load_that_pimgr_lowered_is_owed_and_goes_on_drawing_what_it_draws():
    text = SMALL.format(solar=0.0) + "[loads.car]\nshed_to = 6\n"
    house = parse(text, "graded", PLUGINS)
    ring, run = ten_minutes_in(house)
    assert run.plant.devices["car"].reading(ring.box.now(run.plant).instant, None).level == 6.0
    present = Present(house, told(ring, run))
    assert present.owed == {"pump", "car"}
    plant = present.plant()
    assert (plant.devices["car"].level, plant.devices["car"].usual) == (6.0, 10.0)
    assert plant.load_w == pytest.approx(run.plant.load_w)
    assert plant.power_w("car") == pytest.approx(run.plant.power_w("car"))


@pytest.mark.parametrize("claimed", [True, False])
def test_what_a_thermostat_holds_is_its_own_schedule_unless_pimgr_holds_it(claimed):
    known = told(*ten_minutes_in(small()))
    at, until = known.now.instant, known.now.wall + HOUR_S
    cool, heat = Celsius(21.0), Celsius(18.0)
    line = ThermostatLine(part="hall", title="hall", indoor=Celsius(24.0), cool=cool, heat=heat, until=until)
    claim = Claim(
        id=9,
        part="hall",
        aspect=Aspect.HOLD,
        episode="outage-1",
        rule="climate",
        order=1,
        wanted=SetPoints(heat, cool, until),
        before=SetPoints(Celsius(19.0), Celsius(23.0)),
        before_at=at,
        origin=next(iter(known.state.claims)).origin,
        status=ClaimStatus.TAKEN,
        since=at,
    )
    state = replace(known.state, claims=(*known.state.claims, *([claim] if claimed else [])))
    view = replace(known.snapshot, thermostats=(line,)) if known.snapshot else None
    room = Present(small(), replace(known, state=state, snapshot=view)).plant().rooms["hall"]
    assert (room.indoor, room.cool, room.heat) == (24.0, 21.0, 18.0)
    assert (room.own_cool, room.own_heat, room.until) == ((23.0, 19.0, until) if claimed else (21.0, 18.0, None))


def test_a_charger_that_its_owner_turned_off_is_off():
    ring, run = ten_minutes_in(small())
    known = told(ring, run)
    present = Present(small(), replace(known, state=replace(known.state, claims=())))
    assert not present.on["car"]
    assert present.owed == set()
