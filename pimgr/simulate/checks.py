"""What must hold at every decision of every year, seen against the truth of the house."""

from __future__ import annotations

from dataclasses import dataclass, field

from pimgr.api import Grid, Now
from pimgr.policy.aspects import Aspect
from pimgr.policy.model import Action, Claim, ClaimStatus, Decision, Inputs, Phase, State
from pimgr.policy.phases import grid_is_seen
from pimgr.policy.values import enough, value_of
from pimgr.simulate.devices import PERSON, Host
from pimgr.simulate.engine import Run
from pimgr.simulate.ring import SITE, Ring

MOST = 20
"""Violations that are kept: after the first, the house is no longer one that can be reasoned about."""


@dataclass
class Checks:
    """Watches one run. `found`: what was wrong, with the second at which it was."""

    found: list[str] = field(default_factory=list)
    fights: int = 0
    unknown: int = 0
    theirs: set[tuple[str, Aspect, str]] = field(default_factory=set)
    windows: list[str] = field(default_factory=list)
    """Of the tariff, in the order in which they were in force."""

    def __call__(self, run: Run, ring: Ring, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:  # noqa: PLR0913, PLR0917 - a Watch
        """Look at one decision."""
        self._persons(run, ring, before, inputs, now)
        self._window(run, inputs, now)
        for action in decision.actions:
            self._is_no_fight(run, action, decision.state)
            self._is_known(run, ring, action, inputs, now)
        if all(r.grid is Grid.UNKNOWN for r in inputs.grid) and decision.state.phase is not before.phase:
            self._say(run, f"moved from {before.phase} to {decision.state.phase} without knowing the grid")
            self.unknown += 1
        if decision.state.phase is Phase.NORMAL:
            self.theirs = {each for each in self.theirs if not each[2].startswith("outage-")}

    def _say(self, run: Run, text: str) -> None:
        if len(self.found) < MOST:
            self.found.append(f"{run.plant.t:.1f} s: {text}")

    def _window(self, run: Run, inputs: Inputs, now: Now) -> None:
        """Each is entered once and left once, whatever the clock does on its way."""
        window = inputs.calendar.window(now.wall) if inputs.calendar is not None and now.wall_trusted else None
        if window is None or (self.windows and self.windows[-1] == window.id):
            return
        if window.id in self.windows[-8:]:
            self._say(run, f"the tariff's window {window.id} was entered again")
        self.windows.append(window.id)

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

    def _is_known(self, run: Run, ring: Ring, action: Action, inputs: Inputs, now: Now) -> None:
        """Asked only of what was read lately; of the battery only while the grid is known to be there."""
        if action.aspect in SITE:
            known = (
                ring.decision is None
                or grid_is_seen(ring.decision.state, ring.policy.timing, now)
                or any(reading.grid is Grid.UP for reading in inputs.grid)
            )
        else:
            view, of = inputs.parts.get(action.part), ring.policy.parts.get(action.part)
            reading, fresh_s = view.reading if view else None, of.fresh_s if of else 60.0
            known = reading is not None and reading.at.boot == now.boot and now.since(reading.at) <= fresh_s
        if not known:
            self.unknown += 1
            self._say(run, f"{action.part}: asked for {action.value} without knowing how it is")
