"""The tariff's rule: what the window in force wants of the site. A schedule is a state, at every moment anew.

So a missed edge, a restart or an outage costs nothing: whatever is wanted now is pursued as soon as it can be. What the
ring can't know, where it is in the day, comes with the calendar; without one nothing new is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable

from pimgr.api import Frozen, Instant, Now, replace
from pimgr.policy.aspects import GridCharging, Mode, Reserve, Setting
from pimgr.policy.battery import floor, site
from pimgr.policy.battery.rates import Period, Schedule
from pimgr.policy.battery.settings import SettingWant
from pimgr.policy.battery.site_telling import SITE
from pimgr.policy.calendar import Window
from pimgr.policy.model import Inputs, Phase, State
from pimgr.policy.turn import Turn
from pimgr.policy.values import aspect_of, word
from pimgr.units import Percent

RULE = "tariff"
BACK_S = 300.0
"""A clock that is set right by less than this leads back into no window that was left."""
WRONG_S = 60.0
WAITS = "schedules wait until the clock is right"


class Scheme(Frozen, kw_only=True):
    """What the tariff wants of the site now, and what else there is to say of it."""

    wants: tuple[SettingWant, ...] = ()
    said: str = ""


def window(inputs: Inputs, state: State, now: Now) -> Window | None:
    """The window in force; None without a tariff, or while nobody trusts the clock."""
    calendar = inputs.calendar
    if calendar is None or not now.wall_trusted:
        return None
    found = calendar.window(now.wall)
    known = next((w for w in calendar.windows if w.id == state.schedule.window), None)
    if known is not None and 0.0 < known.start - now.wall <= BACK_S:
        return known
    return found


def ended(before: State, state: State, now: Now) -> State:
    """Note when an outage was over; with a wall clock that was wrong then, as soon as that is right."""
    if state.phase is Phase.NORMAL and before.phase in (Phase.OUTAGE, Phase.SETTLING):
        return replace(state, outage_ended=state.moved_at or now.instant)
    at = state.outage_ended
    if at is None or at.boot != now.boot or not now.wall_trusted:
        return state
    wall = now.wall - (now.mono_s - at.mono_s)
    return replace(state, outage_ended=Instant(at.mono_s, wall, at.boot)) if abs(wall - at.wall) > WRONG_S else state


def follow(turn: Turn, state: State) -> State:
    """Tell of each window once as it is left and entered, also when pimgr wasn't there at the time."""
    tariff, now_in = turn.policy.tariff, window(turn.inputs, state, turn.now)
    if tariff is not None and now_in is None:
        return state  # nobody knows: it is told when the clock is right again
    old = state.schedule
    if (now_in.id if now_in else "") == old.window:
        return state
    if old.window:
        turn.tell(f"{old.period} is over", SITE, "window")
    if tariff is None or now_in is None:
        return replace(state, schedule=Schedule())
    period = tariff.period(now_in.period)
    wanted = [_phrase(want) for want in _of_period(turn, state, (period, now_in))]
    turn.tell(": ".join([f"{now_in.period} began{_until(now_in)}", *filter(None, [", ".join(wanted)])]), SITE, "window")
    return replace(state, schedule=Schedule(window=now_in.id, period=now_in.period))


def scheme(turn: Turn, state: State) -> Scheme:
    """What is wanted of the site by the window in force, and when to look again."""
    tariff = turn.policy.tariff
    if tariff is None:
        return Scheme()
    now_in = window(turn.inputs, state, turn.now)
    if now_in is None:
        return Scheme(wants=_as_it_was(state), said=WAITS)
    turn.wake_at_wall(now_in.end)
    period = tariff.period(now_in.period)
    wants = _of_period(turn, state, (period, now_in))
    said = [] if wants else [f"{now_in.period}{_until(now_in)}, which sets nothing"]
    said += [floor.missing(turn)] if period.reserve is not None else []
    return Scheme(wants=wants, said="; ".join(filter(None, said)))


def keep(turn: Turn, state: State) -> State:
    """Pursue what the config and the tariff want of the site; what the tariff wants goes before."""
    plan = scheme(turn, state)
    return site.keep(turn, state, _over(site.standing(turn.policy), plan.wants), plan.said)


def _over(standing: Iterable[SettingWant], wants: tuple[SettingWant, ...]) -> tuple[SettingWant, ...]:
    mine = {aspect_of(want.value) for want in wants}
    return (*wants, *(want for want in standing if aspect_of(want.value) not in mine))


def _of_period(turn: Turn, state: State, of: tuple[Period, Window]) -> tuple[SettingWant, ...]:
    period, now_in = of
    why = f"{now_in.period}{_until(now_in)}"
    settings: list[Setting] = [] if period.mode is None else [Mode(period.mode)]
    settings += [] if period.grid_charging is None else [GridCharging(period.grid_charging)]
    wants = [SettingWant(value=value, rule=RULE, why=why, episode=now_in.id) for value in settings]
    if period.reserve is not None:
        least = floor.least(turn, state, period)
        reserve = floor.taken(max(period.reserve, least.percent))
        raised = f"raised from {period.reserve:g} %, since {least.why}" if reserve > period.reserve else ""
        value, why = Reserve(Percent(reserve)), "; ".join(filter(None, (why, raised)))
        wants.append(SettingWant(value=value, rule=RULE, why=why, raised=raised, episode=now_in.id, raises=True))
    return tuple(wants)


def _as_it_was(state: State) -> tuple[SettingWant, ...]:
    """What the last window wanted, without asking for it: nobody knows which window it is now."""
    return tuple(
        SettingWant(value=p.wanted, rule=RULE, why="by the last window", episode=p.episode, frozen=True)
        for p in state.site.pursuits
        if p.episode
    )


def _phrase(want: SettingWant) -> str:
    return word(want.value) + (f" ({want.raised})" if want.raised else "")


def _until(now_in: Window) -> str:
    return f" until {now_in.until}" if now_in.until else ""
