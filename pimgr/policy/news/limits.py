"""Limits of mail: what goes on and off a hundred times makes five mails, and the last of them says how it ended.

One thing (a device that is lost and back, a setting that does and doesn't come through) may make `PLAIN` mails within a
day. The next one says that it goes on and off; from then on nothing is mailed of it until it was the same for an hour.
Mails of an outage are not limited: each of them tells something that the house does.
"""

from __future__ import annotations

from pimgr.api import Instant, Now, Severity, replace
from pimgr.policy.model import Notice, State
from pimgr.policy.persons.people import Family, Held
from pimgr.policy.turn import Turn, surely_since

PLAIN = 3
MOST_MAILS = 5
WITHIN_S = 86400.0
CALM_S = 3600.0
GOES_ON = "It goes on and off. Further changes are not mailed until it has been the same for an hour."


def offer(family: Family, notice: Notice, now: Now) -> tuple[Family, Notice | None]:
    """What is mailed in place of this notice of a change, if anything."""
    sent = _lately(family, now)
    if family.muted or len(sent) >= MOST_MAILS:
        held = Held(severity=notice.severity, subject=notice.subject, text=notice.text)
        told = replace(family, sent=sent, held=held, muted=True, swallowed=family.swallowed + 1)
        return replace(told, changed_at=now.instant), None
    muted = len(sent) >= PLAIN
    if muted:
        subject, text = f"Goes on and off: {notice.subject}", f"{notice.text}\n{GOES_ON}"
        notice = replace(notice, subject=subject, text=text)
    return Family(sent=(*sent, now.instant), changed_at=now.instant, muted=muted), notice


def settle(family: Family, about: str, now: Now) -> tuple[Family, Notice | None]:
    """Whether it has been the same for an hour, and so may be told again; what was kept back is mailed then.

    Something critical that lasts is told though there were as many mails as there may be.
    """
    if not family.muted or family.changed_at is None or _ago_s(family.changed_at, now) < CALM_S:
        return family, None
    held, sent = family.held, _lately(family, now)
    if held is None:
        return replace(family, muted=False), None
    if len(sent) >= MOST_MAILS and held.severity is not Severity.CRITICAL:
        return family, None
    times = f"It changed {family.swallowed} more times. It has been so for an hour now:"
    key = f"{about}-steady-{now.boot}-{now.mono_s:.3f}"
    text = f"{times}\n{held.text}"
    notice = Notice(key=key, severity=held.severity, subject=held.subject, text=text, about=about)
    return Family(sent=(*sent, now.instant)[-MOST_MAILS:], changed_at=family.changed_at), notice


def is_forgotten(family: Family, now: Now) -> bool:
    """Whether nothing was mailed of it for a day, so that it counts as new."""
    return not family.muted and not _lately(family, now)


def _lately(family: Family, now: Now) -> tuple[Instant, ...]:
    return tuple(at for at in family.sent if _ago_s(at, now) < WITHIN_S)


def _ago_s(at: Instant, now: Now) -> float:
    return max(surely_since(at, now), now.since(at) if now.wall_trusted else 0.0)


def apply(turn: Turn, state: State) -> State:
    """Hold the notices of this tick to their limits, and say what each of them is about."""
    families, passed = dict(state.families), list[Notice]()
    for notice in turn.notices:
        known = _about(notice, state)
        if not known.limited:
            passed.append(known)
            continue
        families[known.about], mailed = offer(families.get(known.about, Family()), known, turn.now)
        passed += [mailed] if mailed else []
    for about, family in list(families.items()):
        families[about], mailed = settle(family, about, turn.now)
        passed += [mailed] if mailed else []
        if is_forgotten(families[about], turn.now):
            del families[about]
        elif families[about].muted:
            turn.wake_in(CALM_S)
    turn.notices[:] = passed
    return state if families == dict(state.families) else replace(state, families=families)


def _about(notice: Notice, state: State) -> Notice:
    """The keys of an outage's mails begin with its name."""
    of_outage = not notice.about and notice.key.startswith(f"{state.episode}-")
    return replace(notice, about=state.episode) if of_outage else notice
