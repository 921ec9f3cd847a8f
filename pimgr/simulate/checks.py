"""What must hold at every decision of every year, seen against the truth of the house."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from pimgr.api import Grid, Now
from pimgr.policy.aspects import Aspect
from pimgr.policy.calendar import Window
from pimgr.policy.decide import worth_keeping
from pimgr.policy.model import Action, Claim, ClaimStatus, Decision, Inputs, Phase, State
from pimgr.policy.phases import grid_is_seen
from pimgr.policy.values import enough, value_of
from pimgr.simulate.devices import PERSON, Host
from pimgr.simulate.engine import Run
from pimgr.simulate.ring import SITE, Ring

MOST = 20
"""Violations that are kept: after the first, the house is no longer one that can be reasoned about."""
DAY_S = 86400.0
LATE_S = 1.0
"""pimgr is woken at the moment itself, and a hundredth of a second later where rounding has it that it isn't yet."""


@dataclass
class Checks:
    """Watches one run; `end` it. `found`: what was wrong, with the second at which it was."""

    found: list[str] = field(default_factory=list)
    fights: int = 0
    unknown: int = 0
    theirs: set[tuple[str, Aspect, str]] = field(default_factory=set)
    entered: Counter[str] = field(default_factory=Counter)
    """By window of the tariff, how often decisions that were carried out entered it; and left it."""
    left: Counter[str] = field(default_factory=Counter)

    def __call__(self, run: Run, ring: Ring, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:  # noqa: PLR0913, PLR0917 - a Watch
        """Look at one decision."""
        self._persons(run, ring, before, inputs, now)
        self._window(run, ring, before, decision)
        for action in decision.actions:
            self._is_no_fight(run, action, decision.state)
            self._is_known(run, ring, before, action, inputs, now)
        if all(r.grid is Grid.UNKNOWN for r in inputs.grid) and decision.state.phase is not before.phase:
            self._say(run, f"moved from {before.phase} to {decision.state.phase} without knowing the grid")
            self.unknown += 1
        if decision.state.phase is Phase.NORMAL:
            self.theirs = {each for each in self.theirs if not each[2].startswith("outage-")}

    def _say(self, run: Run, text: str) -> None:
        if len(self.found) < MOST:
            self.found.append(f"{run.plant.t:.1f} s: {text}")

    def end(self, run: Run, ring: Ring) -> None:
        """No wrong restore; windows were entered and left once, unless pimgr was down, or had no time, all through."""
        until = run.plant.t
        for device in run.plant.devices.values():
            if device.wrong:
                self._say(run, f"{device.name}: turned on, {device.wrong} times, without having been turned off")
        for window in _windows(run):
            start, end = window.start - run.plant.wall + until, window.end - run.plant.wall + until
            enters, leaves = self.entered[window.id], self.left[window.id]
            if enters > 1 or (enters < 1 and _lucid_s(ring, start, min(end, until)) > LATE_S):
                self._say(run, f"the tariff's window {window.id} was entered {enters} times")
            if leaves > enters or (leaves < enters and _lucid_s(ring, end, until) > LATE_S):
                self._say(run, f"the tariff's window {window.id} was left {leaves} times, and entered {enters} times")

    def _window(self, run: Run, ring: Ring, before: State, decision: Decision) -> None:
        """Which window a decision leaves and which it enters, at the right time and not without telling."""
        if ring.crash_when == "before" and worth_keeping(before, decision):
            return  # it dies before this is written down, and decides again when it is back
        old, new, wall = before.schedule, decision.state.schedule, run.plant.wall
        told = [event.text for event in decision.events if event.what == "window"]
        over = [f"{old.period} is over"] if old.window and old.window != new.window else []
        began = [new.period] if new.window and old.window != new.window else []
        if told[: len(over)] != over or [text.partition(" began")[0] for text in told[len(over) :]] != began:
            self._say(run, f"from window {old.window!r} to {new.window!r} it tells {told}")
        if over:
            self.left[old.window] += 1
        if not began:
            return
        self.entered[new.window] += 1
        calendar = run.calendar(wall)
        window = calendar.window(wall) if calendar is not None else None
        if window is None or window.id != new.window:
            self._say(run, f"the tariff's window {new.window} was entered while {window and window.id} was in force")
        elif wall - max(window.start, wall - run.plant.t + max(0.0, ring.lucid[-1][0])) > LATE_S:
            self._say(run, f"the tariff's window {new.window} was entered late")

    def _persons(self, run: Run, ring: Ring, before: State, inputs: Inputs, now: Now) -> None:
        """Whose a part is, once its claim was acknowledged and a hand was read on it without a gap."""
        if ring.crash_when == "before":
            return  # what is seen in a decision that is never written down was not seen
        for claim in before.claims:
            if claim.status is ClaimStatus.TAKEN and self._was_touched(run, ring, claim, inputs, now):
                self.theirs.add((claim.part, claim.aspect, claim.episode))

    def _was_touched(self, run: Run, ring: Ring, claim: Claim, inputs: Inputs, now: Now) -> bool:
        view, device = inputs.parts.get(claim.part), run.plant.devices.get(claim.part)
        if view is None or view.reading is None or device is None or isinstance(device, Host):
            return False
        of = ring.policy.parts.get(claim.part)
        if of is None or of.enforce or device.last_by != PERSON:
            return False
        same_boot = claim.since.boot == now.boot == view.reading.at.boot
        unbroken = view.steady_since is not None and view.steady_since.mono_s <= claim.since.mono_s
        if not same_boot or not unbroken or view.reading.at.mono_s <= claim.since.mono_s:
            return False
        return not enough(value_of(view.reading), claim.wanted)

    def _is_no_fight(self, run: Run, action: Action, after: State) -> None:
        if (action.part, action.aspect, after.episode) in self.theirs:
            self.fights += 1
            self._say(run, f"{action.part}: asked for {action.value} though a person had decided")

    def _is_known(self, run: Run, ring: Ring, before: State, action: Action, inputs: Inputs, now: Now) -> None:  # noqa: PLR0913, PLR0917 - as above
        """Asked only of what was read lately; of the battery only while the grid is known to be there."""
        if action.aspect in SITE:
            told_up = any(reading.grid is Grid.UP for reading in inputs.grid)
            known = told_up or grid_is_seen(before, ring.policy.timing, now)
        else:
            view, of = inputs.parts.get(action.part), ring.policy.parts.get(action.part)
            reading, fresh_s = view.reading if view else None, of.fresh_s if of else 60.0
            known = reading is not None and reading.at.boot == now.boot and now.since(reading.at) <= fresh_s
        if not known:
            self.unknown += 1
            self._say(run, f"{action.part}: asked for {action.value} without knowing how it is")


def _windows(run: Run) -> Iterator[Window]:
    """Those of the tariff that touch the time from the run's beginning until now, by the truth."""
    begin, now = run.plant.wall - run.plant.t, run.plant.wall
    seen: set[str] = set()
    for day in range(int(run.plant.t / DAY_S) + 1):
        calendar = run.calendars(begin + day * DAY_S)
        for window in calendar.windows if calendar is not None else ():
            if window.id not in seen and window.start < now and window.end > begin:
                seen.add(window.id)
                yield window


def _lucid_s(ring: Ring, start: float, end: float) -> float:
    """The longest time without a break, from `start` to `end`, that pimgr was running and knew the time."""
    ends = [t for t, _ in ring.lucid[1:]] + [end]
    spans = [min(e, end) - max(t, start, 0.0) for (t, lucid), e in zip(ring.lucid, ends, strict=True) if lucid]
    return max(spans, default=0.0)
