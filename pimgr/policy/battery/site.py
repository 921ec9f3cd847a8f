"""The site's keep: one setting after the other is written, read back, watched in its effect, resent, escalated.

A cloud accepts what the battery then ignores, and two commands at once overtake each other. So one write is on its way
at a time, only a reading measured after it counts, and a reserve that stands on paper while the battery goes on
discharging below it has not come through.
"""

from __future__ import annotations

from collections.abc import Iterable

from pimgr.api import SiteReading, replace
from pimgr.policy.aspects import Aspect, Mode, Reserve
from pimgr.policy.battery import effect, floor, site_telling
from pimgr.policy.battery.settings import BACKUP, FULL, Pursuit, SettingWant, SiteState, Stage
from pimgr.policy.model import Phase, Policy, State
from pimgr.policy.phases import grid_is_seen
from pimgr.policy.turn import Turn, from_the_future, measured_after
from pimgr.policy.values import aspect_of, is_set, setting_of, word

ORDER = (Aspect.MODE, Aspect.RESERVE, Aspect.GRID_CHARGING)
"""The mode first: a change of it may bring a reserve of its own along."""
RESEND_S = (30.0, 60.0, 120.0, 300.0)
MOST_TRIES = 6
MOST_IGNORED = 3
ALARMED_EVERY_S = 3600.0
BLIND_S = 900.0
"""Without a reading that tells the setting for this long after a request, it is taken as lost."""
LOOK_EVERY_S = 120.0
LOOK_FOR_S = 6.0
"""Meters of a cloud are asked out of turn once in two minutes: their calls are counted, and a status may be dated back.
For longer than the longest time between two ticks, so that there is one in it."""
STALE_S = 330.0
"""After a request a cloud may tell the old value for so long. Source: live status is renewed every 5 minutes."""

STORM = "a storm is coming, and the vendor's storm watch has the battery"


def standing(policy: Policy) -> tuple[SettingWant, ...]:
    """What the config wants of the site at all times."""
    return tuple(SettingWant(value=value, rule="keep", why="the config wants it") for value in policy.site.keep)


def keep(turn: Turn, state: State, wants: Iterable[SettingWant], said: str = "") -> State:
    """Pursue what the rules want of the site now, outside outages. A rule says what it wants; this does the rest.

    `said`: what else there is to say of the site.
    """
    wanted = {aspect_of(want.value): want for want in wants} if turn.policy.site.controls else {}
    site = _owing(state.site, wanted)
    if site.mode_before is not None and Aspect.MODE not in wanted:
        why = "it was so before the mode had to stand in for the reserve"
        wanted[Aspect.MODE] = SettingWant(value=site.mode_before, rule="keep", why=why)
    known = {aspect_of(p.wanted): p for p in site.pursuits}
    if _stands_in(site.pursuits) and (Aspect.RESERVE not in wanted or wanted[Aspect.RESERVE].value != FULL):
        known.pop(Aspect.MODE, None)  # it was pushed aside, and begins anew
    pursuits = {aspect: _taken_up(turn, known.get(aspect), wanted[aspect]) for aspect in ORDER if aspect in wanted}
    state = replace(state, site=replace(site, pursuits=tuple(pursuits.values())))
    hindrance, storm = _hindrance(turn, state), STORM if floor.storm(turn) else ""
    state = effect.watch(turn, state, blind=bool(hindrance or storm))
    for aspect in pursuits if not hindrance else ():
        others = [p for p in state.site.pursuits if aspect_of(p.wanted) is not aspect]
        if wanted[aspect].frozen or (aspect is Aspect.MODE and _stands_in(others)):
            continue
        if storm and not _raises(turn, wanted[aspect]):
            continue
        mine = next(p for p in state.site.pursuits if aspect_of(p.wanted) is aspect)
        busy = any(p.stage is Stage.ASKED and not p.alarmed for p in others)
        state = _with(turn, state, _Pursuing(turn, state, wanted[aspect], busy).step(mine))
    site_telling.alarms_over(turn, state)
    site_telling.reason(turn, state, tuple(wanted.values()), "; ".join(filter(None, (said, hindrance or storm))))
    return state


def _raises(turn: Turn, want: SettingWant) -> bool:
    """Whether this is to be had in a storm too: a reserve that is lower than wanted, or as wanted."""
    reading = newest(turn, Aspect.RESERVE) if want.raises else None
    told = setting_of(reading, Aspect.RESERVE) if reading else None
    if not isinstance(told, Reserve) or not isinstance(want.value, Reserve):
        return False
    return told.percent <= want.value.percent or is_set(told, want.value)


def _owing(site: SiteState, wanted: dict[Aspect, SettingWant]) -> SiteState:
    """The mode from before is due again when the reserve that it stood in for is no longer wanted."""
    standing_in = _stands_in(site.pursuits)
    still = Aspect.RESERVE in wanted and wanted[Aspect.RESERVE].value == FULL
    if site.mode_before is None or (standing_in and still):
        return site
    mine = next((p for p in site.pursuits if aspect_of(p.wanted) is Aspect.MODE), None)
    returned = mine is not None and mine.wanted == site.mode_before and mine.stage in (Stage.SEEN, Stage.PERSON)
    if Aspect.MODE in wanted or (returned and not standing_in):
        return replace(site, mode_before=None)
    return site


def _stands_in(pursuits: Iterable[Pursuit]) -> bool:
    return any(p.wanted == FULL and p.escalated for p in pursuits)


def _taken_up(turn: Turn, known: Pursuit | None, want: SettingWant) -> Pursuit:
    """The pursuit of this want so far, with the answer to its request if that came."""
    if known is None or _begins_anew(known, want):
        return Pursuit(wanted=want.value, episode=want.episode)
    if known.wanted != want.value or known.episode != want.episode:
        known = replace(known, wanted=want.value, episode=want.episode)
    outcome = turn.outcome(known.action)
    if outcome is None:
        return known
    problem = outcome.fact if outcome.error else ""
    if problem and problem != known.problem:
        turn.tell(problem, site_telling.SITE, "problem")
    return replace(known, accepted=not outcome.error, problem=problem)


def _begins_anew(known: Pursuit, want: SettingWant) -> bool:
    """Another value is wanted; but what a person changed is theirs until the window is another one."""
    if known.stage is Stage.PERSON and (known.episode or want.episode):
        return known.episode != want.episode
    return known.wanted != want.value


def _with(turn: Turn, state: State, pursuit: Pursuit) -> State:
    aspect = aspect_of(pursuit.wanted)
    pursuits = tuple(pursuit if aspect_of(p.wanted) is aspect else p for p in state.site.pursuits)
    before = state.site.mode_before
    if pursuit.wish != pursuit.wanted and before is None:
        told = newest(turn, Aspect.MODE)
        mode = setting_of(told, Aspect.MODE) if told else None
        before = mode if isinstance(mode, Mode) and mode != BACKUP else None
    site = SiteState(pursuits=pursuits, mode_before=before)
    return state if site == state.site else replace(state, site=site)


def _hindrance(turn: Turn, state: State) -> str:
    """Why nothing is asked of the site now, whatever is wanted."""
    if state.disarmed is not None:
        return "nothing is changed while pimgr is disarmed"
    if state.phase is not Phase.NORMAL:
        return "nothing is changed during an outage"
    if not grid_is_seen(state, turn.policy.timing, turn.now):
        return "nothing is changed while nobody knows whether the grid is there"
    return ""


def newest(turn: Turn, aspect: Aspect) -> SiteReading | None:
    """The reading measured last of those that tell this setting."""
    telling = (
        reading
        for reading in turn.inputs.settings
        if setting_of(reading, aspect) is not None
        and reading.at.boot == turn.now.boot
        and not from_the_future(reading.at, turn.now)
    )
    return max(telling, key=lambda reading: reading.at.mono_s, default=None)


class _Pursuing:
    """One step of one setting, in one tick. `busy`: another write is on its way."""

    def __init__(self, turn: Turn, state: State, want: SettingWant, busy: bool) -> None:
        self.turn, self.state, self.want, self.busy = turn, state, want, busy
        self.controls = turn.policy.site.controls

    def step(self, p: Pursuit) -> Pursuit:
        """The pursuit after this tick; what it asks for is in the decision."""
        match p.stage:
            case Stage.PERSON:
                return p
            case Stage.SEEN:
                return self._watch(p)
            case Stage.WAITING:
                return self._begin(p)
            case Stage.ASKED:
                return self._read_back(p)

    def _so(self, p: Pursuit) -> tuple[SiteReading | None, bool]:
        """The newest reading that tells, and whether it is as wanted (or as is asked for in its place)."""
        ways = {aspect_of(p.wish): p.wish}
        if p.stage is not Stage.ASKED or p.alarmed:
            ways |= {aspect_of(p.wanted): p.wanted}
        readings = [(newest(self.turn, aspect), aspect) for aspect in ways]
        for reading, aspect in readings:
            told = setting_of(reading, aspect) if reading else None
            if told is not None and is_set(told, ways[aspect]) and self._is_news(reading, p):
                return reading, True
        return readings[0][0], False

    def _is_news(self, reading: SiteReading | None, p: Pursuit) -> bool:
        mark = p.asked_at if p.stage is Stage.ASKED else None
        return reading is not None and (mark is None or measured_after(reading.at, mark, self.turn.now))

    def _begin(self, p: Pursuit) -> Pursuit:
        reading, so = self._so(p)
        if reading is None:
            self._look(p)
            return p
        return self._seen(p, reading) if so else self._ask(p)

    def _read_back(self, p: Pursuit) -> Pursuit:
        """Only a reading measured after the request counts."""
        reading, so = self._so(p)
        if reading is not None and so:
            return self._seen(p, reading)
        self._look(p)
        if p.accepted is False:
            return self._again(replace(p, failing=tuple(dict.fromkeys((*p.failing, p.control)))))
        patience_s = self._patience(p) if self._is_news(reading, p) else max(BLIND_S, self._patience(p))
        return self._again(p) if p.asked_at is None or self.turn.waited(p.asked_at, patience_s) else p

    def _watch(self, p: Pursuit) -> Pursuit:
        """It was read back: does the battery obey, and did anybody change it since?"""
        if effect.is_ignored(self.turn, self.state, p) and not self.busy:
            said = f"{word(p.wish)} is set, and the battery discharges all the same"
            self.turn.tell(said, site_telling.SITE, "ignored")
            return self._again(replace(p, ignored=p.ignored + 1, seen_at=None, stage=Stage.ASKED))
        if p.ignored and effect.obeyed(self.turn, p):
            p = self._well(replace(p, ignored=0, tries=0))
        reading, so = self._so(p)
        if reading is None or so or p.seen_at is None or not measured_after(reading.at, p.seen_at, self.turn.now):
            return p
        if p.asked_at is not None and not self.turn.waited(p.asked_at, STALE_S):
            return p
        site_telling.person(self.turn, p, reading)
        return replace(p, stage=Stage.PERSON)

    def _well(self, p: Pursuit) -> Pursuit:
        """It came through: whoever was asked to set it by hand is told."""
        if not p.alarmed:
            return p
        site_telling.over(self.turn, p)
        return replace(p, alarmed=False)

    def _seen(self, p: Pursuit, reading: SiteReading) -> Pursuit:
        if p.stage is Stage.ASKED:
            self.turn.tell(f"{word(p.wish)}, as {reading.source} tells", site_telling.SITE, "set")
        p = replace(p, stage=Stage.SEEN, seen_at=reading.at, failing=(), problem="", tries=p.tries if p.ignored else 0)
        return p if p.ignored else self._well(p)

    # ------------------------------------------------------------------------------------------------- asking again

    def _again(self, p: Pursuit) -> Pursuit:
        """Another request: by the next control at once where one said no, else when its time has come."""
        if p.tries >= MOST_TRIES or p.ignored >= MOST_IGNORED:
            p = self._escalate(p)
        refused = p.accepted is False and self._control(p) is not None and not p.alarmed
        if not refused and p.asked_at is not None and not self.turn.waited(p.asked_at, self._patience(p)):
            return p
        return self._ask(p)

    def _escalate(self, p: Pursuit) -> Pursuit:
        if p.alarmed:
            return p
        fresh = replace(p, escalated=True, tries=0, ignored=0)
        if not p.escalated and p.wanted == FULL:
            self.turn.tell(
                f"{word(FULL)} does not come through: {word(BACKUP)} instead", site_telling.SITE, "escalated"
            )
            return replace(fresh, failing=())
        others = tuple(control for control in self.controls if control != p.control)
        if not p.escalated and others:
            self.turn.tell(f"{word(p.wish)} does not come through by {p.control}", site_telling.SITE, "escalated")
            return replace(fresh, failing=(p.control,))
        site_telling.alarm(self.turn, p, self.want)
        return replace(p, alarmed=True)

    def _patience(self, p: Pursuit) -> float:
        return ALARMED_EVERY_S if p.alarmed else RESEND_S[min(max(p.tries, 1), len(RESEND_S)) - 1]

    def _control(self, p: Pursuit) -> str | None:
        """The first control that is not failing."""
        return next((control for control in self.controls if control not in p.failing), None)

    def _ask(self, p: Pursuit) -> Pursuit:
        """Put the request into the decision, unless another write is on its way."""
        if self.busy:
            return p
        control = self._control(p)
        if control is None:
            p, control = replace(p, failing=()), self.controls[0]
        if p.tries == 0:
            self.turn.tell(f"to be {word(p.wish)}, because {self.want.why}", site_telling.SITE, "setting")
        self.turn.look.add(control)
        return replace(
            p,
            stage=Stage.ASKED,
            control=control,
            action=self.turn.act(control, p.wish, self.want.why),
            asked_at=self.turn.now.instant,
            accepted=None,
            tries=p.tries + 1,
        )

    def _look(self, p: Pursuit) -> None:
        """Have the meters of the controls read out of turn, now and then."""
        since = p.asked_at
        waited_s = self.turn.now.since(since) if since is not None else self.turn.now.mono_s
        if waited_s % LOOK_EVERY_S < LOOK_FOR_S:
            self.turn.look.update(self.controls)
