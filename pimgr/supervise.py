"""`pimgr run`: puts everything together, keeps it together, takes it down with all that is owed on record."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pimgr import config as configs
from pimgr import logs
from pimgr.almanac import Almanac
from pimgr.api import Now
from pimgr.board import CLOUD_GAP_S, Board
from pimgr.clock import Clock, SystemClock
from pimgr.commands import Commands
from pimgr.compose import Shown, compose
from pimgr.config import ConfigErrors, HouseConfig
from pimgr.context import Surroundings
from pimgr.control import Control, Reply, Request
from pimgr.counting import DryStores
from pimgr.dispatch import Dispatcher, Fence
from pimgr.errands import Errands
from pimgr.fleet import Fleet, Ground
from pimgr.heartbeat import Address, Heartbeat, address_of
from pimgr.in_force import InForce
from pimgr.journal import AlreadyRunning, Journal, NewerJournal
from pimgr.loop import Loop, Wiring
from pimgr.mailer import Mailer
from pimgr.notify import Systemd
from pimgr.policy.ledger.restart import resume
from pimgr.policy.model import Decision, Event, Inputs, Outcome, Phase
from pimgr.policy.persons.people import Alert
from pimgr.stall import StallWatch
from pimgr.telemetry import Telemetry
from pimgr.text import safe
from pimgr.voice import HouseVoice
from pimgr.worker import Worker
from pimgr.worries import Worries

log = logging.getLogger(__name__)

PROBE_S = 30.0
EXIT_OK, EXIT_DIED, EXIT_RUNNING, EXIT_CONFIG = 0, 70, 75, 78


@dataclass(frozen=True, kw_only=True)
class Options:
    """Where things are. `extra`: plugins given in-process, by name, for rehearsals and tests.

    `dry`: in a dry run, what the connections are met with; its own folders hold nothing.
    """

    config: Path
    state: Path
    run: Path
    dry_run: bool = False
    extra: Mapping[str, object] = field(default_factory=dict)
    clock: Clock | None = None
    dry: DryStores | None = None


def run(options: Options) -> int:
    """Run until told to stop; gives the exit status."""
    faulthandler.enable()
    logs.begin(dry_run=options.dry_run)
    if not options.dry_run:
        return asyncio.run(_run(options))
    with tempfile.TemporaryDirectory(prefix="pimgr-dry-run-") as folder:
        log.info("nothing is switched, mailed or recorded; what would happen is printed here")
        dry = DryStores(options.state, options.run)
        return asyncio.run(_run(replace(options, state=Path(folder), run=Path(folder), dry=dry)))


async def _run(options: Options) -> int:
    try:
        for folder in (options.state, options.run):
            folder.mkdir(parents=True, exist_ok=True)
        journal = await Journal.open(options.state, options.run)
    except AlreadyRunning as error:
        log.error("%s", error)
        return EXIT_RUNNING
    except NewerJournal as error:
        log.error("%s", error)
        return EXIT_CONFIG
    except OSError as error:
        log.error("no place for the journal, so pimgr ends and is started again: %s", error)
        return EXIT_DIED
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
        self.errands = Errands()
        self.in_force = InForce(options.config, options.state, options.extra, journal)
        self.worries = Worries(journal, self.clock, self.errands, self._mailed)
        self.board = Board(self.clock)
        self.stop = asyncio.Event()
        self._packages: dict[str, str] = {}
        self._swapping = asyncio.Lock()
        self._alert = False
        self.shown = Shown(options.run)
        self.heartbeat = Heartbeat(self.clock, self._heartbeat, self.worries.heartbeat)

    async def prepare(self) -> None:
        """Read the config (or the last valid one), put the tasks together. Raises ConfigErrors when there is none."""
        found = self.in_force.at_start()
        self.in_force.take(found)
        self.board.remember(await self.telemetry.remembered())
        self.fleet = Fleet(
            Ground(
                board=self.board,
                journal=self.journal,
                around=Surroundings(
                    self.clock,
                    configs.Secrets(configs.secrets_folder(self.options.config)),
                    HouseVoice(self.worries, self._noted),
                    lambda: self._alert,
                ),
                watcher=self,
                importer=self.importer,
                not_stored=self.worries.not_stored,
                dry=self.options.dry,
            )
        )
        fence = Fence(closed=self.options.dry_run)
        self.dispatcher = Dispatcher(self.fleet.tasks, fence, self.clock, self._heard)
        self.mailer = Mailer(self.journal, self.clock, self.fleet.tasks, self._notifiers)
        wiring = Wiring(
            clock=self.clock,
            board=self.board,
            dispatcher=self.dispatcher,
            commit=self.journal.commit,
            look=self.fleet.look,
            after=self._after,
            calendar=Almanac().around,
        )
        self.loop = Loop(wiring, resume(self.journal.state), self.config.policy)
        for number, note in enumerate(self.journal.notes):
            self.worries.note(f"journal {number}", "What pimgr had written down was not as it should be", note)
        self.worries.look_at_disk()
        await self._settle_in(found.problem)
        self.worries.settled()

    async def _settle_in(self, problem: str) -> None:
        """Make board and connections those of the present config, and of what is owed to parts that left it."""
        config, banned = self.config, self.in_force.banned(self.clock.now())
        self.worries.exactly("config", {"config": ("The config needs attention", problem)} if problem else {})
        self.worries.exactly("plugin ", self.in_force.broken())
        self.worries.exactly("hang ", {f"hang {p}": (f"The plugin {p} is left out", why) for p, why in banned.items()})
        self.board.grid_gap_s = {s: config.policy.timing.max_gap_s.get(s, CLOUD_GAP_S) for s in config.grid_sources}
        self.board.meters, self.board.meter_fresh_s = config.meters, config.meter_fresh_s
        self.mailer.zone = config.policy.zone
        self._packages.clear()
        self._packages |= self.in_force.plugins.packages()
        await self._connect(banned)

    async def _connect(self, banned: Mapping[str, str]) -> None:
        await self.fleet.apply(self.in_force.connections(), self.in_force.plugins, self.config, banned)
        self.worries.exactly("held ", self.in_force.held)
        self.worries.only_of(self.fleet.ids)

    # ------------------------------------------------------------------------------------- what the snapshot shows

    @property
    def config(self) -> HouseConfig:
        return self.in_force.config

    @property
    def trouble(self) -> Mapping[str, str]:
        return self.worries.shown

    @property
    def alerts(self) -> tuple[Alert, ...]:
        return self.worries.alerts

    @property
    def dry_run(self) -> bool:
        return self.options.dry_run

    async def run(self) -> int:
        """Until SIGTERM, or until a critical task dies; then the process ends, and systemd starts the next one."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: self.errands.run(self._reload()))
        critical = {
            "decisions": self.loop.run(),
            "control": Control(self.options.run, self.handle).run(),
            "mail": self.mailer.run(),
            "telemetry": self.telemetry.run(),
            "heartbeat": self.heartbeat.run(),
            "journal": self._probe(),
            "stall watch": StallWatch(self.options.state, self._packages).run(),
        }
        tasks = [asyncio.create_task(work, name=name) for name, work in critical.items()]
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
            await self.close()

    async def close(self) -> None:
        """Let go of devices, threads and files; whatever is owed stays on record."""
        await self.errands.close()
        await self.fleet.close()
        await self.telemetry.close()
        self.importer.shutdown()
        self.heartbeat.close()
        self.systemd.close()

    def arrived(self, part: str, grid: bool) -> None:
        self.loop.arrived(part, grid)

    def _heard(self, outcome: Outcome) -> None:
        self.loop.heard(outcome)

    def _noted(self, note: Event) -> None:
        self.loop.noted(note)

    def _mailed(self) -> None:
        self.mailer.nudge()

    def _notifiers(self) -> tuple[str, ...] | None:
        return () if self.options.dry_run else self.in_force.notifiers()

    def _heartbeat(self) -> Address | None:
        secrets = configs.Secrets(configs.secrets_folder(self.options.config))
        return None if self.options.dry_run else address_of(self.config, secrets)

    async def _probe(self) -> None:
        """While the disk fails, ask it again now and then; what was only promised is then written down."""
        while True:
            await asyncio.sleep(PROBE_S)
            if self.journal.degraded:
                await self.journal.probe(self.clock.now())
            async with self._swapping:
                if self.in_force.held:
                    await self._connect(self.in_force.banned(self.clock.now()))

    def _after(self, now: Now, inputs: Inputs, decision: Decision) -> None:
        """Log, publish, beat: all that follows a decision and may not delay the next."""
        for event in decision.events:
            log.info("%s", safe(event.text))
        if decision.notices:
            self.mailer.nudge()
        for notice in decision.notices if self.options.dry_run else ():
            log.info("mail: %s", safe(notice.subject))
        self._alert = decision.state.phase in (Phase.SUSPECT, Phase.OUTAGE)
        self.telemetry.sample(inputs.settings)
        self.worries.look_at_disk()
        self.worries.look_at_grid(self.board.grid_seen(), self.config.grid_sources, self.fleet.lines())
        self.worries.listen(inputs.grid)
        self.worries.tell_again()
        view = compose(self, now, inputs, decision)
        self.shown.publish(view)
        self.systemd.decided(view.headline)
        self.systemd.beat()
        self.heartbeat.decided()

    async def handle(self, request: Request) -> Reply:
        """What people ask for over the control socket."""
        commands = Commands(
            journal=self.journal,
            loop=self.loop,
            worries=self.worries,
            reload=self._reload,
            budgets=self.in_force.budgets,
        )
        return await commands.handle(request)

    async def _reload(self) -> Reply:
        """Swap in the config file between two ticks; an invalid one is refused, and the present one stays."""
        async with self._swapping:
            self.systemd.reloading()
            try:
                found = await asyncio.get_running_loop().run_in_executor(self.importer, self.in_force.again)
                self.in_force.take(found)
                # The policy first: nothing more is taken of a part whose connection is about to be closed.
                self.loop.swap(self.config.policy)
                await self._settle_in(found.problem)
                self.mailer.nudge(afresh=True)
            except ConfigErrors as errors:
                log.error("reload refused, the present config stays:\n%s", errors)
                return Reply(False, f"{errors}\nThe present config stays in force.")
            finally:
                self.systemd.reloaded()
            log.info("config reloaded")
            return Reply(True, "The config was reloaded.")
