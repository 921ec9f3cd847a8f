"""A scripted house: what the scripted devices find when they look, and the log of what pimgr asked of them.

Everything that happens is one event, appended to one list or file; the state is what the events add up to. So a command
is on record and in effect in the same instant, and a process that is killed leaves no half-done world behind.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from pimgr import api
from pimgr.testing.house_state import Event, Fault, FaultSet, HouseState, ThermostatState, Who

__all__ = ["Command", "Fault", "World", "world_named"]

EVENTS_FILE = "events.jsonl"
_POLL_S = 0.005


class Command(api.Frozen, kw_only=True):
    """One command that a scripted device was given: `wish` as in "on", "shut down", "reserve 30".

    `arrived`: it reached the device (a fault may have kept it from doing so, or from taking effect). `changed`: it
    changed the device's state. `mono_s`, `wall`: by the clock of who sent it. `pid`: the sender's process.
    """

    part: str
    wish: str
    mono_s: float
    wall: float
    pid: int
    arrived: bool
    changed: bool


class World:
    """One scripted house. Parts are called as in the real one: `pump`, `strip/3`.

    Without `folder` it lives in this process's memory; with one, in a file there, which any number of processes share:
    the parent of a supervisor that is killed sees the same world as its child. A config names it by `world = "NAME"`,
    or by its folder's path, which then needs no `World` to be made first.
    """

    def __init__(
        self, name: str = "default", folder: Path | None = None, *, now: Callable[[], api.Instant] | None = None
    ) -> None:
        self.name = name if folder is None else str(folder)
        self.reads: defaultdict[str, list[float]] = defaultdict(list)
        """`mono_s` of each read by this process, per part."""
        self._now = now or _boot_time
        self._state = HouseState()
        self._commands: list[Command] = []
        self._folded = 0
        self._file: int | None = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(folder / EVENTS_FILE, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _worlds[self.name] = self

    def close(self) -> None:
        """Forget this world; its file stays."""
        _worlds.pop(self.name, None)
        if self._file is not None:
            os.close(self._file)
            self._file = None

    # -------------------------------------------------------------------------------------- what the test does to it

    def set_grid(self, grid: api.Grid, *, raw: str = "", passing: bool = False, gateway: str = "") -> None:
        """The grid, as every gateway sees it, or only the one named."""
        self._happen(gateway, "grid", [grid.value, raw, passing])

    def set_charge(self, percent: float) -> None:
        """State of energy in %; may be NaN, to see what becomes of it."""
        self._happen("", "charge", None if math.isnan(percent) else percent)

    def set_power(self, **watts: float | None) -> None:
        """`grid_w`, `battery_w`, `solar_w`, `load_w`, with the signs of `api.SiteReading`; None is not measured."""
        self._happen("", "power", watts)

    def set_load(self, part: str, on: bool, power_w: float | None = None) -> None:
        """How a load is found; `power_w`: what it draws while it is on, None if not metered."""
        self._happen(part, "load", [on, power_w])

    def set_host(self, part: str, up: bool, *, shut_down_s: float = 0.0, boot_s: float = 0.0) -> None:
        """How a host is found, and how long it takes from then on to go down and to come up."""
        self._happen(part, "host", [up, shut_down_s, boot_s])

    def set_thermostat(self, part: str, state: ThermostatState) -> None:
        """How a thermostat is found: its schedule, and a hold if somebody set one."""
        self._happen(part, "thermostat", msgspec.to_builtins(state))

    def set_forecast(self, hours: Sequence[api.ForecastHour], days: Sequence[api.ForecastDay] = ()) -> None:
        """The weather to come, oldest first."""
        self._happen("", "forecast", msgspec.to_builtins([hours, days]))

    def set_password(self, part: str, password: str) -> None:
        """From now on the device refuses any other."""
        self._happen(part, "password", password)

    def person(self, part: str, on: bool) -> None:
        """A hand on the button."""
        self._happen(part, "switch", on, Who.PERSON)

    def fault(self, part: str, fault: Fault, *, seconds: float = 0.0, only: str = "") -> None:
        """From now on `part` behaves so; Fault.NONE heals it.

        `only`: "read" or "command", else both. `seconds`: for SLOW and BLOCKING.
        """
        self._happen(part, "fault", [fault.value, seconds, only])

    # --------------------------------------------------------------------------------------------- what it looks like

    def grid(self, gateway: str = "") -> tuple[api.Grid, str, bool]:
        """Grid, the raw words for it, and whether it is passing."""
        return self.state().grid_at(gateway)

    def is_on(self, part: str) -> bool:
        return self.state().load(part).on

    def host_up(self, part: str) -> bool:
        return self.state().host(part, self._now().mono_s).up

    def messages(self) -> list[api.Message]:
        """What notifiers took responsibility for, in order."""
        return list(self.state().messages)

    def commands(self, part: str | None = None) -> list[Command]:
        """Every command that pimgr gave, oldest first."""
        self._fold()
        return [command for command in self._commands if part is None or command.part == part]

    def state(self) -> HouseState:
        """What all events so far add up to."""
        self._fold()
        return self._state

    def wait_for(self, predicate: Callable[[World], bool], timeout_s: float) -> bool:
        """Wait, blocking, until `predicate` holds; whether it did within `timeout_s` real seconds."""
        until = time.monotonic() + timeout_s
        while not predicate(self):
            if time.monotonic() > until:
                return False
            time.sleep(_POLL_S)
        return True

    async def until(self, predicate: Callable[[World], bool], timeout_s: float) -> bool:
        """Wait in the event loop (virtual or real) until `predicate` holds; whether it did within `timeout_s`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        while not predicate(self):
            if loop.time() > end:
                return False
            await asyncio.sleep(_POLL_S)
        return True

    # ------------------------------------------------------------------------------------- what the devices do with it

    def fault_of(self, part: str, kind: str) -> FaultSet:
        """The fault that meets a "read" or a "command" at `part`; that of a whole strip meets all its outlets."""
        faults = self.state().faults
        for name in (part, part.partition("/")[0]):
            found = faults.get(name)
            if found is not None and found.fault is not Fault.NONE and found.only in ("", kind):
                return found
        return FaultSet()

    def command(self, part: str, what: str, value: Any, at: api.Instant, *, fault: Fault = Fault.NONE) -> None:
        """A device was told to do something: put it on record, and into effect unless `fault` prevents that."""
        who = Who.PIMGR
        self._append(Event(at=at, pid=os.getpid(), who=who, part=part, what=what, value=value, fault=fault))

    def _happen(self, part: str, what: str, value: Any, who: Who = Who.WORLD) -> None:
        self._append(Event(at=self._now(), pid=os.getpid(), who=who, part=part, what=what, value=value))

    def _append(self, event: Event) -> None:
        if self._file is None:
            self._take(event)
            return
        # One write, so that a kill leaves all of it or a torn line, which the line feed in front keeps from the next.
        line = b"\n" + msgspec.json.encode(event) + b"\n"
        if os.write(self._file, line) != len(line):
            raise OSError(f"{self.name}: could not write an event whole")

    def _fold(self) -> None:
        """Take in the events that were written since the last look, by whatever process."""
        if self._file is None:
            return
        size = os.fstat(self._file).st_size
        if size == self._folded:
            return
        new = os.pread(self._file, size - self._folded, self._folded)
        whole = new[: new.rfind(b"\n") + 1]
        self._folded += len(whole)
        for line in whole.split(b"\n"):
            event = _event(line)
            if event is not None:
                self._take(event)

    def _take(self, event: Event) -> None:
        changed = self._state.take(event)
        if event.who is Who.PIMGR:
            self._commands.append(
                Command(
                    part=event.part,
                    wish=event.wish,
                    mono_s=event.at.mono_s,
                    wall=event.at.wall,
                    pid=event.pid,
                    arrived=event.fault.arrives,
                    changed=changed,
                )
            )


_worlds: dict[str, World] = {}


def world_named(name: str) -> World:
    """The world that a config's `world` names; a path opens the one in that folder. Raises KeyError if none is."""
    if name not in _worlds and os.sep in name:
        return World(folder=Path(name))
    return _worlds[name]


def _event(line: bytes) -> Event | None:
    """The event of a line; None for an empty or torn one, whose writer was killed before it happened."""
    try:
        return msgspec.json.decode(line, type=Event) if line else None
    except msgspec.DecodeError:
        return None


def _boot_time() -> api.Instant:
    return api.Instant(time.clock_gettime(time.CLOCK_BOOTTIME), time.time(), "")
