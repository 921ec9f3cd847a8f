"""A simulated house for the ring alone: no I/O, no asyncio, no waiting. It runs `decide` as the loop does.

True time `t` flows through crashes and reboots; pimgr sees only its own clocks. A decision worth keeping is durable
before its requests go out, and a crash may come at any of these moments.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from pimgr.api import Grid, GridReading, Instant, Now, SiteReading
from pimgr.policy.decide import decide, worth_keeping
from pimgr.policy.ledger.restart import resume
from pimgr.policy.model import (
    Action,
    Aspect,
    Command,
    Decision,
    Inputs,
    Origin,
    Outcome,
    PartPolicy,
    PartView,
    Phase,
    Policy,
    State,
)
from tests.policy.devices import FLOOR_A, NATURE, PERSON, Charger, Device, Host, Plug

EPOCH = 1_800_000_000.0
GATEWAY = "gateway"
POLL_S = {Aspect.SWITCH: 30.0, Aspect.LEVEL: 30.0, Aspect.HOST_POWER: 60.0}
Watch = Callable[["World", State, Inputs, Now, Decision], None]


@dataclass(frozen=True)
class Sent:
    """A request on the wire at true time `t`."""

    t: float
    action: Action
    phase: Phase
    episode: str


def switch(enforce: bool = False, min_off_s: float = 0.0) -> PartPolicy:
    origin = Origin("plugs", "scripted.load", {})
    return PartPolicy(aspect=Aspect.SWITCH, origin=origin, enforce=enforce, min_off_s=min_off_s)


def host() -> PartPolicy:
    return PartPolicy(aspect=Aspect.HOST_POWER, origin=Origin("hosts", "scripted.host", {}), fresh_s=120.0)


def charger(enforce: bool = False) -> PartPolicy:
    return PartPolicy(
        aspect=Aspect.LEVEL, origin=Origin("car", "scripted.charger", {}), enforce=enforce, shed_to=FLOOR_A
    )


class World:
    """`crash_when`: at which moment of the next decision worth keeping pimgr dies: before, committed, half, sent."""

    def __init__(self, policy: Policy, devices: tuple[Device, ...], watches: tuple[Watch, ...] = ()) -> None:
        self.policy, self.watches = policy, watches
        self.devices: dict[str, Device] = {d.name: d for d in devices}
        self.t, self.boots, self.boot_t, self.wall_error, self.wall_trusted = 1000.0, 1, 0.0, 0.0, True
        self.grid_up, self.gateway, self.meters = True, "answers", True
        self.charge, self.load_w, self.capacity_wh = 80.0, 2000.0, 13500.0
        self.state, self.durable, self.life = State(), msgspec.msgpack.encode(State()), 0
        self.wire: list[Sent] = []
        self.decisions: list[tuple[float, Decision]] = []
        self.keep_decisions = False
        self.crash_when, self.down_s = "", 3.0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._turns = 0
        self._start()

    # ------------------------------------------------------------------------------------------------- time

    def instant(self) -> Instant:
        return Instant(self.t - self.boot_t, EPOCH + self.t + self.wall_error, f"boot-{self.boots}")

    def now(self) -> Now:
        i = self.instant()
        return Now(i.mono_s, i.wall, i.boot, self.wall_trusted)

    def after(self, seconds: float, deed: Callable[[], None], mortal: bool = True) -> None:
        """Do it then; what is `mortal` dies with this run of pimgr."""
        life = self.life
        self._turns += 1
        alive = (lambda: deed() if life == self.life else None) if mortal else deed
        heapq.heappush(self._queue, (self.t + seconds, self._turns, alive))

    def run(self, seconds: float) -> None:
        end = self.t + seconds
        while self._queue and self._queue[0][0] <= end:
            t, _, deed = heapq.heappop(self._queue)
            self._flow(max(t, self.t))
            deed()
        self._flow(end)

    def run_until(self, done: Callable[[], bool], limit_s: float) -> bool:
        end = self.t + limit_s
        while not done() and self.t < end:
            self.run(1.0)
        return done()

    def draws_w(self) -> float:
        return self.load_w + sum(d.draws for d in self.devices.values() if isinstance(d, Plug))

    def _flow(self, t: float) -> None:
        if not self.grid_up:
            self.charge = max(0.0, self.charge - (t - self.t) / 3600.0 * self.draws_w() / self.capacity_wh * 100.0)
        self.t = t
        for device in self.devices.values():
            if isinstance(device, Host):
                device.live(t)

    # ------------------------------------------------------------------------------------- pimgr's own life

    def _start(self) -> None:
        self.life += 1
        self.alive = True
        self.state = resume(msgspec.msgpack.decode(self.durable, type=State))
        self.views: dict[str, PartView] = {}
        self.site: SiteReading | None = None
        self.fresh_grid: list[GridReading] = []
        self.outcomes: list[Outcome] = []
        self.commands: list[Command] = []
        self.decision: Decision | None = None
        self.polled: dict[str, float] = {}
        self.pending: dict[str, int] = {}
        self._tick_at = float("inf")
        for device in self.devices.values():
            device.gap_at = self.t
            self.after(0.2, lambda d=device: self._poll_part(d))
        self.after(0.1, self._poll_grid)
        self.after(0.1, self._poll_meters)
        self._tick_in(0.15)

    def crash(self, down_s: float = 3.0) -> None:
        """SIGKILL, and a restart by systemd."""
        if self.alive:
            self._die(down_s)

    def _die(self, down_s: float) -> None:
        self.life += 1
        self.alive, self.crash_when = False, ""
        self.after(down_s, self._start)

    def reboot(self, down_s: float = 30.0, wall_error: float = 0.0) -> None:
        """The box itself loses power: a new boot id, CLOCK_BOOTTIME from 0, and a wall clock that may be wrong."""
        self._die(down_s)
        self.boots, self.boot_t = self.boots + 1, self.t + down_s
        self.wall_error, self.wall_trusted = wall_error, False

    def set_clock(self) -> None:
        self.wall_error, self.wall_trusted = 0.0, True

    # ---------------------------------------------------------------------------------------------- reading

    def _poll_grid(self) -> None:
        self.after(1.0 if self.decision and self.decision.quick else 2.0, self._poll_grid)
        if self.gateway == "silent":
            return
        told = self.grid_up if self.gateway == "answers" else None
        grid = {True: Grid.UP, False: Grid.DOWN, None: Grid.UNKNOWN}[told]
        self.fresh_grid.append(GridReading(at=self.instant(), source=GATEWAY, grid=grid, passing=told is None))
        self._tick_in(0.0)

    def _poll_meters(self) -> None:
        self.after(10.0, self._poll_meters)
        if self.meters and self.gateway != "silent":
            self.site = SiteReading(
                at=self.instant(), source=GATEWAY, charge=self.charge, load_w=self.draws_w(), solar_w=0.0
            )

    def _poll_part(self, device: Device) -> None:
        aspect = Aspect.HOST_POWER if isinstance(device, Host) else Aspect.SWITCH
        self.after(POLL_S[aspect], lambda: self._poll_part(device))
        self._look_at(device)

    def _read(self, device: Device) -> None:
        self.polled[device.name] = self.t
        reading, view = device.reading(self.instant()), self.views.get(device.name, PartView())
        if reading is None:
            self.views[device.name] = PartView(reading=view.reading, fault="no answer")
            device.gap_at = self.t
        else:
            self.views[device.name] = PartView(reading=reading, steady_since=view.steady_since or reading.at)
        if self.decision and device.name in self.decision.look:
            self._tick_in(0.0)

    # ----------------------------------------------------------------------------------------------- the tick

    def tell(self, command: Command) -> bool:
        """A person's command; False if nobody is there to take it."""
        if self.alive:
            self.commands.append(command)
            self._tick_in(0.0)
        return self.alive

    def _tick_in(self, seconds: float) -> None:
        at = self.t + seconds
        if at < self._tick_at:
            self._tick_at = at
            self.after(seconds, self._tick_if_due)

    def _tick_if_due(self) -> None:
        if self.t >= self._tick_at:
            self.tick()

    def tick(self) -> None:
        inputs, before, now = self._inputs(), self.state, self.now()
        decision = decide(before, inputs, self.policy, now)
        for watch in self.watches:
            watch(self, before, inputs, now, decision)
        if self.keep_decisions:
            self.decisions.append((self.t, decision))
        crash = self.crash_when if worth_keeping(before, decision) else ""
        if crash == "before":
            return self.crash(self.down_s)
        if worth_keeping(before, decision):
            self.durable = msgspec.msgpack.encode(decision.state)
        self.state, self.decision = decision.state, decision
        sent = {"committed": 0, "half": len(decision.actions) // 2}.get(crash, len(decision.actions))
        for action in decision.actions[:sent]:
            self._send(action)
        if crash:
            return self.crash(self.down_s)
        for part in decision.look:
            if part in self.devices:
                self.after(1.0, lambda d=self.devices[part]: self._look_at(d))
        left = min(5.0, 5.0 if decision.wake_at is None else max(0.01, decision.wake_at - self.now().mono_s))
        self._tick_at = float("inf")
        self._tick_in(left)
        return None

    def _inputs(self) -> Inputs:
        inputs = Inputs(
            grid=tuple(self.fresh_grid),
            site=self.site,
            parts=dict(self.views),
            outcomes=tuple(self.outcomes),
            commands=tuple(self.commands),
        )
        self.fresh_grid, self.outcomes, self.commands = [], [], []
        return inputs

    def _look_at(self, device: Device) -> None:
        if self.t - self.polled.get(device.name, -100.0) >= 0.9:
            self._read(device)

    # ------------------------------------------------------------------------------------------- requests

    def _send(self, action: Action) -> None:
        self.wire.append(Sent(self.t, action, self.state.phase, self.state.episode))
        device, self.pending[action.part] = self.devices[action.part], action.id
        self.after(0.3, lambda: self._arrive(device, action), mortal=False)

    def _arrive(self, device: Device, action: Action) -> None:
        fate, device.fate = device.fate, ""
        if fate in ("request lost", "ignored"):
            error = "Unreachable" if fate == "request lost" else ""
        else:
            error = device.obey(self.t, action.value)
        if fate == "no word" or self.pending.get(action.part) != action.id:
            return
        error = "Unreachable" if fate == "answer lost" else error
        self.after(5.0 if error == "Unreachable" else 0.2, lambda: self._answer(action, error))

    def _answer(self, action: Action, error: str) -> None:
        fact = f"{error}: {action.part} did not do it" if error else ""
        self.outcomes.append(Outcome(action=action.id, part=action.part, at=self.instant(), error=error, fact=fact))
        self._tick_in(0.0)

    # ------------------------------------------------------------------------------- what befalls the house

    def press(self, part: str, on: bool) -> None:
        """A person's hand."""
        device = self.devices[part]
        if isinstance(device, Host):
            (device.start if on else device.stop)(self.t, PERSON)
        elif isinstance(device, Charger):
            device.set(self.t, 16.0 if on else 0.0, PERSON)
        else:
            device.become(self.t, on, PERSON)

    def dial(self, part: str, level: float) -> None:
        """A person's hand on a level."""
        device = self.devices[part]
        assert isinstance(device, Charger)
        device.set(self.t, level, PERSON)

    def power_cycle(self, part: str) -> None:
        """The device itself restarts, seen as a gap: plugs come back on, hosts in a new boot if they were up."""
        device = self.devices[part]
        device.reachable = False
        if self.alive:
            self._read(device)
        device.reachable, device.gap_at = True, self.t
        if isinstance(device, Plug):
            device.become(self.t, True, NATURE)
