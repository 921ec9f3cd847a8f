"""What the events of a scripted world add up to. Pure: no clock, no files."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from pimgr import api
from pimgr.units import Celsius


class Fault(StrEnum):
    """How a scripted part misbehaves."""

    NONE = "none"
    UNREACHABLE = "unreachable"
    """Raises Unreachable; a command doesn't arrive."""
    REFUSED = "refused"
    """Raises Refused; a command arrives and has no effect."""
    GARBLED = "garbled"
    """Raises Garbled; a command doesn't arrive."""
    HANG = "hang"
    """Never answers; a command doesn't arrive. Can be cancelled."""
    SLOW = "slow"
    """Answers after `seconds`, then as usual."""
    BLOCKING = "blocking"
    """Blocks the event loop for `seconds` (real ones), then as usual: a broken plugin."""
    STUBBORN = "stubborn"
    """Never answers and ignores being cancelled until the fault is healed: a broken plugin."""
    BUG = "bug"
    """Raises ValueError: a broken plugin."""
    DEAF = "deaf"
    """Reads as usual; a command is accepted and has no effect."""
    LOST = "lost"
    """A command takes effect, but its answer is lost: raises Unreachable. Reads are unreachable."""

    @property
    def arrives(self) -> bool:
        """Whether a command reaches the device."""
        return self not in (Fault.UNREACHABLE, Fault.GARBLED, Fault.HANG, Fault.STUBBORN, Fault.BUG)

    @property
    def takes_effect(self) -> bool:
        return self.arrives and self not in (Fault.REFUSED, Fault.DEAF)


class Who(StrEnum):
    """Who made an event: the test, a person in the house, or pimgr."""

    WORLD = "world"
    PERSON = "person"
    PIMGR = "pimgr"


class Event(api.Frozen, kw_only=True, omit_defaults=True):
    """Something that happened. `value` is plain data, its shape given by `what`."""

    at: api.Instant
    pid: int
    who: Who
    part: str
    what: str
    value: Any = None
    fault: Fault = Fault.NONE

    @property
    def wish(self) -> str:
        return wish_of(self.what, self.value)


def wish_of(what: str, value: Any) -> str:
    """A command in words: "on", "off", "shut down", "wake", "reserve 30.0", "mode backup", "send KEY", and so on."""
    match what:
        case "switch":
            return "on" if value else "off"
        case "shut down" | "wake" | "resume":
            return what
        case "hold":
            return f"hold {value['heat']} to {value['cool']}"
        case "grid charging" | "storm watch":
            return f"{what} {'on' if value else 'off'}"
        case "send":
            return f"send {value['key']}"
        case _:
            return f"{what} {value}"


class FaultSet(api.Frozen):
    """A fault in force. `only`: "read" or "command"; "" is both."""

    fault: Fault = Fault.NONE
    seconds: float = 0.0
    only: str = ""


class LoadState(api.Frozen):
    on: bool = True
    power_w: float | None = None


class HostState(api.Frozen):
    """`up`, until at `turns_at` (s, boot clock) it becomes the opposite. `boots` counts how often it came up."""

    up: bool = True
    shut_down_s: float = 0.0
    boot_s: float = 0.0
    boots: int = 1
    turns_at: float | None = None

    @property
    def boot_id(self) -> str:
        return f"boot-{self.boots}"

    def at(self, mono_s: float) -> HostState:
        """The host at that time."""
        if self.turns_at is None or mono_s < self.turns_at:
            return self
        boots = self.boots if self.up else self.boots + 1
        return msgspec.structs.replace(self, up=not self.up, boots=boots, turns_at=None)


class ThermostatState(api.Frozen):
    """`schedule`: the owner's own set points; `hold` lies on it until its time, if there is one."""

    indoor: float = 22.0
    mode: api.ThermostatMode = api.ThermostatMode.AUTO
    schedule: api.Hold = api.Hold(heat=Celsius(20.0), cool=Celsius(25.0))
    hold: api.Hold | None = None

    @property
    def in_force(self) -> api.Hold:
        return self.schedule if self.hold is None else self.hold

    def at(self, now: api.Instant) -> ThermostatState:
        """The thermostat at that time: a hold whose time is over is none."""
        until = None if self.hold is None else self.hold.until
        over = until is not None and until.since(now) <= 0.0
        return msgspec.structs.replace(self, hold=None) if over else self


@dataclass
class HouseState:
    """The house as it is. Parts that nobody set are found as a switched-on load, or a host that is up."""

    grids: dict[str, tuple[api.Grid, str, bool]] = field(default_factory=dict)
    charge: float = 80.0
    power: dict[str, float | None] = field(default_factory=dict)
    reserve: float = 20.0
    mode: api.SiteMode = api.SiteMode.SELF_CONSUMPTION
    grid_charging: bool = True
    storm_watch: bool = True
    levels: dict[str, float] = field(default_factory=dict)
    thermostats: dict[str, ThermostatState] = field(default_factory=dict)
    forecast: tuple[tuple[api.ForecastHour, ...], tuple[api.ForecastDay, ...]] = ((), ())
    loads: dict[str, LoadState] = field(default_factory=dict)
    hosts: dict[str, HostState] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    faults: dict[str, FaultSet] = field(default_factory=dict)
    messages: list[api.Message] = field(default_factory=list)

    def grid_at(self, gateway: str) -> tuple[api.Grid, str, bool]:
        everywhere = self.grids.get("", (api.Grid.UP, "", False))
        return self.grids.get(gateway, everywhere)

    def load(self, part: str) -> LoadState:
        return self.loads.get(part, LoadState())

    def level(self, part: str) -> float:
        return self.levels.get(part, 10.0)

    def thermostat(self, part: str, now: api.Instant) -> ThermostatState:
        return self.thermostats.get(part, ThermostatState()).at(now)

    def host(self, part: str, mono_s: float) -> HostState:
        return self.hosts.get(part, HostState()).at(mono_s)

    def take(self, event: Event) -> bool:
        """Let `event` happen; whether it changed the state of a device."""
        if not event.fault.takes_effect:
            return False
        match event.what:
            case "switch":
                return self._switch(event)
            case "shut down" | "wake":
                return self._turn(event)
            case "hold" | "resume":
                return self._hold(event)
            case "reserve" | "mode" | "grid charging" | "storm watch" | "level" | "send":
                return self._obey(event)
            case _:
                self._arrange(event)
                return True

    def _switch(self, event: Event) -> bool:
        load = self.load(event.part)
        self.loads[event.part] = LoadState(bool(event.value), load.power_w)
        return load.on != bool(event.value)

    def _turn(self, event: Event) -> bool:
        """A host was asked to go down (only from the boot named, if any) or to come up."""
        host = self.host(event.part, event.at.mono_s)
        wake = event.what == "wake"
        if host.up == wake or (event.value is not None and event.value != host.boot_id):
            return False
        takes_s = host.boot_s if wake else host.shut_down_s
        turning = host.turns_at if host.turns_at is not None else event.at.mono_s + takes_s
        self.hosts[event.part] = msgspec.structs.replace(host, turns_at=turning)
        return host.turns_at is None

    def _obey(self, event: Event) -> bool:
        """A site, a charger or a notifier was told something."""
        before = self._told(event.part)
        match event.what:
            case "reserve":
                self.reserve = float(event.value)
            case "mode":
                self.mode = api.SiteMode(event.value)
            case "grid charging":
                self.grid_charging = bool(event.value)
            case "storm watch":
                self.storm_watch = bool(event.value)
            case "level":
                self.levels[event.part] = float(event.value)
            case _:
                self.messages.append(msgspec.convert(event.value, api.Message))
        return before != self._told(event.part)

    def _told(self, part: str) -> tuple[object, ...]:
        site = (self.reserve, self.mode, self.grid_charging, self.storm_watch)
        return (*site, self.level(part), len(self.messages))

    def _hold(self, event: Event) -> bool:
        """A thermostat got set points to hold, or its schedule back."""
        before = self.thermostat(event.part, event.at)
        hold = None if event.what == "resume" else msgspec.convert(event.value, api.Hold)
        self.thermostats[event.part] = msgspec.structs.replace(before, hold=hold)
        return before.hold != hold

    def _arrange(self, event: Event) -> None:
        """What the test sets."""
        value = event.value
        match event.what:
            case "grid":
                self.grids[event.part] = (api.Grid(value[0]), value[1], value[2])
            case "charge":
                self.charge = float("nan") if value is None else value
            case "power":
                self.power = {**self.power, **value}
            case "load":
                self.loads[event.part] = LoadState(*value)
            case "host":
                self._find_host(event)
            case "thermostat":
                self.thermostats[event.part] = msgspec.convert(value, ThermostatState)
            case "forecast":
                shape = tuple[tuple[api.ForecastHour, ...], tuple[api.ForecastDay, ...]]
                self.forecast = msgspec.convert(value, shape)
            case "password":
                self.passwords[event.part] = value
            case "fault":
                self.faults[event.part] = FaultSet(Fault(value[0]), value[1], value[2])
            case _:
                raise ValueError(f"no such event: {event.what}")

    def _find_host(self, event: Event) -> None:
        up, shut_down_s, boot_s = event.value
        before = self.hosts.get(event.part)
        boots = 1 if before is None else before.at(event.at.mono_s).boots
        came_up = before is not None and up and not before.at(event.at.mono_s).up
        self.hosts[event.part] = HostState(up, shut_down_s, boot_s, boots + 1 if came_up else boots)
