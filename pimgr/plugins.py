"""The plugins of this house: found, imported and asked for their device types, one by one: none stops another."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import Any

import msgspec

from pimgr import api, installs
from pimgr.api import DeviceType, Frozen
from pimgr.installs import Added

log = logging.getLogger(__name__)

HOOK = "pimgr_device_types"
_SHARED = frozenset({"", "pimgr", "asyncio", "contextlib", "functools", "builtins", "__main__"})
_TYPE_NAME = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)+")


class PluginStatus(StrEnum):
    """`skipped`: installed, but nothing in this house asks for it."""

    LOADED = "loaded"
    FAILED = "failed"
    SKIPPED = "skipped"


class PluginRecord(Frozen, kw_only=True):
    """What became of one plugin. `reason`: why it isn't loaded; `types`: the device types that it brought.

    `added`: it came by `pimgr plugin add`, not with this release.
    """

    name: str
    distribution: str
    version: str
    status: PluginStatus
    reason: str = ""
    types: tuple[str, ...] = ()
    added: bool = False


@dataclass(frozen=True)
class Plugins:
    """Every device type that can be opened, by its name in the config, and what became of every plugin, by name."""

    types: Mapping[str, DeviceType[Any]] = field(default_factory=dict)
    records: tuple[PluginRecord, ...] = ()

    def record(self, name: str) -> PluginRecord | None:
        """The plugin of that name; where two claim it, the one that is loaded."""
        found = [record for record in self.records if record.name == name]
        return min(found, key=lambda record: record.status is not PluginStatus.LOADED, default=None)

    def reason(self, device_type: str) -> str:
        """Why there is no such device type."""
        plugin = plugin_of(device_type)
        record = self.record(plugin)
        if record is None:
            return f"the plugin {plugin} is not installed"
        if record.status is PluginStatus.LOADED:
            return f"the plugin {plugin} has no {device_type}, only {', '.join(record.types)}"
        return f"the plugin {plugin} didn't load: {record.reason}"

    def packages(self) -> dict[str, str]:
        """Top-level package to the plugin whose code it is: its own and, where no other uses them, its vendor's."""
        owners: dict[str, set[str]] = {}
        for kind in self.types.values():
            own = getattr(kind.open, "__module__", None) or ""
            for module in (own, kind.config.__module__, *kind.vendor_modules):
                owners.setdefault(module.partition(".")[0], set()).add(plugin_of(kind.name))
        return {package: min(names) for package, names in owners.items() if len(names) == 1 and package not in _SHARED}


def plugin_of(device_type: str) -> str:
    """The name of the plugin that a device type belongs to: "kasa" of "kasa.plug"."""
    return device_type.partition(".")[0]


def load(only: Collection[str] | None = None, extra: Mapping[str, object] | None = None) -> Plugins:
    """Load the installed plugins, or `only` those of these names; the others are found but not imported.

    `extra`: modules (or objects) with the hook, by plugin name, that stand in for installed ones of the same name.
    What was added beside the release is loaded last, and only if it is still what was allowed.
    Never raises for what a plugin does: that is its record's `reason`. No vendor library is imported.
    """
    extra = extra or {}
    added = installs.look(installs.folder())
    loading = _Loading()
    for name, module in sorted(extra.items()):
        loading.add(_Source(name, "in this process", "", lambda module=module: module), wanted=True)  # type: ignore[misc]
    for source in sorted(_installed(added), key=lambda source: (source.added, source.name, source.distribution)):
        if source.name not in extra:
            loading.add(source, wanted=only is None or source.name in only)
    return Plugins(dict(sorted(loading.types.items())), tuple(sorted(loading.records, key=lambda record: record.name)))


@dataclass(frozen=True)
class _Source:
    name: str
    distribution: str
    version: str
    get: Callable[[], object]
    added: bool = False


class _Rejected(Exception):
    """A plugin broke a rule of the contract; its text says which, and the cure."""


class _Loading:
    """One round of loading. Names and types belong to who came first."""

    def __init__(self) -> None:
        self.types: dict[str, DeviceType[Any]] = {}
        self.records: list[PluginRecord] = []
        self._owners: dict[str, str] = {}
        self._manager = api.plugin_manager()

    def add(self, source: _Source, *, wanted: bool) -> None:
        types: tuple[DeviceType[Any], ...] = ()
        status, reason = PluginStatus.SKIPPED, "no connection in the config needs it"
        if wanted:
            try:
                types = self._types_of(source)
                status, reason = PluginStatus.LOADED, ""
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # even sys.exit(): a plugin stops itself, and no other
                log.debug("plugin %s failed", source.name, exc_info=True)
                status, reason = PluginStatus.FAILED, _reason(error)
        self.types |= {kind.name: kind for kind in types}
        names = tuple(sorted(kind.name for kind in types))
        self.records.append(
            PluginRecord(
                name=source.name,
                distribution=source.distribution,
                version=source.version,
                status=status,
                reason=reason,
                types=names,
                added=source.added,
            )
        )

    def _types_of(self, source: _Source) -> tuple[DeviceType[Any], ...]:
        owner = self._owners.setdefault(source.name, source.distribution)
        if owner != source.distribution:
            raise _Rejected(f'{owner} already brings a plugin called "{source.name}"; uninstall one of the two')
        kinds = self._call(source.name, source.get())
        for kind in kinds:
            self._check(source.name, kind)
        twice = {kind.name for kind in kinds if [k.name for k in kinds].count(kind.name) > 1} | (
            self.types.keys() & {kind.name for kind in kinds}
        )
        if twice:
            raise _Rejected(f"the device type {min(twice)} is there twice")
        return kinds

    def _call(self, name: str, module: object) -> tuple[DeviceType[Any], ...]:
        self._manager.register(module, name)
        for implementation in self._manager.hook.pimgr_device_types.get_hookimpls():
            if implementation.plugin is module:
                kinds: Any = implementation.function()
                return tuple(kinds)
        raise _Rejected(f"it has no hook {HOOK}, so it brings no devices")

    @staticmethod
    def _check(plugin: str, kind: object) -> None:
        if not isinstance(kind, DeviceType):
            raise _Rejected(f"its hook gave a {type(kind).__name__} where a DeviceType belongs")
        if not kind.name.startswith(f"{plugin}.") or not _TYPE_NAME.fullmatch(kind.name):
            raise _Rejected(f'its device type "{kind.name}" should be called "{plugin}.SOMETHING"')
        oldest, newest = kind.api
        if not oldest <= api.VERSION <= newest:
            cure = f"update pimgr-{plugin}" if newest < api.VERSION else "update pimgr"
            spoken = f"{oldest}" if oldest == newest else f"{oldest} to {newest}"
            raise _Rejected(f"{kind.name} speaks contract version {spoken}, this pimgr speaks {api.VERSION}; {cure}")
        config: object = kind.config
        if not (isinstance(config, type) and issubclass(config, api.Config)):
            raise _Rejected(f"the config of {kind.name} isn't an api.Config")
        msgspec.inspect.type_info(kind.config)


def _installed(added: Added) -> Iterator[_Source]:
    """Every entry point of the group. A distribution whose metadata can't be read brings none."""
    site = str(added.generation.site) if added.generation is not None else None
    seen: set[str] = set()
    for distribution in (*distributions(path=[entry for entry in sys.path if entry != site]), *added.distributions):
        try:
            name, version = distribution.name, distribution.version
            if not name or name in seen:
                continue
            seen.add(name)
            for entry in _entries(distribution):
                get = partial(_admitted, entry, added) if distribution in added.distributions else entry.load
                yield _Source(entry.name, name, version or "", get, distribution in added.distributions)
        except Exception:
            log.debug("a distribution's metadata can't be read: %r", distribution, exc_info=True)


def _entries(distribution: Distribution) -> list[EntryPoint]:
    return [entry for entry in distribution.entry_points if entry.group == api.GROUP]


def _admitted(entry: EntryPoint, added: Added) -> object:
    """An added plugin. Raises _Rejected where it isn't, or is no longer, what was allowed."""
    if reason := added.reason(entry.dist.name if entry.dist else ""):
        raise _Rejected(reason)
    added.enter()
    return entry.load()


def _reason(error: BaseException) -> str:
    """One line for `pimgr plugin list`: what happened and, for a plugin's own error, where."""
    if isinstance(error, _Rejected):
        return " ".join(str(error).split())
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"it needs the Python module {error.name}, which is not installed"
    text = " ".join(f"{error}".split())
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    where = f" ({last.tb_frame.f_code.co_filename}:{last.tb_lineno})" if last is not None else ""
    return f"{type(error).__name__}{': ' if text else ''}{text}{where}"
