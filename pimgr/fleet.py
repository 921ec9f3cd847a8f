"""All connections of the house: which run, which part belongs to which, and what changes when the config does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

from pimgr.api import Capability, Storable, Store
from pimgr.board import Board
from pimgr.config import ConfigErrors, ConnectionConfig, HouseConfig, typed
from pimgr.connections import ConnectionTask, Device, Watcher
from pimgr.context import HostContext, Surroundings
from pimgr.counting import DryStores
from pimgr.journal import ConnectionStore, Journal, NotStored
from pimgr.plugins import Plugins, plugin_of
from pimgr.rates import Schedule, poll_s
from pimgr.reads import readable
from pimgr.snapshot import ConnectionLine
from pimgr.text import safe

log = logging.getLogger(__name__)

RESTART_S = 5.0


@dataclass(kw_only=True)
class Ground:
    """What every connection stands on."""

    board: Board
    journal: Journal
    around: Surroundings
    watcher: Watcher
    importer: Executor
    not_stored: Callable[[str, str], None]
    """Told the connection and the key of a value that is in memory only."""
    dry: DryStores | None = None
    """In a dry run: what it puts is not kept, and so a token that serves once is not spent."""


@dataclass
class _Store:
    """A connection's store, without the disk's troubles: those are ours to tell, and no reason for a device to fail."""

    connection: str
    kept: ConnectionStore
    not_stored: Callable[[str, str], None]

    def get(self, key: str) -> Storable:
        return self.kept.get(key)

    async def put(self, key: str, value: Storable) -> bool:
        try:
            await self.kept.put(key, value)
        except NotStored:
            self.not_stored(self.connection, key)
            return False
        return True


@dataclass
class _Running:
    config: ConnectionConfig
    task: ConnectionTask
    runner: asyncio.Task[None]


class Fleet:
    """Starts, stops and finds connections. `tasks`: by part address; the dispatcher and the mailer read it."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.tasks: dict[str, ConnectionTask] = {}
        self._running: dict[str, _Running] = {}
        self._missing: dict[str, ConnectionLine] = {}
        self._rates: dict[Capability, float] = {}

    async def apply(
        self, wanted: Iterable[ConnectionConfig], plugins: Plugins, config: HouseConfig, banned: Mapping[str, str]
    ) -> None:
        """Run exactly these connections: unchanged ones go on undisturbed, changed ones are closed and opened anew.

        `banned`: plugins that are left out, with the reason.
        """
        wanted, rates = (
            list(wanted),
            {
                Capability.GRID_SOURCE: config.grid_poll_s,
                Capability.SITE_METER: config.meter_poll_s,
            },
        )
        same = {c.id for c in wanted if c.id in self._running and self._running[c.id].config == c}
        keep = {c.id for c in wanted if c.id in same and (rates == self._rates or not _rated(c))} - {
            c.id for c in wanted if plugin_of(c.type) in banned
        }
        self._rates = rates
        # Before anything is awaited: a request to a task that is being stopped would never be answered.
        self._find({id: r for id, r in self._running.items() if id in keep})
        changed = {part for id, r in self._running.items() if id not in same for part in _parts(r)}
        await self._stop([id for id in self._running if id not in keep])
        # What is called as before may be another device now: nothing that the old one said holds for it.
        self.ground.board.forget_all_but({part for c in wanted for part in c.parts} - changed)
        self._missing = {
            u.id: ConnectionLine(id=u.id, type=u.type, health="not loaded", reason=u.reason) for u in config.unavailable
        }
        for connection in wanted:
            if plugin_of(connection.type) in banned:
                self._miss(connection, banned[plugin_of(connection.type)])
            elif connection.id not in keep:
                self._start(connection, plugins, rates)
        self._find(self._running)

    def _find(self, running: Mapping[str, _Running]) -> None:
        self.tasks.clear()
        self.tasks.update({part: r.task for r in running.values() for part in _parts(r)})

    async def close(self) -> None:
        await self._stop(list(self._running))

    def look(self, parts: set[str], quick: bool) -> None:
        """Pass on which parts are wanted soon, and whether the grid is to be polled fast."""
        for running in self._running.values():
            if running.task.schedule.quick != quick:
                running.task.schedule.quick = quick
                running.task.nudge()
            running.task.look(parts)

    @property
    def ids(self) -> tuple[str, ...]:
        """Every connection there is, running or not."""
        return (*self._running, *self._missing)

    def lines(self) -> tuple[ConnectionLine, ...]:
        """How each connection is doing."""
        lines = [
            ConnectionLine(
                id=id,
                type=r.config.type,
                health=r.task.health.state,
                reason=r.task.health.reason,
                since=r.task.health.since,
            )
            for id, r in self._running.items()
        ]
        return tuple(lines) + tuple(self._missing.values())

    # ------------------------------------------------------------------------------------------------------- inside

    def _start(self, config: ConnectionConfig, plugins: Plugins, rates: dict[Capability, float]) -> None:
        type_ = plugins.types.get(config.type)
        if type_ is None:
            self._miss(config, plugins.reason(config.type))
            return
        try:
            own = typed(config, plugins)
        except ConfigErrors as errors:
            self._miss(config, str(errors))
            return
        ground = self.ground
        store: Store = _Store(config.id, ground.journal.store(config.id), ground.not_stored)
        if ground.dry is not None:
            store = ground.dry.store(config.id, type_)
        context = HostContext(config.id, store, ground.around)
        provides = {key: frozenset(what) for key, what in config.provides.items()}
        device = Device(
            id=config.id, type=type_, config=own, provides=provides, context=context, importer=ground.importer
        )
        slots = {
            (device.part(key), capability): poll_s(
                capability, {**({} if type_.cloud else rates), **type_.poll_s}, type_.cloud
            )
            for key, what in provides.items()
            for capability in readable(what)
        }
        schedule = Schedule(slots, lambda: ground.around.clock.now().mono_s, type_.floor_s)
        task = ConnectionTask(device, ground.board, ground.watcher, schedule)
        self._running[config.id] = _Running(config, task, asyncio.create_task(self._run(task), name=config.id))

    def _miss(self, config: ConnectionConfig, reason: str) -> None:
        reason = safe(reason)
        log.error("%s: not loaded (%s)", config.id, reason)
        self._missing[config.id] = ConnectionLine(id=config.id, type=config.type, health="not loaded", reason=reason)

    async def _run(self, task: ConnectionTask) -> None:
        """Keep one connection going: whatever breaks in it stays in it."""
        while True:
            try:
                await task.run()
            except Exception:
                log.exception("%s: its task failed, starting it again", task.device.id)
            await asyncio.sleep(RESTART_S)

    async def _stop(self, ids: list[str]) -> None:
        runners = [self._running.pop(id).runner for id in ids]
        for runner in runners:
            runner.cancel()
        if runners:
            await asyncio.wait(runners, timeout=5.0)


def _parts(running: _Running) -> list[str]:
    return [running.task.device.part(key) for key in running.config.provides]


def _rated(connection: ConnectionConfig) -> bool:
    """Whether the config's own rates of polling concern it."""
    return any({Capability.GRID_SOURCE, Capability.SITE_METER} & set(can) for can in connection.provides.values())
