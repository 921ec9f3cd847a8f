"""The whole house as a person would see it."""

from __future__ import annotations

from pimgr.api import Frozen
from pimgr.house.faults import Fault
from pimgr.house.world import HostState, LoadState


class HouseState(Frozen):
    """The whole house at one moment, for a live view. Power in W with the signs of `pimgr.api.SiteReading`."""

    clock_s: float
    grid: str
    connected: bool
    dark: bool
    charge: float
    stored_wh: float
    grid_w: float
    battery_w: float
    solar_w: float
    load_w: float
    loads: tuple[LoadState, ...]
    hosts: tuple[HostState, ...]
    faults: dict[str, Fault]
    mails: int
    say: str
