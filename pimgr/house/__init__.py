"""The house in a box: rehearse an outage on this machine, with servers that speak the real wire protocols."""

from pimgr.house.faults import Fault
from pimgr.house.house import House, HouseState
from pimgr.house.kinds import DeviceSpec, LoadSpec, ServerKind
from pimgr.house.mails import Mail
from pimgr.house.spec import HouseSpec, Moment, SpecError, read_spec
from pimgr.house.wire import WireEntry, WireLog, read_wire

__all__ = [
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
