"""`decide`: from what is known and what is new to what is done. Pure: no clock, no I/O, no vendor, no randomness."""

from __future__ import annotations

from pimgr.api import Now, replace
from pimgr.policy import phases
from pimgr.policy.battery import tariff
from pimgr.policy.ledger import claims, giveback, hearing, keeps, machines
from pimgr.policy.model import Aspect, Decision, Inputs, Memory, Phase, Policy, State
from pimgr.policy.news import alerts, limits, reports, telling
from pimgr.policy.persons import disarm, leases
from pimgr.policy.shedding import budget, charge, draw, outage, tiers
from pimgr.policy.thermostats import climate, rungs
from pimgr.policy.turn import Turn
from pimgr.policy.want import Want


def decide(state: State, inputs: Inputs, policy: Policy, now: Now) -> Decision:
    """One tick. The same four arguments give the same decision, to the bit; `pimgr replay` relies on it."""
    turn = Turn(before=state, inputs=inputs, policy=policy, now=now, action_ids=state.action_ids)
    state, moves = phases.advance(state, phases.evidence(inputs.grid, policy), policy.timing, now)
    state = draw.remember(charge.remember(state, inputs.site, now), inputs.site, now)
    percent, estimated = charge.present(state, policy.battery, now)
    state = charge.note(state, percent, estimated, now)
    state = budget.choose(turn, tiers.latch(turn, state, percent))
    state = tariff.follow(turn, tariff.ended(turn.before, state, now))
    state = disarm.hear(turn, leases.hear(turn, state))
    turn.episodes |= _episodes(state, inputs, now) | rungs.episodes(turn)
    state = rungs.advance(turn, state, percent)
    ruled = (*outage.wants(state, policy), *climate.wants(turn, state))
    wants = leases.strongest(state, policy, ruled)
    telling.moves(turn, moves, state, percent)
    telling.tiers(turn, turn.before, state, percent)

    state, wants = machines.arrange(turn, state, wants)
    state = _pursue(turn, state, wants)
    telling.stuck(turn, state)

    state = reports.tell(turn, state, wants, (percent, estimated))
    telling.reasons(turn, state, wants)
    leases.reasons(turn, state, ruled)
    state = limits.apply(turn, alerts.settle(turn, state))
    disarm.amend(turn, state)
    if state.phase is Phase.SUSPECT:
        turn.look.update(part for part in outage.candidates(policy) if not turn.read_since(part, state.moved_at))
    return Decision(
        state=state,
        actions=() if state.disarmed else tuple(turn.actions),
        events=inputs.notes + tuple(turn.events),
        notices=tuple(turn.notices),
        reasons=tuple(turn.reasons),
        look=tuple(sorted(part for part in turn.look if not _waits_for_its_poll(part, policy))),
        quick=state.phase is not Phase.NORMAL or any(r.passing for r in inputs.grid),
        wake_at=min(turn.wake, default=None),
        charge=percent,
        charge_estimated=estimated,
    )


def _pursue(turn: Turn, state: State, wants: tuple[Want, ...]) -> State:
    """Take what is wanted, give back what is not, keep what is to stand; all of it is asked for in the decision."""
    ledger = claims.Ledger(turn, state)
    hearing.hear(ledger)
    ledger.take(disarm.held(ledger.claims.values(), wants) if state.disarmed else wants)
    wanted, back = {(w.part, w.aspect) for w in wants}, leases.returning(state, turn.policy)
    giveback.give_back(ledger, wanted, keeps.targets(turn.policy), back)
    kept = leases.keys(state, turn.policy)
    state = keeps.keep(turn, draw.weigh(turn, ledger.close()), set(ledger.claims) | kept)
    state = tariff.keep(turn, state)
    return rungs.note(turn, replace(state, action_ids=turn.action_ids))


def _episodes(state: State, inputs: Inputs, now: Now) -> set[str]:
    """What goes on now."""
    going_on = {lease.episode for lease in state.leases}
    if state.phase is not Phase.NORMAL:
        going_on.add(state.episode)
    window = tariff.window(inputs, state, now)
    return going_on | ({window.id} if window else set())


def _waits_for_its_poll(part: str, policy: Policy) -> bool:
    """Whether nothing is won by reading a part sooner: a thermostat's account is locked after too many calls."""
    of = policy.parts.get(part)
    return of is not None and of.aspect is Aspect.HOLD


def worth_keeping(before: State, decision: Decision) -> bool:
    """Whether a decision must be written down: it acts, tells, or changes what must survive a crash."""
    if decision.actions or decision.events or decision.notices:
        return True
    return replace(before, memory=Memory()) != replace(decision.state, memory=Memory())
