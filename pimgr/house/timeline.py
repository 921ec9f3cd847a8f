"""The timeline of a scenario, played in real seconds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pimgr.house.house import House
    from pimgr.house.spec import Moment


async def play(house: House, pace: float = 1.0) -> None:
    """Let every moment of the scenario happen at its time, `pace` times as fast; return after the last."""
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    for moment in sorted(house.spec.at, key=lambda each: each.t):
        await asyncio.sleep(max(0.0, start_s + moment.t / pace - loop.time()))
        happen(house, moment)


def happen(house: House, moment: Moment) -> None:
    """Let one moment happen now."""
    if moment.say:
        house.say = moment.say
    if moment.solar_w is not None or moment.base_load_w is not None:
        house.world.set_power(base_load_w=moment.base_load_w, solar_w=moment.solar_w)
    if moment.charge is not None:
        house.set_charge(moment.charge)
    for device, fault in moment.fault.items():
        house.fault(device, fault)
    _happen_to_lines(house, moment)
    for part, on in moment.person.items():
        house.switch_by_person(part, on)
    if moment.grid in ("up", "down"):
        house.grid_up(moment.grid == "up")
    elif moment.grid:
        house.set_grid(moment.grid)


def _happen_to_lines(house: House, moment: Moment) -> None:
    if moment.meters_broken is not None:
        house.meters_broken(moment.meters_broken)
    if moment.expire_sessions:
        house.expire_sessions()
    if moment.internet is not None:
        house.internet_up(moment.internet)
