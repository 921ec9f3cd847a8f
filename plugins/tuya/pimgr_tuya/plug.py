"""A plug or strip as switched loads: at home first, by the cloud where that fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pimgr.api import (
    Context,
    DeviceError,
    Finding,
    Garbled,
    Instant,
    LoadReading,
    Parts,
    Severity,
    Unreachable,
    Unsupported,
)
from pimgr.units import Watts
from pimgr_tuya import PlugConfig
from pimgr_tuya.away import Away, watts
from pimgr_tuya.cloud import Seen
from pimgr_tuya.failure import Failed, Wanted
from pimgr_tuya.home import AtHome

_PATIENCE = 0.9
"""Share of the host's deadline after which we say ourselves what hung."""
_AT_HOME = 0.5
"""Share of that for the plug itself, where there is a cloud to ask afterwards: it answers in 0.1 s, or not."""
_SHARED_S = 5.0
"""One look at the cloud tells of all switches of a strip, which are read one after the other."""
_GLANCE_S = 0.5
"""The daily look at the cloud needs so much time; else it waits for the next reading."""


@asynccontextmanager
async def open_plug(config: PlugConfig, context: Context) -> AsyncIterator[Plug]:
    """A plug that connects with each call."""
    yield Plug(config, context)


class Plug:
    """One device. Each call has a connection of its own: a plug hears one client at a time, and the app is one, too."""

    def __init__(self, config: PlugConfig, context: Context) -> None:
        self._config, self._context = config, context
        self._home = AtHome(config, context)
        self._away = Away(config, context) if config.endpoint else None
        self._last: tuple[Instant, Seen] | None = None
        self._reminded: Instant | None = None
        self.parts: Parts = {key: Outlet(self, key) for key in config.dps}

    async def read(self, key: str) -> LoadReading:
        """State of one switch, from the plug, else from the cloud; W where a single switch is metered."""
        wanted, dp = self._wanted(key, "its state"), self._config.dps[key]
        patience_s = self._context.deadlines.read_s * _PATIENCE
        self._remind()
        if self._config.quiet:
            return await self._read_away(wanted, dp, patience_s, None)
        at = self._context.now()
        try:
            dps = await self._home.look(patience_s * (_AT_HOME if self._away else 1.0))
        except Failed as failed:
            return await self._read_away(wanted, dp, patience_s * (1 - _AT_HOME), failed)
        try:
            reading = LoadReading(at=at, source="plug", on=_state(dps, dp), power_w=self._power(dps))
        except Failed as failed:  # it answered: the cloud knows no better
            raise failed.of(wanted) from None
        left_s = patience_s - self._context.now().since(at)
        if self._away is not None and left_s > _GLANCE_S:
            await self._away.glance(left_s)
        return reading

    async def switch(self, key: str, on: bool) -> None:
        """Ask the plug, else the cloud. The next reading tells whether it did."""
        wanted, dp = self._wanted(key, "on" if on else "off"), self._config.dps[key]
        patience_s = self._context.deadlines.switch_s * _PATIENCE
        self._last = None
        try:
            await self._home.switch(dp, on, patience_s * (_AT_HOME if self._away else 1.0))
        except Failed as failed:
            if self._away is None:
                raise failed.of(wanted) from None
            try:
                await self._away.switch(dp, on, patience_s * (1 - _AT_HOME))
            except Failed as cloud:
                raise _both(failed, cloud).of(wanted) from None

    async def _read_away(self, wanted: Wanted, dp: str, patience_s: float, failed: Failed | None) -> LoadReading:
        """What the cloud says. Between its looks, what it said last, as old as that is."""
        if self._away is None:
            assert failed is not None
            raise failed.of(wanted) from None
        try:
            new = self._last is not None and self._context.now().since(self._last[0]) < _SHARED_S
            if not new and self._away.may_look():
                self._last = await self._looked(self._away, patience_s, failed)
            if self._last is None:
                raise Failed(Unreachable, "it is asked again within 5 minutes", "a trial has so many calls a month")
            return self._told(self._away, dp, *self._last)
        except Failed as cloud:
            raise _both(failed, cloud).of(wanted) from None

    async def _looked(self, away: Away, patience_s: float, failed: Failed | None) -> tuple[Instant, Seen]:
        """One look at the cloud; a plug that doesn't understand our key may have got a new one, which it knows."""
        at = self._context.now()
        seen = await away.look(patience_s)
        if failed is not None and failed.doubt and await self._home.adopt(seen.key):
            self._home.remind()
        return at, seen

    def _told(self, away: Away, dp: str, at: Instant, seen: Seen) -> LoadReading:
        """What a look at the cloud, made then, says of one switch."""
        if not seen.online:
            raise Failed(Unreachable, "it has lost sight of the plug, too", "check the plug's power and its Wi-Fi")
        state = seen.values.get(away.code(dp))
        if not isinstance(state, bool):
            raise Failed(Garbled, f"it told {str(state)[:40]!r} as its state", "set cloud_codes")
        return LoadReading(at=at, source="cloud", on=state, power_w=self._watts(seen.values.get("cur_power")))

    # ------------------------------------------------------------------------------------------------------- checking

    async def check(self) -> list[Finding]:
        """The plug at home, its key and version, the cloud's help, the end of the trial."""
        findings = [await self._check_home()]
        self._remind(now=True)
        if self._away is None:
            if findings[0].severity is Severity.CRITICAL:
                return findings
            text = "there is no cloud to help when it doesn't answer at home"
            return [
                *findings,
                Finding(severity=Severity.INFO, text=text, cure="docs/plugins/tuya.md shows how to add it"),
            ]
        wanted = self._wanted("", "a look at Tuya's cloud")
        try:
            seen = await self._away.look(self._context.deadlines.cloud_s * _PATIENCE)
            codes = [self._away.code(dp) for dp in self._config.dps.values()]
        except Failed as failed:
            text = str(failed.of(wanted))
            return [*findings, Finding(severity=Severity.WARNING, text=text, cure=failed.cure)]
        except DeviceError as error:
            return [*findings, Finding(severity=Severity.WARNING, text=str(error), cure=error.cure)]
        text = f"Tuya's cloud sees it {'online' if seen.online else 'offline'}, with {', '.join(codes)}"
        return [*findings, Finding(severity=Severity.INFO, text=text)]

    async def _check_home(self) -> Finding:
        if self._config.quiet:
            return Finding(severity=Severity.INFO, text="quiet: it is not asked at home, only told")
        wanted = self._wanted("", "a look at it")
        try:
            dps = await self._home.look(self._context.deadlines.read_s * _PATIENCE)
            for dp in self._config.dps.values():
                _state(dps, dp)
        except Failed as failed:
            error: DeviceError = failed.of(wanted)
        except DeviceError as raised:
            error = raised
        else:
            known = ", ".join(sorted(map(str, dps), key=_number))[:120]
            text = f"it answers in version {self._home.version}, with data points {known}"
            return Finding(severity=Severity.INFO, text=text)
        worst = Severity.CRITICAL if self._away is None else Severity.WARNING
        return Finding(severity=worst, text=str(error), cure=error.cure)

    # --------------------------------------------------------------------------------------------------------- inside

    def _remind(self, now: bool = False) -> None:
        """What has to be told again and again, once an hour."""
        moment = self._context.now()
        if not now and self._reminded is not None and moment.since(self._reminded) < 3600.0:
            return
        self._reminded = moment
        self._home.remind()
        if self._away is not None:
            self._away.remind()

    def _wanted(self, key: str, wish: str) -> Wanted:
        name = self._context.connection
        return Wanted(f"{name}/{key}" if key else name, wish)

    def _power(self, dps: dict[str, Any]) -> Watts | None:
        return self._watts(dps.get(self._config.power_dp))

    def _watts(self, value: Any) -> Watts | None:
        """W of a single switch; a strip's meter measures all of it."""
        found = watts(value, self._config.power_unit_w) if len(self._config.dps) == 1 else None
        return None if found is None else Watts(found)


class Outlet:
    """One switch: the plug itself, or one of a strip."""

    def __init__(self, plug: Plug, key: str) -> None:
        self._plug, self._key = plug, key

    async def read_load(self) -> LoadReading:
        return await self._plug.read(self._key)

    async def switch(self, on: bool) -> None:
        await self._plug.switch(self._key, on)


def _state(dps: dict[str, Any], dp: str) -> bool:
    """A switch's state as the plug told it."""
    if dp not in dps:
        known = ", ".join(sorted(map(str, dps), key=_number))[:120]
        raise Failed(Unsupported, f"it has no data point {dp}, only {known}", "set `switches` to its switches")
    if not isinstance(dps[dp], bool):
        raise Failed(Garbled, f"it told {str(dps[dp])[:40]!r} as its state", "set `switches` to its switches")
    return bool(dps[dp])


def _both(home: Failed | None, cloud: Failed) -> Failed:
    """What is wrong with both ways; what kind of error it is, the plug decides."""
    fact, cure = f"Tuya's cloud: {cloud.fact}", cloud.cure
    if home is None:
        return Failed(cloud.kind, fact, cure)
    return Failed(home.kind, f"{home.fact}; {fact}", f"{home.cure}; for the cloud: {cure}")


def _number(dp: str) -> tuple[int, str]:
    return (int(dp) if dp.isdigit() else 1000, dp)
