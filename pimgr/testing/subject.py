"""What the contract suite needs to know about a connection, and what each capability consists of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pimgr import api
from pimgr.api import Capability


@dataclass(frozen=True)
class Methods:
    """The methods of one capability's protocol. `read`: its reading method and what that returns; "" if it has none."""

    read: str = ""
    reading: type[api.Reading] = api.Reading
    commands: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (self.read, *self.commands) if self.read else self.commands


METHODS: Mapping[Capability, Methods] = {
    Capability.GRID_SOURCE: Methods("read_grid", api.GridReading),
    Capability.SITE_METER: Methods("read_site", api.SiteReading),
    Capability.SITE_CONTROL: Methods(commands=("set_reserve", "set_mode", "set_grid_charging", "set_storm_watch")),
    Capability.LOAD: Methods("read_load", api.LoadReading, ("switch",)),
    Capability.GRADED_LOAD: Methods("read_level", api.LevelReading, ("set_level",)),
    Capability.HOST: Methods("read_host", api.HostReading, ("shut_down", "wake")),
    Capability.THERMOSTAT: Methods("read_thermostat", api.ThermostatReading, ("hold", "resume")),
    Capability.FORECAST: Methods("read_forecast", api.ForecastReading),
    Capability.NOTIFIER: Methods(commands=("send",)),
}


class Trouble(StrEnum):
    """What the suite asks the vendor's side to do."""

    NONE = "none"
    """Answer as usual again."""
    UNREACHABLE = "unreachable"
    """Refuse connections, drop what is open."""
    SILENT = "silent"
    """Accept what is said, and never answer."""
    GARBAGE = "garbage"
    """Answer what no such device says."""
    DRIPPING = "dripping"
    """Answer at a byte a second."""
    CUT = "cut"
    """Answer half, and end the connection."""
    OVERSIZE = "oversize"
    """Answer 1 GB."""
    SLOW = "slow"
    """Answer properly, in half of the deadline."""
    WRONG_CREDENTIALS = "wrong credentials"
    """Refuse the password, key or token that was right until now."""
    CHANGED_IDENTITY = "changed identity"
    """Be another device at the same address: another certificate, host key or device id."""
    RATE_LIMITED = "rate limited"
    """Say that it was asked too often."""


FAULTS: Mapping[Trouble, tuple[type[api.DeviceError], ...]] = {
    Trouble.UNREACHABLE: (api.Unreachable,),
    Trouble.SILENT: (api.Unreachable,),
    Trouble.GARBAGE: (api.Garbled,),
    Trouble.DRIPPING: (api.Unreachable, api.Garbled),
    Trouble.CUT: (api.Unreachable, api.Garbled),
    Trouble.OVERSIZE: (api.Garbled,),
    Trouble.SLOW: (),
    Trouble.WRONG_CREDENTIALS: (api.Refused,),
    Trouble.CHANGED_IDENTITY: (api.Garbled,),
    Trouble.RATE_LIMITED: (api.Refused,),
}
"""What a reading raises in each trouble; with several, either is right."""


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """The device's side, running: a real device, the house in a box, or recorded replies.

    `config`: the table that reaches it, as in a config file without `id` and `type`. `troubles`: how to bring each
    about, for the fault matrix also by an async function; with any of them there must be NONE. Rules whose trouble
    is missing are skipped.
    """

    config: Mapping[str, Any]
    troubles: Mapping[Trouble, Callable[[], object]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One connection to test.

    `plugin`: what the entry point names, such as "pimgr_kasa". `vendor`: entered anew for each rule, in that rule's own
    event loop. `secrets`: by the name under which the config refers to them; `wrong_secrets`: others that the device
    refuses. `deadlines`: short ones, so that the suite ends soon; the plugin must heed them. `commands`: False for a
    device that must not be touched. `unsupported`: calls that it can't do, as (part, method, arguments). `settle_s`:
    how long a command's effect may take to be readable. `levels`: what a graded load is asked for; () is 0 and what it
    is found at. `rest_s`: by how much the clock is moved on after a failure, so that a login budget lets the plugin try
    again.

    For the fault matrix: `faults`: what a call raises in a trouble where that isn't `FAULTS`, several kinds where all
    are right, none (an empty tuple) where it works. `spared`: troubles that this device can't have, each with the
    reason; every other one must be among the vendor's. `stores_secrets`: why it keeps one of `secrets` in its store.
    `holds_interpreter`: why its library may delay other devices.
    """

    plugin: str
    device_type: api.DeviceType[Any]
    vendor: Callable[[], AbstractAsyncContextManager[Vendor]]
    secrets: Mapping[str, str] = field(default_factory=dict)
    wrong_secrets: Mapping[str, str] | None = None
    deadlines: api.Deadlines = api.Deadlines(read_s=1.0, switch_s=1.0, cloud_s=1.0, shut_down_s=1.0)  # noqa: RUF009
    commands: bool = True
    unsupported: tuple[tuple[str, str, tuple[Any, ...]], ...] = ()
    faults: Mapping[Trouble, tuple[type[api.DeviceError], ...]] = field(default_factory=dict)
    spared: Mapping[Trouble, str] = field(default_factory=dict)
    stores_secrets: str = ""
    holds_interpreter: str = ""
    settle_s: float = 3.0
    levels: tuple[float, ...] = ()
    rest_s: float = 600.0


class Broken(AssertionError):
    """A rule of the contract is broken; the text says which and how."""


class NotApplicable(Exception):
    """A rule says nothing about this subject; the text says why."""
