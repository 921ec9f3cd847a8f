"""Three broken supervisors. The scorecard must fail each of them: a check that can't fail proves nothing.

`amnesiac` forgets at its start what is owed; `generous` turns on whatever is off when the grid is back; `late` waits
three seconds for confirmation, whatever the config says.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from pimgr import loop
from pimgr.api import LoadReading, Now, replace
from pimgr.policy.decide import decide
from pimgr.policy.model import Action, Aspect, Decision, Inputs, Phase, Policy, State, Switch


def amnesiac() -> None:
    """Nothing survives its restart."""
    from pimgr import supervise

    def nothing(_state: State) -> State:
        return State()

    supervise.resume = nothing  # type: ignore[assignment, attr-defined]


def generous() -> None:
    """Gives back what it never took: defect 4 of the predecessors."""

    def too_much(state: State, inputs: Inputs, policy: Policy, now: Now) -> Decision:
        decision = decide(state, inputs, policy, now)
        if state.phase is not Phase.SETTLING or decision.state.phase is not Phase.NORMAL:
            return decision
        number = decision.state.action_ids
        off = [p for p, v in inputs.parts.items() if isinstance(v.reading, LoadReading) and not v.reading.on]
        actions = tuple(
            Action(id=number + n, part=part, aspect=Aspect.SWITCH, value=Switch(True), why="generous")
            for n, part in enumerate(off, 1)
        )
        return replace(
            decision,
            actions=decision.actions + actions,
            state=replace(decision.state, action_ids=number + len(actions)),
        )

    loop.decide = too_much  # type: ignore[attr-defined]


def late() -> None:
    """Waits long before it believes that the grid is gone: defect 1 of the predecessors."""

    def slow(state: State, inputs: Inputs, policy: Policy, now: Now) -> Decision:
        return decide(state, inputs, replace(policy, timing=replace(policy.timing, confirm_s=3.0)), now)

    loop.decide = slow  # type: ignore[attr-defined]


MUTANTS: dict[str, Callable[[], None]] = {"amnesiac": amnesiac, "generous": generous, "late": late}


def main() -> None:
    """Run the supervisor after breaking it: `python -m pimgr.demo.mutants NAME run --config FILE`."""
    MUTANTS[sys.argv.pop(1)]()
    from pimgr.cli import main as cli

    cli()


if __name__ == "__main__":
    main()
