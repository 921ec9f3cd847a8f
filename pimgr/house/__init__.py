"""The house in a box: rehearse an outage on this machine, with servers that speak the real wire protocols."""

from pathlib import Path

from pimgr.house.faults import Fault
from pimgr.house.house import House
from pimgr.house.kinds import DeviceSpec, LoadSpec, ServerKind
from pimgr.house.mails import Mail
from pimgr.house.sight import HouseState
from pimgr.house.spec import HouseSpec, Moment, SpecError, read_spec
from pimgr.house.wire import WireEntry, WireLog, read_wire

EVENING = Path(__file__).parent / "scenarios" / "evening.toml"
"""The default scenario: a gateway, a strip, three plugs, a host and a mail server; the grid fails and returns."""

__all__ = [
    "EVENING",
    "DeviceSpec",
    "Fault",
    "House",
    "HouseSpec",
    "HouseState",
    "LoadSpec",
    "Mail",
    "Moment",
    "ServerKind",
    "SpecError",
    "WireEntry",
    "WireLog",
    "read_spec",
    "read_wire",
]
