"""What a person is told of the site's settings: mails when they don't come through, and why they are as they are."""

from __future__ import annotations

from pimgr.api import Severity, SiteMode, SiteReading
from pimgr.policy.aspects import Aspect, GridCharging, Mode, Reserve, Setting
from pimgr.policy.battery.settings import Pursuit, SettingWant, Stage
from pimgr.policy.model import Reason, State
from pimgr.policy.turn import Turn
from pimgr.policy.values import aspect_of, setting_of, word

SITE = "site"
"""What the site is called in reasons and in the history; no connection may be called so while anything is kept."""


def in_the_app(mode: SiteMode) -> str:
    """What the Tesla app calls a mode."""
    match mode:
        case SiteMode.SELF_CONSUMPTION:
            return "Self-Powered"
        case SiteMode.AUTONOMOUS:
            return "Time-Based Control"
        case SiteMode.BACKUP:
            return "Backup-Only (where the app has no such mode: a backup reserve of 100 %)"


def _by_hand(wanted: Setting) -> str:
    """What to do in the vendor's app."""
    match wanted:
        case Reserve(percent=percent):
            return f"In the battery's app, set the backup reserve to {percent:g} %."
        case Mode(mode=mode):
            return f"In the battery's app, set the operation mode to {in_the_app(mode)}."
        case GridCharging(allowed=allowed):
            return f"In the battery's app, {'allow' if allowed else 'switch off'} charging from the grid."


def alarm(turn: Turn, p: Pursuit, want: SettingWant) -> None:
    """Mail that a setting does not come through; pimgr goes on trying once an hour."""
    what = "is set, and the battery discharges all the same" if p.ignored else "does not come through"
    trouble = p.problem or ("its requests are accepted" if p.accepted else "its requests get no answer")
    turn.tell(f"{word(p.wanted)} {what}: a person is asked to set it", SITE, "alarm")
    turn.alarm(
        _about(aspect_of(p.wanted)),
        f"Manual update required: {word(p.wanted)}",
        [
            f"The battery is to be at {word(p.wanted)}, because {want.why}. That {what}.",
            f"The last try was by {p.control or 'nobody'}: {trouble}.",
            _by_hand(p.wanted),
            "pimgr goes on trying once an hour, and tells you when it sees it.",
        ],
    )


def _about(aspect: Aspect) -> str:
    return f"site-{aspect}"


def alarms_over(turn: Turn, state: State) -> None:
    """What is no longer to be set by hand: it came through, or something else is wanted."""
    alarmed = {_about(aspect_of(p.wanted)) for p in state.site.pursuits if p.alarmed}
    for alert in turn.before.alerts:
        if alert.key in map(_about, Aspect) and alert.key not in alarmed:
            turn.clear(alert.key)


def over(turn: Turn, p: Pursuit) -> None:
    """What was alarmed is seen."""
    turn.tell(f"{word(p.wanted)} came through", SITE, "set")
    about, lines = _about(aspect_of(p.wanted)), ["It is set; nothing is to be done."]
    turn.news(about, Severity.INFO, f"Over: {word(p.wanted)} came through", lines)


def person(turn: Turn, p: Pursuit, reading: SiteReading) -> None:
    told = setting_of(reading, aspect_of(p.wish))
    now = word(told) if told is not None else "otherwise"
    until = "the next window of the tariff" if p.episode else "another value is wanted"
    turn.tell(f"{now}: somebody changed it in the app; left so until {until}", SITE, "person")


def _status(stage: Stage) -> str:
    match stage:
        case Stage.WAITING:
            return "pending"
        case Stage.ASKED:
            return "asked"
        case Stage.SEEN:
            return "kept"
        case Stage.PERSON:
            return "hands off"


def reason(turn: Turn, state: State, wants: tuple[SettingWant, ...], hindrance: str) -> None:
    """One line for the site: what is wanted, and how far that is. `hindrance`: what else there is to say."""
    pursuits = {aspect_of(p.wanted): p for p in state.site.pursuits}
    mine = [(want, pursuits[aspect_of(want.value)]) for want in wants if aspect_of(want.value) in pursuits]
    if not mine:
        if hindrance and turn.policy.tariff is not None:
            turn.reasons.append(Reason(part=SITE, status="tariff", why=hindrance))
        return
    said = [f"{word(want.value)} ({want.why}): {_how(turn, p)}" for want, p in mine]
    waits = [p for _, p in mine if p.stage in (Stage.WAITING, Stage.ASKED)]
    status = "alarm" if any(p.alarmed for _, p in mine) else _status((waits or [mine[0][1]])[0].stage)
    turn.reasons.append(Reason(part=SITE, status=status, why="; ".join(said), returns=hindrance))


def _how(turn: Turn, p: Pursuit) -> str:
    if p.alarmed:
        return f"does not come through, set it by hand{f' ({p.problem})' if p.problem else ''}"
    match p.stage:
        case Stage.WAITING:
            told = any(setting_of(r, aspect_of(p.wish)) is not None for r in turn.inputs.settings)
            return "not asked for yet" if told else "not asked for yet, since no meter tells how it is"
        case Stage.ASKED:
            by = f"asked by {p.control} {p.tries} times" if p.tries > 1 else f"asked by {p.control}"
            return f"{by}, not seen yet{f' ({p.problem})' if p.problem else ''}"
        case Stage.SEEN:
            return "seen" if p.wish == p.wanted else f"{word(p.wish)} stands in for it"
        case Stage.PERSON:
            return f"somebody changed it since, and it is theirs{' until the next window' if p.episode else ''}"
