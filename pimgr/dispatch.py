"""Actions into mailboxes, outcomes back; and the fence, behind which nothing is touched and everything else goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, assert_never

from pimgr.api import (
    Deadlines,
    DeviceError,
    Hold,
    HostReading,
    Instant,
    LevelReading,
    LoadReading,
    SiteReading,
    ThermostatReading,
    replace,
)
from pimgr.clock import Clock
from pimgr.connections import ConnectionTask, Request
from pimgr.policy.aspects import GridCharging, Mode, Reserve, Setting
from pimgr.policy.model import Action, HostPower, Level, Outcome, PartView, SetPoints, Switch, Wish
from pimgr.policy.values import word


class Fence:
    """Keeps a dry run or a drill from touching the house: requests end here, and readings look as if they had worked.

    The only place that decides whether a request may reach a device.
    """

    def __init__(self, *, closed: bool) -> None:
        self.closed = closed
        self._pretended: dict[str, Wish] = {}
        self._set: dict[str, Setting] = {}

    def stops(self, action: Action) -> bool:
        """Whether this action must not reach its device; it is then remembered as if it had."""
        if self.closed and isinstance(action.value, Mode | Reserve | GridCharging):
            self._set[action.aspect] = action.value
        elif self.closed:
            self._pretended[action.part] = action.value
        return self.closed

    def view(self, views: dict[str, PartView], clock: Clock) -> dict[str, PartView]:
        """The readings, with what was only pretended in place of what is."""
        if not self._pretended:
            return views
        return {part: self._as_pretended(part, view, clock) for part, view in views.items()}

    def settings(self, readings: tuple[SiteReading, ...], clock: Clock) -> tuple[SiteReading, ...]:
        """What meters tell of the site's settings, with what was only pretended in place of what is."""
        pretended = {name: value for setting in self._set.values() for name, value in _told(setting).items()}
        if not pretended:
            return readings
        return tuple(replace(reading, at=clock.now().instant, **pretended) for reading in readings)

    def _as_pretended(self, part: str, view: PartView, clock: Clock) -> PartView:
        value, reading = self._pretended.get(part), view.reading
        if view.fault:
            return view
        if isinstance(value, Switch) and isinstance(reading, LoadReading):
            return replace(view, reading=replace(reading, on=value.on, at=clock.now().instant))
        if isinstance(value, Level) and isinstance(reading, LevelReading):
            return replace(view, reading=replace(reading, level=value.level, at=clock.now().instant))
        if isinstance(value, HostPower) and isinstance(reading, HostReading):
            return replace(view, reading=_powered(reading, value.up, clock))
        if isinstance(value, SetPoints) and isinstance(reading, ThermostatReading):
            heat = reading.hold.heat if value.heat is None else value.heat
            cool = reading.hold.cool if value.cool is None else value.cool
            hold = hold_of(replace(value, heat=heat, cool=cool), clock.now().instant)
            return replace(view, reading=replace(reading, hold=hold, at=clock.now().instant))
        return view


def _told(setting: Setting) -> dict[str, Any]:
    """A setting as a field of a reading."""
    match setting:
        case Mode(mode=mode):
            return {"mode": mode}
        case Reserve(percent=percent):
            return {"reserve": percent}
        case GridCharging(allowed=allowed):
            return {"grid_charging": allowed}


def hold_of(value: SetPoints, now: Instant) -> Hold:
    """Set points as a thermostat is asked for them."""
    until = None
    if value.until is not None:
        until = Instant(now.mono_s + value.until - now.wall, value.until, now.boot)
    return Hold(heat=value.heat, cool=value.cool, until=until, permanent=value.permanent)


def _powered(reading: HostReading, up: bool, clock: Clock) -> HostReading:
    return replace(reading, up=up, boot_id=reading.boot_id if up else None, at=clock.now().instant)


class Dispatcher:
    """Hands actions to the connections; `heard` gets each one's outcome."""

    def __init__(
        self, tasks: Mapping[str, ConnectionTask], fence: Fence, clock: Clock, heard: Callable[[Outcome], None]
    ) -> None:
        self.tasks, self.fence, self.clock, self.heard = tasks, fence, clock, heard

    def send(self, actions: tuple[Action, ...]) -> None:
        """Enqueue; never waits. A part that nothing speaks for is answered at once."""
        for action in actions:
            if self.fence.stops(action):
                self._heard(action, None)
                continue
            task = self.tasks.get(action.part)
            if task is None:
                self._heard(action, _no_connection(action))
            else:
                task.post(self._request(action))

    def _request(self, action: Action) -> Request:
        call, deadline_s = _call(action.value, self.clock.now().instant)
        return Request(
            key=f"{action.part} {action.aspect}",
            part=action.part,
            wish=word(action.value),
            deadline_s=deadline_s,
            call=call,
            done=lambda error: self._heard(action, error),
        )

    def _heard(self, action: Action, error: DeviceError | None) -> None:
        self.heard(
            Outcome(
                action=action.id,
                part=action.part,
                at=self.clock.now().instant,
                error=type(error).__name__ if error else "",
                fact=str(error) if error else "",
            )
        )


def _call(value: Wish, now: Instant) -> tuple[Callable[[Any], Any], float]:
    """How to ask a part for `value`, and how long that may take."""
    deadlines = Deadlines()
    match value:
        case Switch(on):
            return lambda part: part.switch(on), deadlines.switch_s
        case HostPower(up, boot):
            call = (lambda part: part.wake()) if up else (lambda part: part.shut_down(boot))
            return call, deadlines.switch_s if up else deadlines.shut_down_s
        case Level(level):
            return lambda part: part.set_level(level), deadlines.switch_s
        case SetPoints():
            hold = hold_of(value, now)
            return (lambda part: part.resume() if value.scheduled else part.hold(hold)), deadlines.cloud_s
        case Mode() | Reserve() | GridCharging():
            return _setting(value), deadlines.cloud_s
    assert_never(value)


def _setting(value: Setting) -> Callable[[Any], Any]:
    """How to ask the site for a setting."""
    match value:
        case Mode(mode):
            return lambda part: part.set_mode(mode)
        case Reserve(percent):
            return lambda part: part.set_reserve(percent)
        case GridCharging(allowed):
            return lambda part: part.set_grid_charging(allowed)
    assert_never(value)


def _no_connection(action: Action) -> DeviceError:
    return DeviceError(action.part, word(action.value), "its plugin is not loaded", "see `pimgr plugin list`")
