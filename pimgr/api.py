"""The whole plugin contract, and the only pimgr module that a plugin imports.

A plugin is a distribution with one entry point in the group ``pimgr``; the entry point names a module (or object)
with a `pimgr_device_types` hook. The rules, which `pimgr.testing` checks:

* The hook is called once, at start. It does no I/O and imports no vendor library; name those in
  `DeviceType.vendor_modules`.
* `DeviceType.open` does no network I/O. It yields a `Connection` whose parts are exactly those that
  `provides(config)` told. Reads connect lazily. Leaving the context closes everything, also after a failure, also
  twice, and within a second.
* Commands are idempotent *requests* for an absolute state. Returning proves nothing; the next reading does.
* Raise only `Unreachable` (no answer), `Refused` (it answered no: password, permission, lock-out), `Garbled` (it
  answered nonsense) or `Unsupported` (this device can't). Each says part, wish, fact, and cure. Let
  `asyncio.CancelledError` pass.
* Never invent: what was not read is None, a grid status you don't know is `Grid.UNKNOWN` with the raw text.
* No retries, caches, threads, sleeps or logging of secrets: pimgr owns time. Set the vendor's own time-outs below
  `context.deadlines`; past its deadline a call is cancelled, and the connection is closed and opened again.
* A blocking library is called by `await context.call(fn, ...)`: pimgr owns that thread. Nothing may block the event
  loop.
* Whatever must outlive a restart (tokens, login budgets, pinned fingerprints) goes into `context.store`.
* What a person must know and no reading or error says (a token that runs out) goes to `context.tell`; what only the
  history should hold (a token was renewed) goes to `context.record`. Neither ever holds a secret.
* Config, arguments, results and store values round-trip msgpack: a connection may one day live in another process.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, dataclass_transform

import msgspec
import pluggy

from pimgr.units import Celsius, Percent, WattHours, Watts

VERSION = 1
"""Version of this contract. A `DeviceType` states the range it was written for."""
GROUP = "pimgr"
"""Entry-point group, and the name of the pluggy project."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Frozen(msgspec.Struct, frozen=True):
    """Immutable data that round-trips msgpack and JSON."""


replace = msgspec.structs.replace
"""A copy with some fields changed."""


class Config(Frozen, forbid_unknown_fields=True):
    """Base of a device type's config. Field names are the TOML keys; the host reports unknown keys and wrong types."""


class Secret(Frozen, forbid_unknown_fields=True):
    """A reference to a secret, written ``{ secret = "gateway-password" }``; `Context.secret` gives the text."""

    secret: str


# --------------------------------------------------------------------------------------------------------------- time


class Instant(Frozen):
    """A moment. `mono_s` is CLOCK_BOOTTIME in s, comparable within one `boot` only; `wall`: UTC in s, may be wrong."""

    mono_s: float
    wall: float
    boot: str

    def since(self, earlier: Instant) -> float:
        """Seconds from `earlier` to here, never negative: by the boot clock, or across boots by the wall clocks."""
        if self.boot == earlier.boot:
            return max(0.0, self.mono_s - earlier.mono_s)
        return max(0.0, self.wall - earlier.wall)


class Now(Instant):
    """The present. `wall_trusted`: the wall clock is synchronised, so schedules may act on it."""

    wall_trusted: bool = False

    @property
    def instant(self) -> Instant:
        """This moment without the judgement on the wall clock."""
        return Instant(self.mono_s, self.wall, self.boot)


# ----------------------------------------------------------------------------------------------------------- readings


class Grid(StrEnum):
    """The utility's supply at the house. Not knowing is never evidence."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


class Reading(Frozen, kw_only=True, tag=True):
    """What was measured. `at`: when it was *measured*, not received; `source`: who said so."""

    at: Instant
    source: str


class GridReading(Reading, kw_only=True):
    """`passing`: the gateway is between two states, so the grid is UNKNOWN and soon will not be. `raw`: its words.

    `intentional`: it is DOWN because a person went off-grid in the app; False also where that can't be told.
    """

    grid: Grid
    passing: bool = False
    raw: str = ""
    intentional: bool = False


class SiteReading(Reading, kw_only=True):
    """Power at the main panel in W: `grid_w` > 0 is import, `battery_w` > 0 discharge, `solar_w` and `load_w` >= 0.

    `charge`: state of energy as the vendor's app shows it; `capacity_wh`: usable energy of a full battery.
    `grid_charging`: the battery may charge from the grid; `storm_watch`: the vendor may raise the reserve before a
    storm; `storm`: it is doing so now.
    """

    grid_w: Watts | None = None
    battery_w: Watts | None = None
    solar_w: Watts | None = None
    load_w: Watts | None = None
    charge: Percent | None = None
    charge_raw: Percent | None = None
    capacity_wh: WattHours | None = None
    reserve: Percent | None = None
    mode: SiteMode | None = None
    grid_charging: bool | None = None
    storm_watch: bool | None = None
    storm: bool | None = None


class SiteMode(StrEnum):
    """Operation mode of a site. Source: Tesla Fleet API, `default_real_mode`."""

    SELF_CONSUMPTION = "self_consumption"
    AUTONOMOUS = "autonomous"
    BACKUP = "backup"


class LoadReading(Reading, kw_only=True):
    """A switched load. `power_w`: W drawn, >= 0, None where it isn't metered."""

    on: bool
    power_w: Watts | None = None


class LevelReading(Reading, kw_only=True):
    """A load that is graded rather than switched, such as a car's charger. `level` in the unit that `GradedLoad` told.

    `power_w`: W drawn, >= 0, None where it isn't metered.
    """

    level: float
    power_w: Watts | None = None


class HostReading(Reading, kw_only=True):
    """`up` with the boot it is in, or silent (`up` is False): silent is not off, a dead switch looks the same."""

    up: bool
    boot_id: str | None = None


class ThermostatMode(StrEnum):
    HEAT = "heat"
    COOL = "cool"
    AUTO = "auto"
    OFF = "off"


class Hold(Frozen, kw_only=True):
    """Set points and how long they hold: `until` an instant, `permanent`, or neither (the owner's schedule)."""

    heat: Celsius | None = None
    cool: Celsius | None = None
    until: Instant | None = None
    permanent: bool = False


class ThermostatReading(Reading, kw_only=True):
    """A thermostat that is connected now; a disconnected one raises Unreachable rather than repeat old values."""

    indoor: Celsius
    mode: ThermostatMode
    hold: Hold


class ForecastHour(Frozen):
    """`start`: UTC in s; `cloud` in %; `solar_w_m2`: global irradiance; `gust_m_s`: strongest gust."""

    start: float
    temperature: Celsius
    cloud: Percent
    solar_w_m2: float
    gust_m_s: float


class ForecastDay(Frozen):
    """A day of the forecast: `date` as "2026-07-31" where the house is, `high` its highest temperature."""

    date: str
    high: Celsius


class ForecastReading(Reading, kw_only=True):
    """Hours and days to come, oldest first."""

    hours: tuple[ForecastHour, ...]
    days: tuple[ForecastDay, ...] = ()


# ------------------------------------------------------------------------------------------------------------- errors


class DeviceError(Exception):
    """Base of the four errors. Reads as "pool-pump: wanted off, no answer in 5 s (192.0.2.14); check its power"."""

    def __init__(self, part: str, wish: str, fact: str, cure: str = "") -> None:
        super().__init__(part, wish, fact, cure)
        self.part, self.wish, self.fact, self.cure = part, wish, fact, cure

    def __str__(self) -> str:
        return f"{self.part}: wanted {self.wish}, {self.fact}" + (f"; {self.cure}" if self.cure else "")


class Unreachable(DeviceError):
    """No answer: refused, silent, cut off, no name. Trying again later may help."""


class Refused(DeviceError):
    """It answered, and said no: wrong password, no permission, locked out, asked too often."""


class Garbled(DeviceError):
    """It answered what no such device says: cut, oversize, not the protocol, not a number, another identity."""


class Unsupported(DeviceError):
    """This device can't do that, ever. Trying again won't help."""


# ------------------------------------------------------------------------------------------------------- capabilities


class Capability(StrEnum):
    """What a part can do; each is one of the protocols below."""

    GRID_SOURCE = "grid source"
    SITE_METER = "site meter"
    SITE_CONTROL = "site control"
    LOAD = "load"
    GRADED_LOAD = "graded load"
    HOST = "host"
    THERMOSTAT = "thermostat"
    FORECAST = "forecast"
    NOTIFIER = "notifier"


class GridSource(Protocol):
    async def read_grid(self) -> GridReading:
        """The grid, by a call that needs nothing of the meters."""


class SiteMeter(Protocol):
    async def read_site(self) -> SiteReading:
        """Powers and charge; what this site doesn't measure is None."""


class SiteControl(Protocol):
    async def set_reserve(self, percent: Percent) -> None:
        """Ask that the battery keep `percent` back for an outage."""

    async def set_mode(self, mode: SiteMode) -> None:
        """Ask for an operation mode."""

    async def set_grid_charging(self, allowed: bool) -> None:
        """Ask that the battery may, or may not, charge from the grid."""

    async def set_storm_watch(self, allowed: bool) -> None:
        """Ask that the vendor may, or may not, raise the reserve before storms."""


class Load(Protocol):
    async def read_load(self) -> LoadReading: ...

    async def switch(self, on: bool) -> None:
        """Ask that it be on or off."""


class GradedLoad(Protocol):
    async def read_level(self) -> LevelReading: ...

    async def set_level(self, level: float) -> None:
        """Ask for a level, in the device's own unit (A for a charger); 0 is off."""


class Host(Protocol):
    async def read_host(self) -> HostReading:
        """Up or silent. Raises only when it answers something else: Refused (login), Garbled (another host key)."""

    async def shut_down(self, only_boot: str | None) -> None:
        """Ask for a clean shutdown, unless it has booted since `only_boot` (None: whatever boot it is in).

        Returning means that it accepted. A host that has booted again answers Refused and is left alone.
        """

    async def wake(self) -> None:
        """Ask it to start. A request that may be lost: pimgr repeats it until the host answers."""


class Thermostat(Protocol):
    async def read_thermostat(self) -> ThermostatReading: ...

    async def hold(self, wanted: Hold) -> None:
        """Ask for set points until a time."""

    async def resume(self) -> None:
        """Back to the owner's own schedule."""


class Forecast(Protocol):
    async def read_forecast(self) -> ForecastReading: ...


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Message(Frozen, kw_only=True):
    """Something to tell a person. `key` is unique to it: a receiver that sees a key twice may drop the second.

    `subject` is one line; `text` is plain text with LF line ends. Both hold names that came from devices: escape them.
    `written` is UTC in s.
    """

    key: str
    severity: Severity
    subject: str
    text: str
    written: float


class Notifier(Protocol):
    async def send(self, message: Message) -> None:
        """Returning means that the other side took responsibility for it."""


class Finding(Frozen, kw_only=True):
    """One result of a check, for a home owner: what is so and, where it isn't well, the cure."""

    severity: Severity
    text: str
    cure: str = ""


Part = GridSource | SiteMeter | SiteControl | Load | GradedLoad | Host | Thermostat | Forecast | Notifier
Parts = Mapping[str, Part]
"""Parts by key; "" is the device itself, "3" the third outlet: in the house they are called `strip` and `strip/3`."""


class Connection(Protocol):
    @property
    def parts(self) -> Parts: ...

    async def check(self) -> list[Finding]:
        """Look at the device as an installer would: reachable, right identity, enough rights. Changes nothing."""


# ------------------------------------------------------------------------------------------------ what the host gives

P = ParamSpec("P")
T = TypeVar("T")
Storable = Any
"""None, bool, int, float, str, bytes, and lists and str-keyed dicts of these."""


class Deadlines(Frozen):
    """Seconds that a call may take before it is cancelled."""

    read_s: float = 5.0
    switch_s: float = 5.0
    cloud_s: float = 30.0
    shut_down_s: float = 150.0


class Store(Protocol):
    """A small durable key-value area of one connection."""

    def get(self, key: str) -> Storable: ...

    async def put(self, key: str, value: Storable) -> bool:
        """True after the fsync; False where the disk takes nothing now, and it is kept in memory until it does."""


class Context(Protocol):
    """What a connection may ask of pimgr."""

    @property
    def connection(self) -> str:
        """Its id in the config; what error messages call it."""

    @property
    def deadlines(self) -> Deadlines: ...

    @property
    def store(self) -> Store: ...

    @property
    def alert(self) -> bool:
        """The grid is gone, or seems to be: the internet may go next, so whatever is to be renewed there should be."""

    def now(self) -> Instant: ...

    def secret(self, reference: Secret) -> str:
        """Its text. Raises Refused, naming where it was looked for."""

    def tell(self, key: str, finding: Finding | None) -> None:
        """Something about this connection that a person must know; None: it is over.

        Mailed once when it begins, once when its severity or cure changes, and once when it is over, also across
        restarts; shown in the status while it lasts. A text that counts days may change without being mailed again.
        """

    def record(self, text: str) -> None:
        """One line for the house's history: it is journalled, not mailed."""

    async def call(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function on this connection's own worker thread."""


ConfigT = TypeVar("ConfigT", bound=Config)


class Found(Frozen, kw_only=True):
    """A device that discovery saw: `config` is a table for the config file."""

    type: str
    title: str
    config: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class DeviceType(Generic[ConfigT]):
    """One kind of device that a plugin offers."""

    name: str
    """As written in the config, such as "kasa.plug"; begins with the entry point's name."""
    summary: str
    """One line for a home owner."""
    config: type[ConfigT]
    provides: Callable[[ConfigT], Mapping[str, frozenset[Capability]]]
    """What each part can do, by part key; told from the config alone."""
    open: Callable[[ConfigT, Context], AbstractAsyncContextManager[Connection]]
    api: tuple[int, int] = (VERSION, VERSION)
    """Oldest and newest `VERSION` it was written for."""
    vendor_modules: tuple[str, ...] = ()
    """Modules that pimgr imports off the event loop before `open`."""
    cloud: bool = False
    """Its readings come by way of the internet: a fallback, allowed to be 900 s apart."""
    poll_s: Mapping[Capability, float] = field(default_factory=dict)
    """Seconds between polls where pimgr's own rates don't fit."""
    floor_s: float = 1.0
    """Never read more often than this."""
    budgets: tuple[str, ...] = ()
    """Keys of its store that count what an account or a device bears, such as its last login; no secret is in them.

    What a look (`pimgr check --connect`, `pimgr device try`, a dry run) puts there is kept. All else it puts is not.
    """
    spends: tuple[str, ...] = ()
    """Keys of its store that it puts just before it spends what serves only once, such as a refresh token.

    In a look, where what comes of it can't be kept, such a `put` raises Refused: nothing is spent.
    """
    discover: Callable[[Context], AsyncIterator[Found]] | None = None
    calls_off: bool = False
    """A host of this type that is still up calls its shutdown off when it is told to wake, if there is time."""
    advise: Callable[[ConfigT], Sequence[Finding]] | None = None
    """What a valid config will not bring about, such as mail to a gateway that closed; told by `pimgr check`.

    It is not an error of the config: the rest of it goes on protecting the house.
    """


class Hooks:
    """The hooks of pimgr."""

    @hookspec
    def pimgr_device_types(self) -> Sequence[DeviceType[Any]]:
        """The device types of this plugin. Called once, at start; no I/O."""
        return ()


def plugin_manager() -> pluggy.PluginManager:
    """A pluggy manager that knows pimgr's hooks. Used by the host, and by plugin authors' own tests."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(Hooks)
    return manager
