"""The real `decide` in a simulated box: what its board, dispatcher and loop would give it, without waiting for any.

Readings are made fresh for every decision; a part that doesn't answer keeps its last one. Between two decisions the
grid was as the latter half says, so the readings that a poll every two seconds would have brought are handed in at
once. A decision worth keeping is durable before its requests go out, and a crash may come at any of these moments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from pimgr.api import Now
from pimgr.policy.aspects import Aspect, GridCharging, Mode, Reserve
from pimgr.policy.decide import decide, worth_keeping
from pimgr.policy.ledger.restart import resume
from pimgr.policy.model import Action, Decision, Inputs, Outcome, Phase, Policy, State
from pimgr.simulate.devices import gives
from pimgr.simulate.engine import Run
from pimgr.simulate.plant import Plant
from pimgr.simulate.reads import SETTLING_S, Reads

ARRIVES_S, ANSWERS_S, TIMEOUT_S = 0.3, 0.2, 5.0
LOOK_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""While a decision waits for readings and nothing comes of them, they are made ever more rarely, as polls back off."""
CHARGE_STEP = 0.5
"""In an outage, whenever the charge moved by so much, in points."""
SITE = (Aspect.RESERVE, Aspect.MODE, Aspect.GRID_CHARGING)
Watch = Callable[[Run, "Ring", State, Inputs, Now, Decision], None]
Decide = Callable[[State, Inputs, Policy, Now], Decision]


@dataclass
class Box:
    """pimgr's own clock. `boot_t`: when CLOCK_BOOTTIME was 0; the wall clock is off by `error_s`."""

    boot: int = 1
    name: str = "boot-1"
    boot_t: float = -3600.0
    error_s: float = 0.0
    trusted: bool = True

    def now(self, plant: Plant) -> Now:
        """What the box believes the time is."""
        return Now(plant.t - self.boot_t, plant.wall + self.error_s, self.name, self.trusted)


@dataclass(kw_only=True)
class Ring:
    """`crash_when`: at which moment of the next decision worth keeping pimgr dies: before, committed, half, sent."""

    policy: Policy
    decide: Decide = decide
    watches: Sequence[Watch] = ()
    box: Box = field(default_factory=Box)
    reads: Reads = field(default_factory=Reads)
    state: State = field(default_factory=State)
    durable: State = field(default_factory=State)
    alive: bool = True
    lucid: list[tuple[float, bool]] = field(default_factory=lambda: [(-math.inf, True)])
    """Since when it runs and knows the time, or doesn't, oldest first."""
    life: int = 0
    fate: Callable[[Action], str] = lambda action: ""
    crash_when: str = ""
    down_s: float = 5.0
    wake: float = 0.0
    told_by_mail: list[tuple[float, str]] = field(default_factory=list)
    """When, and the subject."""
    decisions: int = 0
    decision: Decision | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    pending: dict[tuple[str, Aspect], int] = field(default_factory=dict)
    wire: list[tuple[float, Action, str]] = field(default_factory=list)
    """Requests as they arrived: s, what, and the error that came of it."""
    patience: int = 0

    # ------------------------------------------------------------------------------------------------- its own life

    def crash(self, run: Run, down_s: float, reboot: bool = False, error_s: float = 0.0) -> None:
        """SIGKILL; systemd, or a box that lost power, brings it back. What was durable went through msgpack."""
        self.life += 1
        self.alive, self.crash_when, self.wake = False, "", math.inf
        self._note_lucidity(run)
        run.after(down_s, lambda: self._start(run, reboot, error_s))

    def _start(self, run: Run, reboot: bool, error_s: float) -> None:
        if reboot:
            number = self.box.boot + 1
            self.box = Box(number, f"boot-{number}", run.plant.t - 20.0, error_s, trusted=False)
        self.alive, self.outcomes, self.decision = True, [], None
        self._note_lucidity(run)
        self.reads.forget(run.plant)
        durable = msgspec.msgpack.decode(msgspec.msgpack.encode(self.durable), type=State)
        self.state = resume(durable)

    def set_clock(self, run: Run) -> None:
        """NTP answered."""
        self.box.error_s, self.box.trusted = 0.0, True
        self._note_lucidity(run)

    def _note_lucidity(self, run: Run) -> None:
        lucid = self.alive and self.box.trusted
        if lucid is not self.lucid[-1][1]:
            self.lucid.append((run.plant.t, lucid))

    # ------------------------------------------------------------------------------------------------------ to think

    def grid_changes(self, run: Run) -> None:
        """The polls before this moment told how it was before."""
        self.reads.changed = (run.plant.t, run.plant.grid_up)

    def think(self, run: Run) -> None:
        """One decision."""
        if not self.alive:
            return
        now, before = self.box.now(run.plant), self.state
        inputs = self._inputs(run, now)
        decision = self.decide(before, inputs, self.policy, now)
        self.decisions += 1
        for watch in self.watches:
            watch(run, self, before, inputs, now, decision)
        if self._is_carried_out(run, before, decision):
            self._rest(run, decision)

    def _is_carried_out(self, run: Run, before: State, decision: Decision) -> bool:
        """Written down, then asked for; False if it died meanwhile."""
        kept = worth_keeping(before, decision)
        crash = self.crash_when if kept else ""
        if crash == "before":
            self.crash(run, self.down_s)
            return False
        if kept:
            self.durable = decision.state
        self.state, self.decision = decision.state, decision
        claimed = {claim.part for claim in decision.state.claims}
        for device in run.plant.devices.values():
            device.asked &= device.name in claimed
            device.owed &= not device.on or device.name in claimed
        self.told_by_mail += [(run.plant.t, notice.subject) for notice in decision.notices]
        sent = {"committed": 0, "half": len(decision.actions) // 2}.get(crash, len(decision.actions))
        for action in decision.actions[:sent]:
            self._send(run, action)
        if crash:
            self.crash(run, self.down_s)
        return not crash

    def _rest(self, run: Run, decision: Decision) -> None:
        """Until the decision's own moment, or until readings may tell something new."""
        plant = run.plant
        news = decision.actions or decision.events
        self.patience = 0 if news else min(self.patience + 1, len(LOOK_S) - 1)
        times = [math.inf if decision.wake_at is None else decision.wake_at + self.box.boot_t]
        if decision.look:
            times.append(plant.t + LOOK_S[self.patience])
        match decision.state.phase:
            case Phase.SUSPECT:
                times.append(plant.t + 1.0)
            case Phase.SETTLING:
                times.append(plant.t + SETTLING_S)
            case Phase.OUTAGE:
                times.append(plant.t + _charge_moves_s(plant))
            case _ if self.box.trusted is False or self.reads.gateway != "answers":
                times.append(plant.t + 300.0)
            case _:
                pass
        self.wake = max(min(times), plant.t + 0.01)

    # ---------------------------------------------------------------------------------------------------- to be told

    def _inputs(self, run: Run, now: Now) -> Inputs:
        plant, reads, at = run.plant, self.reads, now.instant
        reads.look(plant, at)
        site = reads.site(plant, at)
        inputs = Inputs(
            grid=reads.grid(plant, at, self.state.phase),
            site=site,
            settings=(site,) if site is not None and reads.cloud else (),
            parts=reads.parts.copy(),
            outcomes=tuple(self.outcomes),
            calendar=run.calendar(now.wall) if now.wall_trusted else None,
            forecast=reads.forecast(run, at),
        )
        self.outcomes = []
        return inputs

    # --------------------------------------------------------------------------------------------------- to be obeyed

    def _send(self, run: Run, action: Action) -> None:
        """It arrives a moment later, whatever becomes of pimgr meanwhile. A newer wish takes its place."""
        self.pending[action.part, action.aspect] = action.id
        run.after(ARRIVES_S, lambda: self._arrive(run, action, self.life))

    def _arrive(self, run: Run, action: Action, life: int) -> None:
        plant, fate = run.plant, self.fate(action)
        if action.aspect in SITE:
            error = self._set_site(run, action, fate)
        elif action.part in plant.rooms and not self.reads.cloud:
            error = "Unreachable"
        else:
            error = plant.obey(action.part, action.value, fate)
        self.wire.append((plant.t, action, error))
        device = plant.devices.get(action.part)
        if device is not None:
            device.asked = device.on and not gives(action.value)
        seconds = TIMEOUT_S if error == "Unreachable" else ANSWERS_S
        if self.life == life and self.pending.get((action.part, action.aspect)) == action.id:
            run.after(seconds, lambda: self._answer(run, action, error, life))

    def _set_site(self, run: Run, action: Action, fate: str) -> str:
        if not self.reads.cloud or fate == "request lost":
            return "Unreachable"
        if fate != "ignored":
            run.plant.obey(action.part, action.value)
            if isinstance(action.value, Mode | Reserve | GridCharging):
                run.trace.settings.append((run.plant.t, action.value))
        return "Unreachable" if fate == "answer lost" else ""

    def _answer(self, run: Run, action: Action, error: str, life: int) -> None:
        if self.life != life or self.pending.get((action.part, action.aspect)) != action.id:
            return
        fact = f"{error}: {action.part} did not do it" if error else ""
        at = self.box.now(run.plant).instant
        self.outcomes.append(Outcome(action=action.id, part=action.part, at=at, error=error, fact=fact))


def _charge_moves_s(plant: Plant) -> float:
    """How long until the charge has moved by `CHARGE_STEP`, at the present power."""
    power_w = abs(plant.flows().battery_w)
    if power_w < 1.0:
        return 600.0
    return min(600.0, max(5.0, CHARGE_STEP / 100.0 * plant.battery.capacity_wh / power_w * 3600.0))
