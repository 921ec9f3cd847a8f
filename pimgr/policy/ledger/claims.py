"""The life of a claim: read, commit, act, read back, acknowledge; and the same way back.

One `Ledger` serves one tick. It turns the wants of the rules into claims and actions, and what is no longer wanted into
giving back. Whatever it asks for is in the decision, and so in the journal, before it happens.
"""

from __future__ import annotations

from pimgr.api import replace
from pimgr.policy.ledger.layers import Proof
from pimgr.policy.ledger.patience import left_until
from pimgr.policy.ledger.verdict import (
    Verdict,
    in_flight,
    is_moved,
    left_alone,
    may_ask_again,
    settled,
    warned,
)
from pimgr.policy.model import (
    Aspect,
    Claim,
    ClaimStatus,
    HandsOff,
    HostPower,
    Progress,
    Skip,
    State,
    Value,
)
from pimgr.policy.persons.people import LEASE
from pimgr.policy.shedding.outage import is_enforced
from pimgr.policy.thermostats import holds
from pimgr.policy.turn import Key, Turn, measured_after
from pimgr.policy.values import deed, enough, value_of, was_only_silent, word
from pimgr.policy.want import Want


class Ledger:
    """The claims of this tick; `close` gives the state that they leave behind."""

    def __init__(self, turn: Turn, state: State) -> None:
        self.turn, self.state = turn, state
        self.claims: dict[Key, Claim] = {(c.part, c.aspect): c for c in state.claims}
        self.questions = state.questions
        self.hands_off = [h for h in state.hands_off if turn.goes_on(h.episode)]
        self.skips = [s for s in state.skips if turn.goes_on(s.episode)]
        self.claim_ids = state.claim_ids
        self.gave_back_at = state.gave_back_at
        self.due = state.due

    def close(self) -> State:
        return replace(
            self.state,
            claims=tuple(self.claims.values()),
            questions=self.questions,
            hands_off=tuple(self.hands_off),
            skips=tuple(self.skips),
            claim_ids=self.claim_ids,
            gave_back_at=self.gave_back_at,
            due=self.due,
        )

    # -------------------------------------------------------------------------------------------------- taking

    def take(self, wants: tuple[Want, ...]) -> None:
        """Pursue every want of the rules in force. While the grid is returning, nothing more is taken."""
        for want in wants:
            key = (want.part, want.aspect)
            claim = self.claims.get(key)
            if claim is not None:
                self._hold(key, self._adopt(claim, want), want)
            elif not want.frozen and not self._is_left_alone(want):
                self._begin(want)

    def _is_left_alone(self, want: Want) -> bool:
        """Whether a person took it over. What they ask for by a lease is a newer word than a hand on the switch."""
        mine = (h for h in self.hands_off if (h.part, h.aspect) == (want.part, want.aspect))
        return any(want.rule != LEASE or h.episode == want.episode for h in mine)

    def _adopt(self, claim: Claim, want: Want) -> Claim:
        """A claim passes between rules and episodes without being given back in between."""
        return replace(claim, rule=want.rule, episode=want.episode, order=want.order, owed_since=None, nagged_at=None)

    def _move(self, key: Key, claim: Claim, want: Want) -> None:
        """The rule wants another value: `before` stays. A person who changed it since keeps the last word."""
        verdict = left_alone(self.turn, claim) if claim.status is ClaimStatus.TAKEN else Verdict.SEEN
        if verdict is Verdict.PERSON:
            self.release(key, claim)
            return
        if verdict is Verdict.RAN_OUT and holds.is_over(self.turn, claim):
            self._ran_out(key, claim)
            return
        self.turn.tell(f"{want.part}: to be {self.turn.said(want.value)}, because {want.why}", want.part, "taking")
        ours = (*claim.ours, claim.wanted) if claim.aspect is Aspect.HOLD else ()
        claim = replace(self.turn_to(claim, ClaimStatus.TAKING), wanted=want.value, reasserted_at=None, ours=ours)
        self._pursue_taking(key, claim, want)

    def _begin(self, want: Want) -> None:
        of = self.turn.policy.parts[want.part]
        reading = self.turn.fresh(want.part)
        if reading is None or (want.since and not measured_after(reading.at, want.since, self.turn.now)):
            self.turn.look.add(want.part)
            return
        found, skip = value_of(reading), self._skipped(want)
        if enough(found, want.value):
            if skip is None:
                self._skip(want, reading.at.mono_s)
            return
        if skip is not None and was_only_silent(found, skip):
            self.skips.remove(skip)  # silent is not off: a host in its old boot was never off
        elif skip is not None and not is_enforced(self.turn, want):
            self._hand_over(want.part, want.aspect, want.episode, f"{want.part}: {deed(found)}")
            return
        claim = Claim(
            id=self.new_id(),
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
        self.turn.tell(f"{want.part}: to be {self.turn.said(want.value)}, because {want.why}", want.part, "taking")
        self.ask((want.part, want.aspect), claim, want.value, want.why)

    def _skipped(self, want: Want) -> Skip | None:
        key = (want.part, want.aspect, want.episode)
        return next((s for s in self.skips if (s.part, s.aspect, s.episode) == key), None)

    def _skip(self, want: Want, measured_s: float) -> None:
        """Found as wanted. Noted only from a reading of this outage: an older one may be out of date."""
        began = self.state.outage_since
        same_boot = began is not None and began.boot == self.turn.now.boot
        if began and same_boot and measured_s < began.mono_s - self.turn.policy.timing.confirm_s:
            self.turn.look.add(want.part)
            return
        self.skips.append(Skip(want.part, want.aspect, want.episode, self.turn.view(want.part).last_boot))
        self.turn.tell(f"{want.part}: is {word(want.value)} already, left as it is", want.part, "skip")

    def _hold(self, key: Key, claim: Claim, want: Want) -> None:
        self.claims[key] = claim
        if not want.frozen and is_moved(claim, want.value):
            self._move(key, claim, want)
            return
        match claim.status:
            case ClaimStatus.RETURNING if not want.frozen:
                self._take_back(key, claim, want)
            case ClaimStatus.TAKING:
                self._pursue_taking(key, claim, want)
            case ClaimStatus.TAKEN:
                self._guard(key, claim, want)

    def _take_back(self, key: Key, claim: Claim, want: Want) -> None:
        """Wanted again before it was seen given back: `before` stays, and a load that answers is asked at once.

        A host was only woken so far, and a silent one can't be asked: the next readings tell. Nor can a load that
        doesn't answer; what it says later counts only if measured after our request to give it back.
        """
        self.turn.tell(f"{claim.part}: taken again before it was given back", claim.part, "taking")
        progress = replace(claim.progress, accepted=False, tries=0)
        claim = replace(self.turn_to(claim, ClaimStatus.TAKING), progress=progress)
        if claim.aspect is not Aspect.HOST_POWER and self.turn.fresh(claim.part) is not None:
            self.ask(key, claim, claim.wanted, want.why)
        else:
            self._pursue_taking(key, claim, want)

    def _pursue_taking(self, key: Key, claim: Claim, want: Want) -> None:
        match in_flight(self.turn, claim, claim.wanted):
            case Verdict.SEEN:
                self.turn.tell(f"{claim.part}: {self.turn.said(claim.wanted)}", claim.part, "taken")
                self.claims[key] = self.turn_to(settled(self.turn, claim), ClaimStatus.TAKEN)
            case Verdict.PERSON:
                self.release(key, claim)
            case Verdict.OURS:
                self._begin_anew(key, claim, want)
            case Verdict.NOT_YET if not want.frozen and may_ask_again(self.turn, claim, claim.wanted):
                self.ask(key, warned(self.turn, claim), claim.wanted, want.why)
            case _:
                self.claims[key] = warned(self.turn, claim)
                self.turn.look.add(claim.part)

    def _begin_anew(self, key: Key, claim: Claim, want: Want) -> None:
        """A host that we woke is up, and was thereby given back; the outage that came meanwhile takes it from there."""
        del self.claims[key]
        self.turn.tell(f"{claim.part}: up again", claim.part, "returned")
        if not want.frozen:
            self._begin(want)

    def _guard(self, key: Key, claim: Claim, want: Want) -> None:
        verdict = left_alone(self.turn, claim)
        if verdict is Verdict.BLIND:
            self.turn.look.add(claim.part)
        if verdict in (Verdict.BLIND, Verdict.SEEN):
            return
        if verdict is Verdict.OURS:
            self._begin_anew(key, claim, want)
        elif verdict is Verdict.RAN_OUT:
            self._ran_out(key, claim)
        elif self._is_excused(claim, verdict):
            self._reassert(key, claim, verdict, want)
        else:
            self.release(key, claim)

    def _ran_out(self, key: Key, claim: Claim) -> None:
        """A hold ended by itself. On the schedule again, that was given back; another hold is owed till the end."""
        if holds.is_over(self.turn, claim):
            del self.claims[key]
            self.turn.tell(f"{claim.part}: its hold ran out, on its own schedule again", claim.part, "returned")

    def _is_excused(self, claim: Claim, verdict: Verdict) -> bool:
        """Whether we ask again: once after a gap, always where a host is in its old boot or the config enforces."""
        by_itself = verdict is Verdict.GAP and (claim.reasserted_at is None or claim.aspect is Aspect.HOST_POWER)
        return by_itself or is_enforced(self.turn, claim)

    def _reassert(self, key: Key, claim: Claim, verdict: Verdict, want: Want) -> None:
        last, every = claim.reasserted_at, self.turn.policy.timing.enforce_every_s
        if want.frozen or not (last is None or self.turn.waited(last, every)):
            return
        hand = "was turned on" if claim.aspect is Aspect.SWITCH else "was set by hand"
        how = "came back by itself" if verdict is Verdict.GAP else f"{hand}, and the config enforces it"
        self.turn.tell(f"{claim.part}: {how}, asked again", claim.part, "again")
        claim = replace(claim, reasserted_at=self.turn.now.instant)
        self.ask(key, self.turn_to(claim, ClaimStatus.TAKING), claim.wanted, want.why)

    def turn_to(self, claim: Claim, status: ClaimStatus) -> Claim:
        proof = claim.proof if status is ClaimStatus.TAKEN else Proof()
        return replace(claim, status=status, since=self.turn.now.instant, progress=Progress(), proof=proof)

    def new_id(self) -> int:
        self.claim_ids += 1
        return self.claim_ids

    def ask(self, key: Key, claim: Claim, goal: Value, why: str) -> None:
        """Put the request into the decision; it goes out once that is written down."""
        if claim.status is ClaimStatus.TAKING:
            claim = replace(claim, sent_at=self.turn.now.instant)
        elif isinstance(goal, HostPower):
            claim = replace(claim, woken_at=self.turn.now.instant)
        if isinstance(goal, HostPower) and isinstance(claim.before, HostPower):
            goal = HostPower(goal.up, claim.before.boot_id)
        progress = Progress(
            action=self.turn.act(claim.part, goal, why),
            asked_at=self.turn.now.instant,
            tries=claim.progress.tries + 1,
            problem=claim.progress.problem,
        )
        self.claims[key] = replace(claim, progress=progress)

    def release(self, key: Key, claim: Claim) -> None:
        """A person changed it: the claim ends, and the part is left alone until the episode ends."""
        del self.claims[key]
        self._hand_over(claim.part, claim.aspect, claim.episode, f"{claim.part}: {deed(claim.before)}")
        if claim.aspect is Aspect.HOLD:  # no other rule takes it from the person either, in what goes on now
            others = sorted(self.turn.episodes - {claim.episode})
            why = self.hands_off[-1].why
            self.hands_off += [HandsOff(claim.part, claim.aspect, e, self.turn.now.instant, why) for e in others]

    def _hand_over(self, part: str, aspect: Aspect, episode: str, why: str) -> None:
        self.turn.tell(f"{why}; {left_until(aspect, episode)}", part, "person")
        self.hands_off.append(HandsOff(part, aspect, episode, self.turn.now.instant, why))
