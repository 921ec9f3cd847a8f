"""Whether what an outage takes is off, and whether it was all given back: told once each, with what is otherwise."""

from __future__ import annotations

from pimgr.api import Severity, replace
from pimgr.policy import said
from pimgr.policy.model import Aspect, Claim, ClaimStatus, HandsOff, Phase, State
from pimgr.policy.news import lasting, mails
from pimgr.policy.news.report_words import Giving, Wave
from pimgr.policy.shedding import outage
from pimgr.policy.shedding.draw import changed_at
from pimgr.policy.turn import Turn
from pimgr.policy.values import bidding, word
from pimgr.policy.want import Want
from pimgr.units import Percent

PATIENCE_S = 180.0
"""After so long the rest is told as missing: a machine may take 150 s to shut down. Source: DESIGN, deadlines."""
METERED_S = 30.0
"""By then the meters have told what the house draws without what went off, and so how long the battery lasts."""
MOST_NAMES = 3
"""Of more, a subject gives the number only."""


def follow(turn: Turn, state: State, wants: tuple[Want, ...], charge: Percent | None) -> State:
    """Tell when everything is off, and when everything was given back."""
    reports = state.reports
    wave = _shed(turn, state, wants, charge)
    giving = _given_back(turn, state)
    if (wave, giving) == (reports.wave, reports.giving):
        return state
    return replace(state, reports=replace(reports, wave=wave, giving=giving))


def _is_shed(one: Want | Claim | HandsOff) -> bool:
    """A thermostat is only moved."""
    return one.aspect is not Aspect.HOLD


# ------------------------------------------------------------------------------------------------------- going off


def _shed(turn: Turn, state: State, wants: tuple[Want, ...], charge: Percent | None) -> Wave | None:
    known = state.reports.wave
    if state.phase is not Phase.OUTAGE:
        return known if state.phase is Phase.SETTLING else None
    mine = tuple(want for want in wants if _is_shed(want) and want.rule in state.tiers and not want.frozen)
    wave = _wave(turn, state, known, tuple(want.part for want in mine))
    if wave is None or wave.told:
        return wave
    missing = [want for want in mine if not _is_settled(state, want)]
    if missing and not turn.surely_waited(wave.since, PATIENCE_S):
        return wave
    changed = changed_at(state, turn.now)
    if not missing and changed is not None and not turn.surely_waited(changed, METERED_S):
        return wave
    complete = set(outage.candidates(turn.policy)) <= set(wave.parts)
    if missing or wave.first or complete:
        _tell_shed(turn, state, _Shed(mine, missing, complete), charge)
    return replace(wave, told=True, first=False)


def _wave(turn: Turn, state: State, known: Wave | None, parts: tuple[str, ...]) -> Wave | None:
    """The wave of these parts: a new one where another part goes off now."""
    if not parts:
        return None
    if known is None or known.episode != state.episode:
        return Wave(episode=state.episode, parts=parts, since=turn.now.instant, first=True)
    if set(parts) - set(known.parts):
        return replace(known, parts=parts, since=turn.now.instant, told=False)
    return known if parts == known.parts else replace(known, parts=parts)


def _claim(state: State, want: Want) -> Claim | None:
    return next((c for c in state.claims if (c.part, c.aspect) == (want.part, want.aspect)), None)


def _is_settled(state: State, want: Want) -> bool:
    """Whether nothing more is expected: taken, found so, or a person's."""
    claim = _claim(state, want)
    if claim is not None:
        return claim.status is ClaimStatus.TAKEN
    left = {(skip.part, skip.aspect) for skip in state.skips} | {(hand.part, hand.aspect) for hand in state.hands_off}
    return (want.part, want.aspect) in left


class _Shed:
    """What is told of a wave: all that is wanted, what is missing, and whether nothing more can go off."""

    def __init__(self, wants: tuple[Want, ...], missing: list[Want], complete: bool) -> None:
        self.wants, self.missing, self.complete = wants, missing, complete

    def subject(self, turn: Turn) -> str:
        if self.missing:
            of = f"{len(self.missing)} of {len(self.wants)} {'is' if len(self.missing) == 1 else 'are'} not off"
            names = [want.part for want in self.missing]
            return f"{of}: {turn.names(names)}" if len(names) <= MOST_NAMES else of
        if self.complete:
            return "Everything is off that may go off"
        return f"Off as planned: {_few(turn, [want.part for want in self.wants])}"


def _few(turn: Turn, parts: list[str]) -> str:
    """Their names, or only how many they are."""
    return turn.names(parts) if len(parts) <= MOST_NAMES else said.counted(len(parts), "load")


def _tell_shed(turn: Turn, state: State, shed: _Shed, charge: Percent | None) -> None:
    parts = {want.part for want in shed.wants}
    taken = [c.part for c in state.claims if c.part in parts and c.status is ClaimStatus.TAKEN]
    skipped = [s.part for s in state.skips if s.part in parts]
    battery = lasting.sentence(turn, state, charge)
    nothing = "pimgr has nothing more to turn off." if shed.complete else ""
    missing = [_missing(turn, state, want) for want in shed.missing]
    turn.mail(
        f"{state.episode}-shed-{turn.now.boot}-{turn.now.mono_s:.0f}",
        Severity.WARNING if shed.missing else Severity.INFO,
        shed.subject(turn),
        mails.letter(
            [
                f"Off now: {turn.names(taken)}." if taken else "",
                f"Was off before, and stays so: {turn.names(skipped)}." if skipped else "",
                *(f"{hand.why}; it is left so." for hand in state.hands_off if hand.part in parts),
            ],
            [*missing, "pimgr goes on trying; what you turn off by hand helps the battery." if missing else ""],
            [
                f"The battery is at {battery}." if battery else "",
                *(mails.later(turn, state) or [nothing]),
            ],
        ),
    )


def _missing(turn: Turn, state: State, want: Want) -> str:
    """Why a part is not off."""
    claim, name = _claim(state, want), turn.names([want.part])
    fault = turn.view(want.part).fault
    if claim is not None and claim.progress.problem:
        return f"Not {word(want.value)} yet: {name} ({claim.progress.problem})."
    if fault:
        return f"No answer from {name} ({fault})."
    asked = f"it was asked {said.counted(claim.progress.tries, 'time')}" if claim is not None else "it was not read yet"
    return f"Not {word(want.value)} yet: {name} ({asked})."


# ------------------------------------------------------------------------------------------------------- given back


def _given_back(turn: Turn, state: State) -> Giving | None:
    before, giving = turn.before, state.reports.giving
    if state.phase in (Phase.OUTAGE, Phase.SETTLING):
        return None
    if before.phase in (Phase.OUTAGE, Phase.SETTLING):
        giving = _begin(before, state)
    if giving is None:
        return None
    giving = _noted(turn, giving)
    remaining = [claim for claim in state.claims if _is_shed(claim) and claim.episode == giving.episode]
    if not remaining:
        _tell_all(turn, state, giving)
        return None
    if not giving.told and len(giving.owed) > 1 and all(claim.nags for claim in remaining):
        _tell_rest(turn, state, giving, remaining)
        return replace(giving, told=True)
    return giving


def _begin(before: State, state: State) -> Giving | None:
    owed = tuple(claim.part for claim in before.claims if _is_shed(claim) and claim.episode == before.episode)
    left = {hand.part: hand.why for hand in before.hands_off if _is_shed(hand) and hand.episode == before.episode}
    return Giving(episode=state.episode, owed=owed, left=left) if owed else None


def _noted(turn: Turn, giving: Giving) -> Giving:
    """With what happened to parts in this tick: a person changed one, or wrote it off."""
    told = {e.part: e.text.partition(";")[0] for e in turn.events if e.what in ("person", "forgotten")}
    new = {part: text for part, text in told.items() if part in giving.owed}
    return replace(giving, left={**giving.left, **new}) if new else giving


def _tell_all(turn: Turn, state: State, giving: Giving) -> None:
    held = [claim.part for claim in state.claims if _is_shed(claim) and claim.part in giving.owed]
    back = [part for part in giving.owed if part not in giving.left and part not in held]
    turn.mail(
        f"{giving.episode}-given-back-{state.action_ids}",
        Severity.INFO,
        "Everything was given back",
        mails.letter(
            [f"As it was found again: {turn.names(back)}." if back else ""],
            [f"Otherwise, and left so: {text}." for text in giving.left.values()],
            [f"Still taken, for another reason: {turn.names(held)}." if held else "Nothing is owed any more."],
        ),
    )


def _tell_rest(turn: Turn, state: State, giving: Giving, remaining: list[Claim]) -> None:
    """One mail of all that doesn't answer, instead of one for each."""
    silent = [claim.part for claim in remaining]
    back = [part for part in giving.owed if part not in giving.left and part not in silent]
    each = {f"owed-{claim.id}-{claim.nags}" for claim in remaining}
    turn.notices[:] = [notice for notice in turn.notices if notice.key not in each]
    turn.mail(
        f"{giving.episode}-given-back-but-{state.action_ids}",
        Severity.WARNING,
        f"{'Given back, except for' if back else 'Not given back yet:'} {_few(turn, silent)}",
        mails.letter(
            [f"As it was found again: {turn.names(back)}." if back else ""],
            [_still_owed(turn, claim) for claim in remaining],
            [f"Otherwise, and left so: {text}." for text in giving.left.values()],
            ["pimgr goes on trying, and tells you daily until it is done."],
        ),
    )


def _still_owed(turn: Turn, claim: Claim) -> str:
    fault = claim.progress.problem or turn.view(claim.part).fault or "no answer"
    cure = f"{bidding(claim.before).capitalize()} by hand, or write it off with: pimgr forget {claim.part}"
    return f"Still owed: {turn.names([claim.part])} ({fault}). {cure}"
