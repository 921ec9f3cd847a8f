"""The order of machines: who goes off after whom, when an outlet is cut under one, and who is woken after whom.

Layers go off in parallel and nobody waits for ever: whoever refuses, hangs or does not answer is waited for until its
deadline. What may not begin yet is a frozen want, so that power coming back in between finds nothing half begun.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pimgr.api import HostReading, replace
from pimgr.policy.ledger import proof
from pimgr.policy.ledger.layers import Due, Proof
from pimgr.policy.model import Aspect, Claim, ClaimStatus, HandsOff, HostPower, Skip, State, Switch
from pimgr.policy.said import duration
from pimgr.policy.turn import Key, Turn
from pimgr.policy.want import Want


@dataclass(frozen=True)
class Order:
    """Who depends on whom. `later`: by part, those that go off after it and are back before it; `feeds`: by outlet."""

    later: Mapping[str, tuple[str, ...]]
    feeds: Mapping[str, str]


def order_of(turn: Turn) -> Order:
    """As the config has it: `after`, read the other way round."""
    later: dict[str, tuple[str, ...]] = {}
    feeds: dict[str, str] = {}
    for part, of in turn.policy.parts.items():
        if of.outlet:
            feeds[of.outlet] = part
        for earlier in of.after:
            later[earlier] = (*later.get(earlier, ()), part)
    return Order(later, feeds)


# ------------------------------------------------------------------------------------------------------- going off


def arrange(turn: Turn, state: State, wants: tuple[Want, ...]) -> tuple[State, tuple[Want, ...]]:
    """The wants, frozen where their turn has not come, and the outlets of machines that are off.

    The state has what the new readings say of each machine's being off, and who is waited for since when.
    """
    known = {(c.part, c.aspect): c for c in state.claims}
    claims = tuple(proof.watch(turn, known, claim) for claim in state.claims)
    if claims != state.claims:
        state = replace(state, claims=claims)
    order = order_of(turn)
    if not order.later and not order.feeds and not state.due:
        return state, wants
    layers = _Layers(turn, state, wants, order)
    wants = tuple(layers.in_turn(want) for want in wants)
    due = () if state.disarmed else tuple(layers.due)  # nobody is late who could not be asked
    return replace(state, due=due), (*wants, *_outlets(turn, state, wants))


class _Layers:
    """Whose turn has come in this tick."""

    def __init__(self, turn: Turn, state: State, wants: tuple[Want, ...], order: Order) -> None:
        self.turn, self.order = turn, order
        self.going = {w.part for w in wants if w.value not in (Switch(True), HostPower(True))}
        self.claims = {c.part: c for c in state.claims if c.part in self.going}
        left: tuple[HandsOff | Skip, ...] = (*state.hands_off, *state.skips)
        self.left = {one.part for one in left if one.episode in turn.episodes}
        self.due = [self._judged(due) for due in state.due if due.back != (due.part in self.going)]

    def _judged(self, due: Due) -> Due:
        of = self.turn.of(due.part)
        if due.back or due.late or of is None or self._is_off(due.part):
            return due
        if not self.turn.surely_waited(due.since, of.deadline_s):
            return due
        waited = f"{due.part}: not off within {duration(of.deadline_s)}, the others wait for it no longer"
        self.turn.tell(waited, due.part, "late")
        return replace(due, late=True)

    def in_turn(self, want: Want) -> Want:
        """The want, frozen as long as others must be off before; from its turn on its own deadline counts."""
        part, of = want.part, self.turn.of(want.part)
        if of is None or part not in self.going or want.frozen:
            return want
        held = [] if self._is_begun(part) else [earlier for earlier in of.after if self._holds(earlier)]
        if held:
            return replace(want, frozen=True, waits=f"{self.turn.names(held)} to be off")
        if part in self.order.later and not any(due.part == part for due in self.due):
            self.due.append(Due(part=part, back=False, since=self.turn.now.instant))
        return want

    def _is_begun(self, part: str) -> bool:
        """A machine that was woken meanwhile begins anew."""
        claim = self.claims.get(part)
        return claim is not None and claim.status is not ClaimStatus.RETURNING and claim.woken_at is None

    def _holds(self, earlier: str) -> bool:
        late = any(due.part == earlier and due.late for due in self.due)
        return earlier in self.going and not late and not self._is_off(earlier)

    def _is_off(self, part: str) -> bool:
        """Off as far as anything can tell of it, or a person's."""
        claim, of = self.claims.get(part), self.turn.of(part)
        if of is None or part in self.left:
            return True
        if claim is None or claim.status is not ClaimStatus.TAKEN:
            return False
        if claim.aspect is not Aspect.HOST_POWER:
            return True
        reading = self.turn.fresh(part)
        answers = isinstance(reading, HostReading) and reading.up
        return not answers and (claim.proof.off_at is not None or not proof.is_provable(claim, of))


def _outlets(turn: Turn, state: State, wants: tuple[Want, ...]) -> list[Want]:
    """What feeds a machine goes off after it: asked for only at a moment at which the machine is known to be off."""
    claims = {(c.part, c.aspect): c for c in state.claims}
    wanted = {(w.part, w.aspect) for w in wants}
    found: list[Want] = []
    for want in wants:
        of, host = turn.of(want.part), claims.get((want.part, Aspect.HOST_POWER))
        outlet = of.outlet if of else None
        if of is None or outlet is None or host is None or want.value != HostPower(False):
            continue
        key, cut = (outlet, Aspect.SWITCH), claims.get((outlet, Aspect.SWITCH))
        if host.status is not ClaimStatus.TAKEN or host.proof.off_at is None or key in wanted:
            continue
        if turn.of(outlet) is None or outlet in turn.policy.never_shed:
            continue
        if cut is not None and cut.status is ClaimStatus.RETURNING:
            continue  # its machine may be starting: it is shut down first
        done = cut is not None and cut.status is ClaimStatus.TAKEN
        waits = "" if done or want.frozen else proof.cut_waits(turn, host, of)
        why = f"{turn.names([want.part])}, which it feeds, is off"
        frozen = want.frozen or done or waits != ""
        found.append(
            replace(want, part=outlet, aspect=Aspect.SWITCH, value=Switch(False), why=why, frozen=frozen, waits=waits)
        )
    return found


# ------------------------------------------------------------------------------------------------------ coming back


class Returning:
    """Who must be back before whom, among what is owed in this tick. `due` grows with those whose turn comes."""

    def __init__(self, turn: Turn, claims: dict[Key, Claim], wanted: Collection[Key], due: Collection[Due]) -> None:
        self.turn, self.claims, self.wanted, self.order = turn, claims, wanted, order_of(turn)
        self.due = {d.part: d for d in due if d.back}

    def judge(self) -> None:
        """Nobody waits longer for what its deadline found not back."""
        for part, due in self.due.items():
            of = self.turn.of(part)
            if of is None or due.late or not self._is_owed(part):
                continue
            if self.turn.surely_waited(due.since, of.deadline_s):
                waited = f"{part}: not back within {duration(of.deadline_s)}, the others wait for it no longer"
                self.turn.tell(waited, part, "late")
                self.due[part] = replace(due, late=True)

    def left(self) -> tuple[Due, ...]:
        """What is still waited for."""
        return tuple(due for due in self.due.values() if self._is_owed(due.part))

    def holds(self, part: str) -> list[str]:
        """What must be back before `part`: those that went off after it, and the outlet that feeds it."""
        machine = self.order.feeds.get(part, part)
        later = [p for p in self.order.later.get(machine, ()) if p != part and self._is_awaited(p)]
        of = self.turn.of(part)
        outlet = of.outlet if of else None
        if outlet is None or (outlet, Aspect.SWITCH) not in self.claims:
            return later
        without_power = (outlet, Aspect.SWITCH) in self.wanted or self._is_awaited(outlet)
        return [*later, outlet] if without_power else later

    def said(self, part: str) -> str:
        """For what it waits, as a person is told: "nas is up"; "" for nothing."""
        held = self.holds(part)
        of = self.turn.of(held[0]) if held else None
        if len(held) != 1 or of is None:
            return f"{self.turn.names(held)} are back" if held else ""
        word = {Aspect.HOST_POWER: "up", Aspect.SWITCH: "on"}.get(of.aspect, "back")
        return f"{self.turn.names(held)} is {word}"

    def come(self, part: str, *, anew: bool = False) -> None:
        """Its turn came, and others wait for it from now on; `anew`: it was only now asked to come back."""
        of = self.turn.of(part)
        waited_for = part in self.order.feeds or (of is not None and bool(of.after))
        if waited_for and (anew or part not in self.due):
            late = part in self.due and self.due[part].late
            self.due[part] = Due(part=part, back=True, since=self.turn.now.instant, late=late)

    def powered(self, outlet: str, *, by_us: bool = True) -> None:
        """An outlet gets power again: its machine may start by itself, and what proved it off is no proof any more.

        `by_us` False: it was found on, and while the outage lasts it may have been a person.
        """
        key = (self.order.feeds.get(outlet, ""), Aspect.HOST_POWER)
        if key in self.claims and (by_us or key not in self.wanted):
            self.claims[key] = replace(self.claims[key], woken_at=self.turn.now.instant, proof=Proof())

    def _is_owed(self, part: str) -> bool:
        of = self.turn.of(part)
        return of is not None and (part, of.aspect) in self.claims and (part, of.aspect) not in self.wanted

    def _is_awaited(self, part: str) -> bool:
        return self._is_owed(part) and not (part in self.due and self.due[part].late)
