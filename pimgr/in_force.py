"""The config and the plugins in force: read at start, and again for a reload; what is owed keeps its plugins too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pimgr import config as configs
from pimgr import plugins as plugin_loading
from pimgr.api import Now
from pimgr.config import ConnectionConfig, HouseConfig
from pimgr.journal import Journal
from pimgr.plugins import Plugins, PluginStatus, plugin_of
from pimgr.stall import switched_off
from pimgr.worries import Worry


@dataclass(frozen=True)
class Reading:
    """What was read, and what a person must be told about it ("" if nothing)."""

    plugins: Plugins
    config: HouseConfig
    problem: str = ""


class InForce:
    """`plugins` and `config` change together, by `take`."""

    def __init__(self, file: Path, state: Path, extra: Mapping[str, object], journal: Journal) -> None:
        self.file, self.state, self.extra, self.journal = file, state, extra, journal
        self.plugins = Plugins()
        self.config = HouseConfig()
        self.held: dict[str, Worry] = {}

    def take(self, reading: Reading) -> None:
        self.plugins, self.config = reading.plugins, reading.config

    def at_start(self) -> Reading:
        """The config file, or the last valid one. Raises ConfigErrors where there is none."""
        plugins = self._load_plugins()
        config, problem = configs.load_or_last_valid(self.file, self.state, plugins)
        return Reading(plugins, config, problem or "")

    def again(self) -> Reading:
        """The config file as it is now. Raises ConfigErrors where it isn't valid."""
        plugins = self._load_plugins()
        text = configs.read(self.file)
        config = configs.parse(text, str(self.file), plugins)
        try:
            configs.keep_valid(text, self.state)
        except OSError as error:
            return Reading(plugins, config, f"it could not be kept as the last valid one: {error.strerror}")
        return Reading(plugins, config)

    def _load_plugins(self) -> Plugins:
        """The plugins that the config names, and those that an owed claim needs."""
        owed = {claim.origin.type for claim in self.journal.state.claims + self.journal.state.questions}
        named = {plugin_of(type_) for type_ in configs.types_named(self.file, self.state) | owed}
        return plugin_loading.load(named, self.extra)

    def connections(self) -> list[ConnectionConfig]:
        """Those of the config, and those of parts that left it and are still owed something.

        Where a connection changed, what it was when something was taken stays in force until that is given back: the
        new one may be another device. `held` tells of these.
        """
        claims = self.journal.state.claims + self.journal.state.questions
        origins = {c.origin.connection: c.origin for c in reversed(claims)}  # the oldest claim's
        same = {c.id for c in self.config.connections if c.id in origins and c.origin == origins[c.id]}
        kept = {id: configs.connection_from_origin(o, self.plugins) for id, o in origins.items() if id not in same}
        self.held = {}
        for id in [c.id for c in self.config.connections if c.id in kept]:
            owed = ", ".join(c.part for c in claims if c.origin.connection == id)
            text = f"The old settings stay in force for it until that is given back, or `pimgr forget {owed}`."
            self.held[f"held {id}"] = (f"{id} changed in the config while {owed} is owed", text)
        return [*(c for c in self.config.connections if c.id not in kept), *kept.values()]

    def banned(self, now: Now) -> dict[str, str]:
        """Plugins that hung the box twice within an hour, with where; never one that a grid source needs."""
        sources = {c.type for c in self.config.connections if set(c.parts) & set(self.config.grid_sources)}
        needed = {plugin_of(type_) for type_ in sources}
        return {p: why for p, why in switched_off(self.state, now.wall).items() if p not in needed}

    def budgets(self, connection: str) -> tuple[str, ...]:
        """The keys in its store that count what its account or device bears; none for one that isn't configured."""
        types = [c.type for c in self.connections() if c.id == connection]
        return self.plugins.types[types[0]].budgets if types and types[0] in self.plugins.types else ()

    def notifiers(self) -> tuple[str, ...] | None:
        """Who carries messages; None while that isn't known, since a plugin is missing that may."""
        return self.config.notifiers or (None if self.config.unavailable else ())

    def broken(self) -> dict[str, Worry]:
        """The plugins that don't load."""
        return {
            f"plugin {r.name}": (f"The plugin {r.name} does not load", r.reason)
            for r in self.plugins.records
            if r.status is PluginStatus.FAILED
        }
