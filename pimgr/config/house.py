"""The whole config file as one frozen struct, or everything that is wrong with it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import msgspec
import tomli

from pimgr import rates
from pimgr.api import Capability, DeviceType, Frozen, Secret, replace
from pimgr.config import beat as beats
from pimgr.config.battery import CLOUD_GAP_S, BatteryTable
from pimgr.config.climate import THERMOSTAT, ClimateTable
from pimgr.config.connections import ConnectionConfig, Connections, Unavailable
from pimgr.config.errors import ConfigError, ConfigErrors, Kind, Report, shown
from pimgr.config.fields import PERCENT, Table, choice, duration, finite
from pimgr.config.lines import lines_of
from pimgr.config.mail import Mail
from pimgr.config.parts import SHEDDABLE, SOURCE, Parts, Role
from pimgr.config.place import place
from pimgr.config.shedding import Shedding
from pimgr.config.tariff import Tariffs
from pimgr.config.typed import SecretUses
from pimgr.plugins import Plugins
from pimgr.policy.model import Aspect, PartPolicy, Policy, Timing
from pimgr.text import safe
from pimgr.units import Percent

VERSION = 1
LIMIT = 1 << 20
"""Largest config in characters."""
ASPECTS = {
    Capability.HOST: Aspect.HOST_POWER,
    Capability.GRADED_LOAD: Aspect.LEVEL,
    Capability.LOAD: Aspect.SWITCH,
    Capability.THERMOSTAT: Aspect.HOLD,
}
"""What of a part is taken, by what it can; the first that fits."""
MOVED = Role("a load, a host or a thermostat", SHEDDABLE.needs | THERMOSTAT.needs)
"""What rules may want something of. Only what is sheddable may be in a tier."""


class HouseConfig(Frozen, kw_only=True):
    """The config, checked. Parts are named by address. `digest` tells two contents apart, not two layouts of one.

    `unavailable`: why connections provide nothing, since their plugins aren't there or fail; only a lenient reading has
    any.
    """

    policy: Policy = Policy()
    connections: tuple[ConnectionConfig, ...] = ()
    grid_sources: tuple[str, ...] = ()
    meters: tuple[str, ...] = ()
    meter_fresh_s: dict[str, float] = msgspec.field(default_factory=dict)
    """By meter, how long a reading of it stands for the present."""
    notifiers: tuple[str, ...] = ()
    heartbeat: str | Secret | None = None
    heartbeat_every_s: float = beats.EVERY_S
    grid_poll_s: float = 2.0
    meter_poll_s: float = 10.0
    titles: dict[str, str] = msgspec.field(default_factory=dict)
    unavailable: tuple[Unavailable, ...] = ()
    digest: str = ""


@dataclass(frozen=True)
class Parsed:
    """A reading of a text: the house that it describes as far as it could be made out, and what is wrong with it."""

    house: HouseConfig | None
    errors: tuple[ConfigError, ...]
    secrets: SecretUses
    report: Report

    @property
    def plugins_only(self) -> bool:
        """Whether nothing but plugins stands in the way."""
        return all(error.kind is Kind.PLUGIN for error in self.errors)


def parse(text: str, path: str, plugins: Plugins, *, lenient: bool = False) -> HouseConfig:
    """The config in `text`. Raises ConfigErrors with every error at once; `path` is what they call the file.

    `lenient`: plugins that are missing or fail are no errors; their connections are listed as `unavailable` and their
    parts left out, so that one broken plugin doesn't stop the others from protecting the house.
    """
    parsed = examine(text, path, plugins)
    if parsed.house is not None and (not parsed.errors or (lenient and parsed.plugins_only)):
        return parsed.house
    raise ConfigErrors(path, parsed.errors)


def examine(text: str, path: str, plugins: Plugins) -> Parsed:
    """As `parse`, but hands out what it found."""
    report = Report(path, {})
    if len(text) > LIMIT:
        report.add((), Kind.SYNTAX, found=f"{len(text)} characters", expected=f"a config of at most {LIMIT}")
        return _done(report, None, {})
    try:
        raw = tomli.loads(text)
    except (tomli.TOMLDecodeError, RecursionError, ValueError) as error:
        _syntax(report, error, text.rstrip().count("\n") + 1)
        return _done(report, None, {})
    report.lines = lines_of(text)
    finite(report, (), raw)
    reading = _Reading(Table(report, (), raw), plugins)
    house = reading.house()
    return _done(report, house, reading.connections.secrets)


def _done(report: Report, house: HouseConfig | None, secrets: SecretUses) -> Parsed:
    return Parsed(house, tuple(report.errors.values()), secrets, report)


def _syntax(report: Report, error: Exception, last_line: int) -> None:
    text, deep = str(error), isinstance(error, RecursionError)
    found = re.search(r"\(at line (\d+), column (\d+)\)", text)
    if found:
        report.lines = {(): int(found[1])}
    elif "at end of document" in text:
        report.lines = {(): last_line}
    what = "brackets within brackets without end" if deep else safe(re.sub(r" \(at [^()]*\)$", "", text), 200)
    cure = ""
    if "overwrite" in text or "twice" in text or "already" in text:
        cure = "the same name stands there twice; rename or remove one"
    elif "Invalid value" in text:
        cure = 'texts go in "quotes"; true, false and numbers don\'t'
    report.add((), Kind.SYNTAX, found=what, expected="a text that is TOML", cure=cure)


@dataclass(frozen=True, kw_only=True)
class _Grid:
    sources: tuple[str, ...]
    poll_s: float
    confirm_s: float
    settle_s: float
    ignore_intentional: bool


class _Reading:
    """One pass over the file."""

    def __init__(self, top: Table, plugins: Plugins) -> None:
        self.top, self.plugins, self.report = top, plugins, top.report
        self.connections = Connections(self.report, plugins)

    def house(self) -> HouseConfig | None:
        """None where the rest can't be told without a version that we know."""
        if not self._version():
            return None
        self.connections.read(self.top)
        good, lost = self.connections.good, self.connections.unavailable
        provides = {part: can for one in good.values() for part, can in one.parts.items()}
        parts = Parts(self.report, provides, self.connections.broken)
        grid = self._grid(parts)
        shedding = Shedding(self.top, parts)
        shedding.read()
        timing = self._timing(grid)
        battery = BatteryTable(self.top, parts, self._type, grid.sources).read()
        where, tariff = place(self.top), Tariffs(self.top, parts, battery.site).read()
        mail = Mail(self.top, parts)
        notifiers, reports = mail.notifiers(), mail.reports()
        beat = beats.read(mail.mail)
        if isinstance(beat.heartbeat, Secret):
            self.connections.secrets["mail", "heartbeat"] = beat.heartbeat.secret
        mail.close()
        climate = ClimateTable(self.top, parts, tariff).read()
        self.top.close()
        house = HouseConfig(
            policy=Policy(
                parts={part: self._part(part, parts, shedding) for part in parts.all(MOVED)},
                tiers=shedding.tiers,
                never_shed=shedding.never_shed,
                keeps=tuple(shedding.keeps),
                timing=timing,
                battery=battery.policy,
                site=battery.site,
                place=where,
                tariff=tariff,
                climate=climate,
                ignore_intentional=grid.ignore_intentional,
                reports=reports,
            ),
            connections=(*good.values(), *(ConnectionConfig(id=one.id, type=one.type, table={}) for one in lost)),
            grid_sources=grid.sources,
            meters=battery.meters,
            meter_fresh_s=dict(battery.fresh_s),
            notifiers=notifiers,
            heartbeat=beat.heartbeat,
            heartbeat_every_s=beat.every_s,
            grid_poll_s=grid.poll_s,
            meter_poll_s=battery.poll_s,
            titles=shedding.titles,
            unavailable=tuple(lost),
        )
        return replace(house, digest=_digest(house))

    def _version(self) -> bool:
        """Whether the rest can be read: with no version we take it for ours, and report it."""
        version = self.top.look("version")
        if version == VERSION and type(version) is int:
            return True
        if version is None:
            found, cure = "no such key", f"write version = {VERSION} as the first line"
        else:
            newer = type(version) is int and version > VERSION
            found, cure = shown(version), "update pimgr" if newer else f"write version = {VERSION}"
        self.report.add(("version",), Kind.MISSING, found=found, expected=f"version = {VERSION}", cure=cure)
        return version is None

    def _grid(self, parts: Parts) -> _Grid:
        grid = self.top.table("grid")
        sources = parts.several(grid, "sources", SOURCE)
        if not grid.raw.get("sources"):
            fitting = parts.all(SOURCE)
            cure = f'write sources = ["{fitting[0]}"]' if fitting else ""
            key = grid.path("sources")
            self.report.add(
                key, Kind.MISSING, found="none", expected="at least one grid source under [grid]", cure=cure
            )
        found = _Grid(
            sources=sources or (),
            poll_s=grid.get("poll", duration(0.1, 60.0, "2s"), 2.0),
            confirm_s=grid.get("confirm", duration(0.0, 600.0, "4s"), 4.0),
            settle_s=grid.get("settle", duration(0.0, 86400.0, "5min"), 300.0),
            ignore_intentional=grid.get("intentional", choice("outage", "ignore"), "outage") == "ignore",
        )
        grid.close()
        return found

    def _timing(self, grid: _Grid) -> Timing:
        restore = self.top.table("restore")
        stagger_s = restore.get("stagger", duration(0.0, 600.0, "5s"), 5.0)
        above = restore.get("above", PERCENT, 0.0)
        restore.close()
        return Timing(
            confirm_s=grid.confirm_s,
            settle_s=grid.settle_s,
            stagger_s=stagger_s,
            restore_charge=Percent(above),
            max_gap_s={source: self._max_gap_s(source, grid.poll_s) for source in grid.sources},
        )

    def _type(self, part: str) -> DeviceType[object]:  # type: ignore[type-var]
        return self.plugins.types[self.connections.good[part.partition("/")[0]].type]

    def _max_gap_s(self, source: str, grid_poll_s: float) -> float:
        kind = self._type(source)
        if kind.cloud:
            return CLOUD_GAP_S
        poll_s = max(kind.poll_s.get(Capability.GRID_SOURCE, grid_poll_s), kind.floor_s)
        return max(5.0, 3.0 * poll_s)

    def _part(self, part: str, parts: Parts, shedding: Shedding) -> PartPolicy:
        kind = self._type(part)
        can = parts.provides[part]
        capability = next(c for c in ASPECTS if c in can)
        poll_s = rates.poll_s(capability, dict(kind.poll_s), kind.cloud)
        extra = shedding.loads.get(part)
        policy = PartPolicy(
            aspect=ASPECTS[capability],
            origin=self.connections.good[part.partition("/")[0]].origin,
            fresh_s=max(60.0, 2.0 * poll_s),
            title=shedding.titles.get(part, ""),
            enforce=extra.enforce if extra else False,
            witness=extra.witness if extra else None,
            shed_to=extra.shed_to if extra else 0.0,
            calls_off=kind.calls_off,
            watts=extra.watts if extra else None,
            min_off_s=extra.min_off_s if extra else 0.0,
        )
        return shedding.machines.onto(part, policy)


def _digest(house: HouseConfig) -> str:
    return hashlib.sha256(msgspec.json.encode(house, order="deterministic")).hexdigest()[:16]
