"""The life of a claim: read, commit, act, read back, acknowledge; and the same way back.

One `Ledger` serves one tick. It turns the wants of the rules into claims and actions, and what is no longer wanted into
giving back. Whatever it asks for is in the decision, and so in the journal, before it happens.
"""

from __future__ import annotations

from pimgr.api import Now, replace
from pimgr.policy.model import (
    Aspect,
    Claim,
    ClaimStatus,
    Forget,
    GiveBack,
    HandsOff,
    HostPower,
    Phase,
    Progress,
    Skip,
    State,
    Switch,
    Value,
)
from pimgr.policy.outage import Want
from pimgr.policy.turn import Turn, fits, value_of, word
from pimgr.policy.verdict import Verdict, in_flight, left_alone, may_ask_again

Key = tuple[str, Aspect]


class Ledger:
    """The claims of this tick; `close` gives the state that they leave behind."""

    def __init__(self, turn: Turn, state: State) -> None:
        self.turn, self.state = turn, state
        self.claims: dict[Key, Claim] = {(c.part, c.aspect): c for c in state.claims}
        self.questions = state.questions
        self.hands_off = [h for h in state.hands_off if self._goes_on(h.episode)]
        self.skips = [s for s in state.skips if self._goes_on(s.episode)]
        self.claim_ids = state.claim_ids
        self.gave_back_at = state.gave_back_at

    def _goes_on(self, episode: str) -> bool:
        return self.state.phase is not Phase.NORMAL and episode == self.state.episode

    def close(self) -> State:
        return replace(
            self.state,
            claims=tuple(self.claims.values()),
            questions=self.questions,
            hands_off=tuple(self.hands_off),
            skips=tuple(self.skips),
            claim_ids=self.claim_ids,
            gave_back_at=self.gave_back_at,
        )

    # ------------------------------------------------------------------------------------------ what was told

    def hear(self) -> None:
        """Take in the outcomes of requests, and what people decided."""
        for key, claim in self.claims.items():
            outcome = self.turn.outcome(claim.progress.action)
            if outcome is None:
                continue
            problem = outcome.fact if outcome.error else ""
            if problem and problem != claim.progress.problem:
                self.turn.tell(problem, claim.part, "problem")
            progress = replace(claim.progress, accepted=not outcome.error, problem=problem)
            self.claims[key] = replace(claim, progress=progress)
        for command in self.turn.inputs.commands:
            match command:
                case Forget(part):
                    self._forget(part)
                case GiveBack(part):
                    self._answer(part)

    def _forget(self, part: str) -> None:
        for key in [k for k in self.claims if k[0] == part]:
            claim = self.claims.pop(key)
            self.turn.tell(f"{part}: written off, it stays as it is", part, "forgotten")
            self._leave_alone(claim, "you told pimgr to forget it")
        self.questions = tuple(q for q in self.questions if q.part != part)

    def _answer(self, part: str) -> None:
        for question in [q for q in self.questions if q.part == part]:
            self.claims[part, question.aspect] = replace(
                question, status=ClaimStatus.TAKEN, since=self.turn.now.instant, progress=Progress()
            )
            self.turn.tell(f"{part}: confirmed as ours, it will be given back", part, "answered")
        self.questions = tuple(q for q in self.questions if q.part != part)

    # -------------------------------------------------------------------------------------------------- taking

    def take(self, wants: tuple[Want, ...]) -> None:
        """Pursue every want of the rules in force."""
        for want in wants:
            key = (want.part, want.aspect)
            claim = self.claims.get(key)
            if claim is not None:
                self._hold(key, self._adopt(claim, want), want)
            elif not self.is_left_alone(key):
                self._begin(want)

    def is_left_alone(self, key: Key) -> bool:
        return any((h.part, h.aspect) == key for h in self.hands_off)

    def _adopt(self, claim: Claim, want: Want) -> Claim:
        """A claim passes between rules and episodes without being given back in between."""
        return replace(claim, rule=want.rule, episode=want.episode, order=want.order, owed_since=None, nagged_at=None)

    def _begin(self, want: Want) -> None:
        of = self.turn.policy.parts[want.part]
        reading = self.turn.fresh(want.part, of.fresh_s)
        if reading is None:
            self.turn.look.add(want.part)
            return
        found, skip = value_of(reading), Skip(want.part, want.aspect, want.episode)
        if fits(found, want.value):
            self._skip(want, skip, reading.at.mono_s)
            return
        if skip in self.skips and not of.enforce:
            self._hand_over(want.part, want.aspect, want.episode, f"{want.part}: a person turned it {word(found)}")
            return
        self.claim_ids += 1
        claim = Claim(
            id=self.claim_ids,
            part=want.part,
            aspect=want.aspect,
            episode=want.episode,
            rule=want.rule,
            order=want.order,
            wanted=want.value,
            before=found,
            before_at=reading.at,
            origin=of.origin,
            status=ClaimStatus.TAKING,
            since=self.turn.now.instant,
        )
        self.turn.tell(f"{want.part}: to be {word(want.value)}, because {want.why}", want.part, "taking")
        self.ask((want.part, want.aspect), claim, want.value, want.why)

    def _skip(self, want: Want, skip: Skip, measured_s: float) -> None:
        """Found as wanted. Noted only from a reading of this outage: an older one may be out of date."""
        began = self.state.outage_since
        same_boot = began is not None and began.boot == self.turn.now.boot
        if began and same_boot and measured_s < began.mono_s - self.turn.policy.timing.confirm_s:
            self.turn.look.add(want.part)
            return
        if skip not in self.skips:
            self.skips.append(skip)
            self.turn.tell(f"{want.part}: is {word(want.value)} already, left as it is", want.part, "skip")

    def _hold(self, key: Key, claim: Claim, want: Want) -> None:
        self.claims[key] = claim
        match claim.status:
            case ClaimStatus.RETURNING:
                self.turn.tell(f"{claim.part}: taken again before it was given back", claim.part, "taking")
                self.ask(key, self._turn_to(claim, ClaimStatus.TAKING), claim.wanted, want.why)
            case ClaimStatus.TAKING:
                self._pursue_taking(key, claim, want)
            case ClaimStatus.TAKEN:
                self._guard(key, claim, want)

    def _pursue_taking(self, key: Key, claim: Claim, want: Want) -> None:
        match in_flight(self.turn, claim, claim.wanted):
            case Verdict.SEEN:
                self.turn.tell(f"{claim.part}: {word(claim.wanted)}", claim.part, "taken")
                self.claims[key] = self._turn_to(claim, ClaimStatus.TAKEN)
            case Verdict.PERSON:
                self._release(key, claim)
            case Verdict.NOT_YET:
                if may_ask_again(self.turn, claim, claim.wanted):
                    self.ask(key, claim, claim.wanted, want.why)
                else:
                    self.turn.look.add(claim.part)
            case _:
                self.turn.look.add(claim.part)

    def _guard(self, key: Key, claim: Claim, want: Want) -> None:
        verdict = left_alone(self.turn, claim)
        if verdict is Verdict.BLIND:
            self.turn.look.add(claim.part)
        if verdict in (Verdict.BLIND, Verdict.SEEN):
            return
        of = self.turn.of(claim.part)
        enforce = of is not None and of.enforce and claim.aspect is Aspect.SWITCH
        first = claim.reasserted_at is None
        if (verdict is Verdict.GAP and first) or enforce:
            every = self.turn.policy.timing.enforce_every_s
            if claim.reasserted_at is None or self.turn.waited(claim.reasserted_at, every):
                claim = replace(claim, reasserted_at=self.turn.now.instant)
                self.turn.tell(f"{claim.part}: came back by itself, asked again", claim.part, "again")
                self.ask(key, self._turn_to(claim, ClaimStatus.TAKING), claim.wanted, want.why)
            return
        self._release(key, claim)

    # --------------------------------------------------------------------------------------------- shared steps

    def _turn_to(self, claim: Claim, status: ClaimStatus) -> Claim:
        return replace(claim, status=status, since=self.turn.now.instant, progress=Progress())

    def ask(self, key: Key, claim: Claim, goal: Value, why: str) -> None:
        if isinstance(goal, HostPower) and isinstance(claim.before, HostPower):
            goal = HostPower(goal.up, claim.before.boot_id)
        progress = Progress(
            action=self.turn.act(claim.part, goal, why),
            asked_at=self.turn.now.instant,
            tries=claim.progress.tries + 1,
            problem=claim.progress.problem,
        )
        self.claims[key] = replace(claim, progress=progress)

    def _release(self, key: Key, claim: Claim) -> None:
        """A person changed it: the claim ends, and the part is left alone until the episode ends."""
        del self.claims[key]
        back = "started it" if isinstance(claim.before, HostPower) else f"turned it {word(claim.before)}"
        self._hand_over(claim.part, claim.aspect, claim.episode, f"{claim.part}: a person {back}")

    def _hand_over(self, part: str, aspect: Aspect, episode: str, why: str) -> None:
        self.turn.tell(f"{why}; left alone until this outage is over", part, "person")
        self.hands_off.append(HandsOff(part, aspect, episode, self.turn.now.instant, why))

    def _leave_alone(self, claim: Claim, why: str) -> None:
        self.hands_off.append(HandsOff(claim.part, claim.aspect, claim.episode, self.turn.now.instant, why))


def resume(state: State, now: Now) -> State:
    """The state to start from after a restart: what was in flight then is resolved by reading, not from memory."""
    claims = tuple(
        replace(c, progress=replace(c.progress, accepted=False, problem="pimgr was restarted meanwhile"))
        if c.status is not ClaimStatus.TAKEN and c.progress.accepted is None and c.progress.asked_at is not None
        else c
        for c in state.claims
    )
    return replace(state, claims=claims)


def default_target(claim: Claim, keeps: dict[str, Value]) -> Value:
    """Where a part goes when nothing takes it: the standing target in force now, else as it was found."""
    keep = keeps.get(claim.part)
    if isinstance(keep, Switch) and claim.aspect is Aspect.SWITCH:
        return keep
    return claim.before
