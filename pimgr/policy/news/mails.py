"""Mails at the turns of an outage: what happened, what happens next, and what the reader can do."""

from __future__ import annotations

from collections.abc import Iterable

from pimgr.api import Severity, replace
from pimgr.policy import said
from pimgr.policy.model import Aspect, Claim, HostPower, Phase, State, Switch, Tier
from pimgr.policy.news import lasting, when
from pimgr.policy.persons.people import LEASE
from pimgr.policy.shedding import conditions, outage
from pimgr.policy.turn import Turn
from pimgr.policy.values import enough, value_of, word
from pimgr.policy.want import Want
from pimgr.units import Percent

LOW_MARGIN = 20.0
"""A battery that the sun filled by so many points is told anew when it is low again."""


def letter(*blocks: Iterable[str]) -> list[str]:
    """The lines of a mail, an empty one between two blocks."""
    lines: list[str] = []
    for block in blocks:
        told = [line for line in block if line]
        lines += ["", *told] if lines and told else told
    return lines


def began(turn: Turn, state: State, charge: Percent | None) -> None:
    """The outage was confirmed in this tick."""
    wants = outage.wants(state, turn.policy)
    kept = {lease.part for lease in state.leases}
    going = [want.part for want in wants if want.part not in kept and not is_so(turn, want)]
    silent = [part for part in going if turn.view(part).fault]
    spared_w = sum(lasting.draws_w(turn, part) or 0.0 for part in going)
    battery = lasting.sentence(turn, state, charge, spared_w)
    number = "" if charge is None else f": battery at {charge:.0f} %"
    failed = when.told(turn, " at ", state.outage_since)
    settle_s = turn.policy.timing.settle_s
    steady = f"has been back for {said.duration(settle_s)}" if settle_s else "is back"
    turn.mail(
        f"{state.episode}-began",
        Severity.CRITICAL,
        f"The grid is down{number}{lasting.in_words(lasting.left_s(turn, state), ', lasts ') if number else ''}",
        letter(
            [f"The grid failed{failed}, and the house runs on its battery{f': {battery}' if battery else ''}."],
            [
                f"Going off now: {turn.names(going)}.",
                *later(turn, state),
                f"Never turned off: {turn.names(turn.policy.never_shed)}." if turn.policy.never_shed else "",
            ],
            _by_hand(turn, silent),
            [f"pimgr gives back by itself what it turned off when the grid {steady}."],
        ),
    )


def is_so(turn: Turn, want: Want) -> bool:
    """Whether a part is as wanted without our doing."""
    reading = turn.view(want.part).reading
    return reading is not None and enough(value_of(reading), want.value)


def later(turn: Turn, state: State) -> list[str]:
    """What goes off next: a line for each tier that isn't in force yet, or of which more may follow."""
    wanted = {want.part for want in outage.wants(state, turn.policy)}
    lines = []
    for tier in turn.policy.tiers:
        rest = [part for part in tier.loads if part not in wanted and part in outage.candidates(turn.policy)]
        if rest and (tier.keep is not None or tier.name not in state.tiers):
            lines.append(f"Later, {conditions.begins(tier)}: {turn.names(rest)}.")
    return lines


def _by_hand(turn: Turn, silent: list[str]) -> list[str]:
    """What a person can do in an outage."""
    faults = ", ".join(f"{turn.names([part])} ({turn.view(part).fault})" for part in silent)
    return [
        f"No answer from {faults}. Turn it off by hand; else pimgr does as soon as it answers." if silent else "",
        "What you can do: turn off what pimgr does not switch and you can spare, such as oven, dryer or cooling.",
    ]


def tier_goes_off(turn: Turn, state: State, tier: Tier, charge: Percent | None) -> None:
    """A tier was put in force in mid-outage."""
    number = f"{charge:.0f} %" if charge is not None else "unknown charge"
    by_charge = tier.below is not None and charge is not None and charge < tier.below
    turn.tell(f"tier {tier.name} goes off at {number}", what="tier")
    turn.mail(
        f"{state.episode}-{tier.name}-{turn.now.boot}-{turn.now.mono_s:.0f}",
        Severity.WARNING,
        f"Battery at {number}: {tier.name} goes off" if by_charge else f"{tier.name} goes off, battery at {number}",
        letter(
            [
                f"Going off now: {turn.names(tier.loads)}.",
                f"Why: {conditions.why(tier)}.",
                f"What goes off comes back {conditions.returns(tier, turn.policy)}.",
            ],
            later(turn, state) or ["pimgr has nothing more to turn off."],
        ),
    )


def drawing(turn: Turn) -> str:
    """What draws most, as a sentence of its own; "" where nothing is measured."""
    most = lasting.most_drawing(turn)
    return f"Drawing most of what pimgr can see: {most}." if most else ""


def over(turn: Turn, state: State, charge: Percent | None) -> None:
    """The grid is back and steady."""
    before = turn.before
    back = before.moved_at if before.phase is Phase.SETTLING else turn.now.instant
    since = state.outage_since
    lasted = f"; it was away for {said.duration(back.since(since))}" if since is not None and back is not None else ""
    if since is not None and since.boot != turn.now.boot and not turn.now.wall_trusted:
        lasted = ""  # nobody knows how long the box itself was dark
    battery = "" if charge is None else f"The battery is at {charge:.0f} %."
    claims = [c for c in state.claims if c.episode == state.episode and c.aspect is not Aspect.HOLD]
    owed = [c.part for c in sorted(claims, key=lambda c: -c.order)]
    hands = [f"{hand.why}; it is left so." for hand in state.hands_off if hand.episode == state.episode]
    turn.mail(
        f"{state.episode}-over",
        Severity.INFO,
        "The grid is back",
        letter(
            [f"The grid is back{when.told(turn, ' since ', back)} and steady{lasted}.", battery],
            [f"Giving back, one after the other: {turn.names(owed)}." if owed else "Nothing is owed.", *hands],
        ),
    )


def stuck(turn: Turn, claim: Claim) -> None:
    """Mail that a part can't be taken: the battery pays for it. What a wave is about to tell isn't told twice."""
    name, wanted = turn.names([claim.part]), word(claim.wanted)
    verb = "is not" if isinstance(claim.wanted, HostPower) else "can't be brought to be"
    verb = "can't be turned" if isinstance(claim.wanted, Switch) else verb
    wave = turn.before.reports.wave
    if wave is not None and not wave.told and claim.part in wave.parts:
        turn.tell(f"{claim.part}: {verb} {wanted} yet: {claim.progress.problem}", claim.part, "stuck")
        return
    trouble = f"The trouble: {claim.progress.problem}."
    why = "You want it so" if claim.rule == LEASE else "The outage goes on"
    lines = [f"{why}, and {name} {verb} {wanted} yet.", trouble, "pimgr goes on trying."]
    turn.mail(f"{claim.episode}-stuck-{claim.id}", Severity.WARNING, f"{name} {verb} {wanted}", lines)


def low(turn: Turn, state: State, charge: Percent | None, estimated: bool) -> State:
    """Tell once of each charge that the config calls low; again only after the sun filled the battery in between."""
    reports, fresh = state.reports, turn.before.episodes != state.episodes
    told = None if fresh or state.phase is Phase.NORMAL else reports.low_told
    if told is not None and charge is not None and charge >= told + LOW_MARGIN:
        told = None
    reached = [mark for mark in turn.policy.reports.battery_low if charge is not None and charge <= mark]
    if state.phase is Phase.OUTAGE and charge is not None and reached and (told is None or min(reached) < told):
        told = min(reached)
        _low(turn, state, charge, estimated)
    return state if told == reports.low_told else replace(state, reports=replace(reports, low_told=told))


def _low(turn: Turn, state: State, charge: Percent, estimated: bool) -> None:
    left = lasting.left_s(turn, state)
    number = f"{'about ' if estimated else ''}{charge:.0f} %"
    soon = lasting.in_words(left, ", ", " left")
    turn.tell(f"the battery is low: {number}", what="low")
    turn.mail(
        f"{state.episode}-low-{turn.now.boot}-{turn.now.mono_s:.0f}",
        Severity.CRITICAL,
        f"Battery at {number}{soon}",
        letter(
            [
                f"The grid is down{when.told(turn, ' since ', state.outage_since)}, and the battery is at "
                f"{lasting.sentence(turn, state, charge)}.",
                "The charge is an estimate, since the battery does not answer." if estimated else "",
            ],
            [*(later(turn, state) or ["pimgr has nothing more to turn off."]), drawing(turn)],
            [
                "What you can do: turn off whatever you can spare. At 0 % the house is dark, and so is pimgr; what it "
                "turned off it gives back when there is power again."
            ],
        ),
    )
