"""The connections of the config: which plugin each needs, its typed config, and what its parts can do."""

from __future__ import annotations

import logging
import re
from typing import Any

import msgspec

from pimgr.api import Capability, Config, DeviceType, Frozen, replace
from pimgr.config.errors import ConfigErrors, Key, Kind, Report, listed, shown
from pimgr.config.fields import IDENTIFIER, TEXT, Table
from pimgr.config.typed import SecretUses, Typing
from pimgr.plugins import Plugins, PluginStatus, plugin_of
from pimgr.policy.model import Origin
from pimgr.text import did_you_mean, safe

log = logging.getLogger(__name__)

_PART_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LARGEST = 2**53
"""Whole numbers beyond it aren't the same in every program that may read them."""

OFFICIAL = ("apprise", "gmail", "honeywell", "kasa", "powerwall", "ssh-host", "tuya", "weather", "windows-host")
"""The plugins of this project."""


class ConnectionConfig(Frozen, kw_only=True):
    """One connection: `table` as in the file without `type` (secret references only); `provides` by part key ("", "3").

    Nothing is provided where that isn't known: its plugin isn't there, or doesn't work.
    """

    id: str
    type: str
    table: dict[str, Any]
    provides: dict[str, tuple[Capability, ...]] = msgspec.field(default_factory=dict)

    @property
    def parts(self) -> dict[str, tuple[Capability, ...]]:
        """What it provides by part address: `strip/3`."""
        return {address(self.id, key): can for key, can in self.provides.items()}

    @property
    def origin(self) -> Origin:
        """What is kept with a claim, so that the part can be opened though it left the config."""
        return Origin(self.id, self.type, self.table)


class Unavailable(Frozen, kw_only=True):
    """A connection that can't be opened, since its plugin isn't there or doesn't work. The rest goes on."""

    id: str
    type: str
    reason: str


def address(connection: str, part_key: str) -> str:
    """What a part is called in the house: `gateway`, `strip/3`."""
    return f"{connection}/{part_key}" if part_key else connection


class Connections:
    """Reads connections. `broken`: those with errors, whose parts aren't known and so aren't asked for twice."""

    def __init__(self, report: Report, plugins: Plugins) -> None:
        self.report, self.plugins = report, plugins
        self.good: dict[str, ConnectionConfig] = {}
        self.broken: set[str] = set()
        self.unavailable: list[Unavailable] = []
        self.secrets: SecretUses = {}

    def read(self, top: Table) -> None:
        if "connections" not in top:
            top.table("connections")
            expected = 'at least one table such as [connections.gateway] with type = "powerwall.gateway"'
            self.report.add(("connections",), Kind.MISSING, found="no such table", expected=expected)
            return
        for name, table in top.each("connections"):
            before = len(self.report.errors)
            if not IDENTIFIER.fullmatch(name):
                expected = 'a short name in small letters, digits, "-" and "_", such as [connections.pool-pump]'
                cure = (
                    f"[connections.{near}]" if IDENTIFIER.fullmatch(near := re.sub(r"[ .]+", "-", name.lower())) else ""
                )
                self.report.add(table.key, Kind.VALUE, found=shown(name), expected=expected, cure=cure)
            found = self._connection(name, table)
            if found is None or len(self.report.errors) > before:
                self.broken.add(name)
            else:
                self.good[name] = found

    def _connection(self, name: str, table: Table) -> ConnectionConfig | None:
        type_name = table.need("type", TEXT, None)
        _plain(self.report, table.key, table.raw)
        if type_name is None:
            return None
        kind = self.plugins.types.get(type_name)
        if kind is None:
            self._no_type(name, type_name, table)
            return None
        raw = {key: value for key, value in table.raw.items() if key != "type"}
        typing = Typing(self.report)
        typed = typing.struct(table.key, raw, kind.config)
        self.secrets |= typing.secrets
        if typed is None:
            return None
        provides = self._provides(kind, typed, table.key)
        return None if provides is None else ConnectionConfig(id=name, type=type_name, table=raw, provides=provides)

    def _provides(self, kind: DeviceType[Any], typed: Config, key: Key) -> dict[str, tuple[Capability, ...]] | None:
        try:
            return provided(kind, typed)
        except Exception as error:
            fact = f"{type(error).__name__}: {safe(str(error), 200)}"
            expected = f"that its plugin can tell its parts, but it failed: {fact}"
            self.report.add(key, Kind.PLUGIN, expected=expected, cure=f"update pimgr-{plugin_of(kind.name)}")
            self.unavailable.append(Unavailable(id=str(key[-1]), type=kind.name, reason=f"its plugin failed: {fact}"))
            return None

    def _no_type(self, name: str, type_name: str, table: Table) -> None:
        """Say why there is no such device type: a slip of the pen, or a plugin that isn't there or doesn't work."""
        plugin = plugin_of(type_name)
        record = self.plugins.record(plugin)
        if record is not None and record.status is PluginStatus.LOADED:
            mine = sorted(record.types)
            cure = did_you_mean(type_name, mine) or f"{safe(plugin)} has {listed(mine)}"
            table.wrong("type", expected="a device type that is installed", cure=cure)
            return
        if record is not None and record.status is PluginStatus.FAILED:
            reason = safe(record.reason, 300)
            expected = f"that the plugin {safe(plugin, 40)} works, but it didn't load: {reason}"
            cure = f"repair or update {safe(record.distribution, 60)}"
        else:
            reason = f"the plugin {safe(plugin, 40)} is not installed"
            expected = "a device type of an installed plugin"
            near = did_you_mean(plugin, [*OFFICIAL, *map(plugin_of, self.plugins.types)])
            added = safe(plugin, 40) if plugin in OFFICIAL else "PACKAGE==VERSION"
            cure = near or f"`sudo pimgr plugin add {added}`"
        table.wrong("type", expected=expected, cure=cure, kind=Kind.PLUGIN)
        self.unavailable.append(Unavailable(id=name, type=safe(type_name, 60), reason=reason))


def provided(kind: DeviceType[Any], typed: Config) -> dict[str, tuple[Capability, ...]]:
    """What each part can do, by part key. Raises ValueError where the plugin's answer breaks the contract."""
    told: dict[str, tuple[Capability, ...]] = {}
    for key, capabilities in kind.provides(typed).items():
        if key and not _PART_KEY.fullmatch(key):
            raise ValueError(f"a part can't be called {key!r}")
        told[key] = tuple(sorted(Capability(one) for one in capabilities))
    if not told:
        raise ValueError("it told no parts")
    return told


def _plain(report: Report, key: Key, value: object) -> None:
    """Report what no connection's table may hold, since it wouldn't come back from the journal as it went in."""
    match value:
        case dict():
            for name, item in value.items():
                _plain(report, (*key, name), item)
        case list():
            for index, item in enumerate(value):
                _plain(report, (*key, index), item)
        case int() if abs(value) > _LARGEST:
            report.add(key, Kind.VALUE, found=shown(value), expected="a number of a sensible size")
        case str() | bool() | int() | float():
            pass
        case _:
            report.add(key, Kind.VALUE, found=shown(value), expected="a text; dates and times go in quotes")


def typed(connection: ConnectionConfig, plugins: Plugins) -> Config:
    """The config struct that the device type's `open` takes. Raises ConfigErrors: a stored one may be outdated."""
    report = Report(f"the config of {connection.id}", {})
    key: Key = ("connections", connection.id)
    kind = plugins.types.get(connection.type)
    if kind is None:
        report.add((*key, "type"), Kind.PLUGIN, found=shown(connection.type), expected=plugins.reason(connection.type))
    else:
        struct = Typing(report).struct(key, connection.table, kind.config)
        if struct is not None:
            return struct
    raise ConfigErrors(report.path, report.errors.values())


def connection_from_origin(origin: Origin, plugins: Plugins) -> ConnectionConfig:
    """A connection that may have left the config, as a claim knows it; it provides nothing if it can't be opened."""
    connection = ConnectionConfig(id=origin.connection, type=origin.type, table=dict(origin.table))
    try:
        provides = provided(plugins.types[origin.type], typed(connection, plugins))
    except Exception:
        log.debug("%s can't be opened", origin.connection, exc_info=True)
        return connection
    return replace(connection, provides=provides)
