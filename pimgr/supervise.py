"""`pimgr run`: puts everything together, keeps it together, and takes it down cleanly with everything still owed on record."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import signal
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pimgr import config as configs
from pimgr import plugins as plugin_loading
from pimgr import snapshot
from pimgr.api import Instant, Now, Severity
from pimgr.board import CLOUD_GAP_S, Board
from pimgr.clock import Clock, SystemClock
from pimgr.compose import compose
from pimgr.config import ConfigErrors, ConnectionConfig, HouseConfig
from pimgr.control import Control, Reply, Request
from pimgr.dispatch import Dispatcher, Fence
from pimgr.fleet import Fleet, Ground
from pimgr.journal import AlreadyRunning, Journal, NewerJournal, Record
from pimgr.loop import Loop, Wiring
from pimgr.mailer import Mailer
from pimgr.notify import Systemd
from pimgr.plugins import Plugins, plugin_of
from pimgr.policy.claims import resume
from pimgr.policy.model import Decision, Forget, GiveBack, Inputs, Notice
from pimgr.stall import StallWatch, switched_off
from pimgr.telemetry import Telemetry
from pimgr.text import safe
from pimgr.worker import Worker

log = logging.getLogger(__name__)

PROBE_S = 30.0
MEASURE_S = 60.0
EXIT_OK, EXIT_DIED, EXIT_RUNNING, EXIT_CONFIG = 0, 70, 75, 78


@dataclass(frozen=True, kw_only=True)
class Options:
    """Where things are. `extra`: plugins given in-process, by name, for rehearsals and tests."""

    config: Path
    state: Path
    run: Path
    dry_run: bool = False
    extra: Mapping[str, object] = field(default_factory=dict)
    clock: Clock | None = None


def run(options: Options) -> int:
    """Run until told to stop; gives the exit status."""
    faulthandler.enable()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if not options.dry_run:
        return asyncio.run(_run(options))
    with tempfile.TemporaryDirectory(prefix="pimgr-dry-run-") as folder:
        log.info("dry run: nothing is switched, mailed or recorded; what would happen is printed here")
        return asyncio.run(_run(replace(options, state=Path(folder), run=Path(folder))))


async def _run(options: Options) -> int:
    for folder in (options.state, options.run):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        journal = await Journal.open(options.state, options.run)
    except AlreadyRunning as error:
        log.error("%s", error)
        return EXIT_RUNNING
    except NewerJournal as error:
        log.error("%s", error)
        return EXIT_CONFIG
    try:
        supervisor = Supervisor(options, journal)
        try:
            await supervisor.prepare()
        except ConfigErrors as errors:
            log.error("%s", errors)
            return EXIT_CONFIG
        return await supervisor.run()
    finally:
        await journal.close()


class Supervisor:
    """One run of pimgr: the house as configured, and the tasks that must not die."""

    def __init__(self, options: Options, journal: Journal) -> None:
        self.options, self.journal = options, journal
        self.clock = options.clock or SystemClock()
        self.importer = Worker("imports")
        self.systemd = Systemd(self.clock)
        self.telemetry = Telemetry(options.state)
        self.trouble: dict[str, str] = {f"journal {n}": note for n, note in enumerate(journal.notes)}
        self.plugins = Plugins()
        self.config = HouseConfig()
        self.board = Board(self.clock)
        self.decided: tuple[Now, Inputs, Decision] | None = None
        self._measured: Instant | None = None
        self.stop = asyncio.Event()
        self._errands: set[asyncio.Future[object]] = set()

    # ------------------------------------------------------------------------------------------------------ start

    async def prepare(self) -> None:
        """Read the config (or the last valid one) and put the tasks together. Raises ConfigErrors when there is none."""
        options = self.options
        self.plugins = self._load_plugins()
        self.config, problem = configs.load_or_last_valid(options.config, options.state, self.plugins)
        if problem:
            self._worry("config", "The config is invalid; the last valid one is in force", problem)
        secrets = configs.Secrets(configs.secrets_folder(options.config))
        fence = Fence(closed=options.dry_run)
        self.board.remember(await self.telemetry.remembered())
        self.fleet = Fleet(
            Ground(
                board=self.board,
                clock=self.clock,
                journal=self.journal,
                secrets=secrets,
                watcher=self,
                importer=self.importer,
            )
        )
        self.dispatcher = Dispatcher(self.fleet.tasks, fence, self.clock, lambda outcome: self.loop.heard(outcome))
        self.mailer = Mailer(self.journal, self.clock, self.fleet.tasks, self._notifiers)
        wiring = Wiring(
            clock=self.clock,
            board=self.board,
            dispatcher=self.dispatcher,
            commit=self._commit,
            look=self.fleet.look,
            after=self._after,
        )
        self.loop = Loop(wiring, resume(self.journal.state, self.clock.now()), self.config.policy)
        await self._settle_in()

    def _load_plugins(self) -> Plugins:
        """The plugins that the config names, and those that an owed claim needs."""
        owed = {claim.origin.type for claim in self.journal.state.claims + self.journal.state.questions}
        named = {plugin_of(type_) for type_ in configs.types_named(self.options.config, self.options.state) | owed}
        return plugin_loading.load(named, self.options.extra)

    async def _settle_in(self) -> None:
        """Make board and connections those of the present config, and of what is owed to parts that left it."""
        config = self.config
        self.board.grid_gap_s = {s: config.policy.timing.max_gap_s.get(s, CLOUD_GAP_S) for s in config.grid_sources}
        self.board.meters = config.meters
        await self.fleet.apply([*config.connections, *self._owed_connections()], self.plugins, config, self._banned())
        for record in self.plugins.records:
            if record.status == "failed":
                self._worry(f"plugin {record.name}", f"The plugin {record.name} does not load", record.reason)

    def _banned(self) -> dict[str, str]:
        """Plugins that hung the box twice within an hour, with where; never one that a grid source needs."""
        sources = {c.type for c in self.config.connections if set(c.parts) & set(self.config.grid_sources)}
        needed = {plugin_of(type_) for type_ in sources}
        off = switched_off(self.options.state, self.clock.now().wall)
        banned = {plugin: why for plugin, why in off.items() if plugin not in needed}
        for plugin, why in banned.items():
            self._worry(f"hang {plugin}", f"The plugin {plugin} is switched off", why)
        return banned

    def _packages(self) -> dict[str, str]:
        """The code of each loaded plugin, by top-level package: to name one that hangs."""
        return {t.open.__module__.partition(".")[0]: plugin_of(name) for name, t in self.plugins.types.items()}

    def _owed_connections(self) -> list[ConnectionConfig]:
        known = {c.id for c in self.config.connections}
        claims = self.journal.state.claims + self.journal.state.questions
        origins = {c.origin.connection: c.origin for c in claims if c.origin.connection not in known}
        return [configs.connection_from_origin(origin, self.plugins) for origin in origins.values()]

    def _notifiers(self) -> tuple[str, ...]:
        return () if self.options.dry_run else self.config.notifiers

    # -------------------------------------------------------------------------------------------------------- run

    async def run(self) -> int:
        """Until SIGTERM, or until a critical task dies; then the process ends, and systemd starts the next one."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._errand(self._reload()))
        critical: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "decisions": self.loop.run,
            "control": Control(self.options.run, self.handle).run,
            "mail": self.mailer.run,
            "telemetry": self.telemetry.run,
            "journal": self._probe,
            "stall watch": StallWatch(self.options.state, self._packages()).run,
        }
        tasks = [asyncio.create_task(start(), name=name) for name, start in critical.items()]
        stopped = asyncio.ensure_future(self.stop.wait())
        try:
            await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
            died = [task for task in tasks if task.done()]
            for task in died:
                log.critical("%s died, so pimgr ends and is started again", task.get_name(), exc_info=task.exception())
            return EXIT_DIED if died else EXIT_OK
        finally:
            self.systemd.stopping()
            stopped.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=5.0)
            await self.fleet.close()
            await self.telemetry.close()

    @property
    def dry_run(self) -> bool:
        return self.options.dry_run

    def arrived(self, part: str, grid: bool) -> None:
        self.loop.arrived(part, grid)

    async def _probe(self) -> None:
        """While the disk fails, ask it again now and then; what was only promised is then written down."""
        while True:
            await asyncio.sleep(PROBE_S)
            if self.journal.degraded and await self.journal.probe(self.clock.now()):
                self._healed()

    def _healed(self) -> None:
        self.trouble.pop("journal", None)
        log.info("journal: writing again")

    async def _commit(self, record: Record) -> int:
        was = self.journal.degraded
        seq = await self.journal.commit(record)
        if self.journal.degraded and not was:
            self._worry("journal", "The memory card does not take what pimgr writes", self.journal.degraded)
        elif was and not self.journal.degraded:
            self._healed()
        return seq

    def _after(self, now: Now, inputs: Inputs, decision: Decision) -> None:
        """Log, publish, beat: all that follows a decision and may not delay the next."""
        self.decided = (now, inputs, decision)
        for event in decision.events:
            log.info("%s", safe(event.text))
        if decision.notices:
            self.mailer.nudge()
        self._measure(inputs)
        view = compose(self, now, inputs, decision)
        try:
            snapshot.publish(self.options.run, view)
        except OSError as error:
            log.warning("the snapshot can't be written: %s", error)
        self.systemd.decided(view.headline)
        self.systemd.beat()

    def _measure(self, inputs: Inputs) -> None:
        """A point a minute of what the meters say is enough for curves, and for estimates after a restart."""
        site = inputs.site
        if site is not None and (self._measured is None or site.at.since(self._measured) >= MEASURE_S):
            self._measured = site.at
            self.telemetry.note(site)

    def _worry(self, key: str, subject: str, text: str) -> None:
        """Something of pimgr itself isn't well: shown until it is, and mailed once."""
        log.error("%s: %s", subject, text)
        self.trouble[key] = f"{subject}: {text}"
        now = self.clock.now()
        notice = Notice(key=f"{key}-{int(now.wall)}", severity=Severity.WARNING, subject=subject, text=text)
        self._errand(self.journal.add_notice(notice, now))

    def _errand(self, work: Coroutine[Any, Any, object]) -> None:
        """Something small to do on the side; kept until it is done."""
        task = asyncio.ensure_future(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    # ---------------------------------------------------------------------------------------------------- commands

    async def handle(self, request: Request) -> Reply:
        """What people ask for over the control socket."""
        match request.do:
            case "reload":
                return await self._reload()
            case "forget" if self._has_claim(request.part):
                self.loop.told(Forget(request.part))
                return Reply(True, f"{request.part}: written off")
            case "give back" if any(q.part == request.part for q in self.journal.state.questions):
                self.loop.told(GiveBack(request.part))
                return Reply(True, f"{request.part}: will be given back")
            case "forget" | "give back":
                return Reply(False, f"{request.part}: nothing is owed to it; see `pimgr status`")
            case _:
                return Reply(False, f"unknown request {request.do!r}")

    def _has_claim(self, part: str) -> bool:
        return any(c.part == part for c in self.journal.state.claims + self.journal.state.questions)

    async def _reload(self) -> Reply:
        """Swap in the config file between two ticks; an invalid one is refused, and the present one stays."""
        self.systemd.reloading()
        try:
            found = await asyncio.get_running_loop().run_in_executor(self.importer, self._read_config)
        except ConfigErrors as errors:
            log.error("reload refused, the present config stays:\n%s", errors)
            return Reply(False, f"{errors}\nThe present config stays in force.")
        finally:
            self.systemd.reloaded()
        self.plugins, self.config = found
        self.trouble.pop("config", None)
        await self._settle_in()
        self.loop.swap(self.config.policy)
        log.info("config reloaded")
        return Reply(True, "The config was reloaded.")

    def _read_config(self) -> tuple[Plugins, HouseConfig]:
        options = self.options
        plugins = self._load_plugins()
        config = configs.load(options.config, plugins)
        configs.keep_valid(options.config.read_text(encoding="utf-8"), options.state)
        return plugins, config
