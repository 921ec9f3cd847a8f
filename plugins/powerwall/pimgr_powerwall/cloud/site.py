"""The site by way of the cloud: a grid source, a meter, and what sets the battery's reserve, mode and charging."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pimgr.api import (
    Context,
    DeviceError,
    Finding,
    Garbled,
    Grid,
    GridReading,
    Instant,
    Parts,
    SiteMode,
    SiteReading,
    Unsupported,
)
from pimgr.units import Percent, finite_and_in_range
from pimgr_powerwall.cloud import CloudConfig
from pimgr_powerwall.cloud.account import Account
from pimgr_powerwall.cloud.budget import Share
from pimgr_powerwall.cloud.errors import Wanted
from pimgr_powerwall.cloud.look import findings
from pimgr_powerwall.cloud.words import Live, grid_reading, measured, site_reading

_SHARED_S = 60.0
"""A live status serves the grid and the meter alike if both ask within this: it would be the same one anyway."""
_UNSURE_S = 1800.0
"""So long after the grid was last seen otherwise than up, it is asked as in an outage."""
_WATCHED_S = 900.0
_WATCH_EVERY_S = 240.0
"""After a command both status and settings are asked for at each of pimgr's rounds for so long: the cloud passes it on
in its own time, and what it measured before the command proves nothing."""
_LASTS = "if it lasts, Tesla has changed something: please report it"


@dataclass
class _Seen:
    """The latest live status, when it was asked for, and which kinds of reading were made of it."""

    live: Live
    asked: Instant
    made: set[str] = field(default_factory=set)


@asynccontextmanager
async def open_cloud(config: CloudConfig, context: Context) -> AsyncIterator[Cloud]:
    """A cloud that is first asked by the first read."""
    cloud = Cloud(config, context)
    try:
        yield cloud
    finally:
        await cloud.close()


class Cloud:
    """One site; it is its own and only part."""

    def __init__(self, config: CloudConfig, context: Context) -> None:
        self._context = context
        self._account = Account(config, context)
        self._seen: _Seen | None = None
        self._settings: tuple[Instant, dict[str, Any]] | None = None
        self._not_up: Instant | None = None
        self._told: Instant | None = None
        self._down = self._alerted = False
        self.parts: Parts = {"": self}

    async def close(self) -> None:
        """Let go of everything, also in mid-call."""
        await self._account.close()

    async def read_grid(self) -> GridReading:
        """The grid as the cloud knows it, dated when it was measured: as a rule some minutes ago."""
        wanted = self._account.wanted("grid status")
        reading = grid_reading(await self._live(wanted, "grid"))
        if reading is None:
            raise Garbled(wanted.part, wanted.wish, "it answered without a grid status", _LASTS)
        self._remember(reading.grid)
        return reading

    async def read_site(self) -> SiteReading:
        """Powers and charge, dated when they were measured; reserve, mode, grid charging and storm watch with them.

        Those settings may have been read earlier, as the budget allows (`Budget.settings_every_s`), but never before
        the latest command. Where they can't be read they are None.
        """
        wanted = self._account.wanted("charge and powers")
        live = await self._live(wanted, "site")
        reading = site_reading(live, await self._info(wanted))
        if reading is None:
            raise Garbled(wanted.part, wanted.wish, "it answered without charge and powers", _LASTS)
        return reading

    async def set_reserve(self, percent: Percent) -> None:
        """Ask for a backup reserve of 0 to 80 or 100 %, as the app shows it.

        81 to 99 is refused by the gateway since firmware 25.18.4 (evcc#22743).
        """
        wish = f"a reserve of {percent:g} %"
        if not finite_and_in_range(percent, 0.0, 100.0) or 80.0 < percent < 100.0:
            fact = "the Powerwall takes 0 to 80 % or 100 % since firmware 25.18.4"
            raise Unsupported(self._context.connection, wish, fact, "ask for 80 or 100 %")
        await self._command(wish, "backup", {"backup_reserve_percent": round(percent)})

    async def set_mode(self, mode: SiteMode) -> None:
        await self._command(f"mode {mode}", "operation", {"default_real_mode": str(mode)})

    async def set_grid_charging(self, allowed: bool) -> None:
        wish = f"grid charging {'allowed' if allowed else 'forbidden'}"
        body = {"disallow_charge_from_grid_with_solar_installed": not allowed}
        await self._command(wish, "grid_import_export", body)

    async def set_storm_watch(self, allowed: bool) -> None:
        await self._command(f"Storm Watch {'on' if allowed else 'off'}", "storm_mode", {"enabled": allowed})

    async def check(self) -> list[Finding]:
        """The account, the site, what the tokens permit and how old they are. Uses no refresh token up for nothing."""
        return await findings(self._account, self._context)

    # -------------------------------------------------------------------------------------------------------- inside

    async def _live(self, wanted: Wanted, kind: str) -> Live:
        """The live status: asked for anew, unless the latest one is new enough for this kind of reading."""
        self._heed_alert()
        seen, now = self._seen, self._context.now()
        if seen is not None:
            age_s = now.since(seen.asked)
            if age_s < self._live_every_s() or (age_s < _SHARED_S and kind not in seen.made):
                seen.made.add(kind)
                return seen.live
        answer = await self._account.get(wanted, "live_status", self._share())
        if not isinstance(answer.body, dict):
            raise Garbled(wanted.part, wanted.wish, "it answered no live status", _LASTS)
        live = Live(measured(answer.body, answer.headers, answer.asked), answer.body)
        self._seen = _Seen(live, answer.asked, {kind})
        return live

    async def _info(self, wanted: Wanted) -> dict[str, Any]:
        """The settings; empty where they can't be read."""
        known, every_s = self._settings, self._account.budget.settings_every_s
        if self._watched():
            every_s = min(every_s, _WATCH_EVERY_S)
        if known is not None and self._context.now().since(known[0]) < every_s:
            return known[1]
        try:
            answer = await self._account.get(wanted, "site_info", self._share())
        except DeviceError:
            return {}
        if not isinstance(answer.body, dict):
            return {}
        self._settings = (answer.asked, answer.body)
        return answer.body

    def _live_every_s(self) -> float:
        budget = self._account.budget
        if self._unsure():
            return budget.outage_every_s
        return min(budget.live_every_s, _WATCH_EVERY_S) if self._watched() else budget.live_every_s

    def _share(self) -> Share:
        return Share.OUTAGE if self._unsure() or self._watched() else Share.HEALTHY

    async def _command(self, wish: str, command: str, body: dict[str, Any]) -> None:
        """Ask for a setting. Whatever comes of it, what was read before proves nothing any more."""
        self._seen = self._settings = None
        self._told = self._context.now()
        await self._account.post(self._account.wanted(wish), command, body)

    def _remember(self, grid: Grid) -> None:
        """What the grid was, for how often it is asked; at the first sign of an outage a new token is wanted."""
        if grid is not Grid.UP:
            self._not_up = self._context.now()
        if grid is Grid.DOWN and not self._down:
            self._account.tokens.early = True
        self._down = grid is Grid.DOWN

    def _heed_alert(self) -> None:
        """Somebody nearer sees the grid go: one call at once, and a new token, while the internet lasts."""
        alert, before = self._context.alert, self._alerted
        self._alerted = alert
        if alert and not before:
            self._account.tokens.early, self._seen, self._not_up = True, None, self._context.now()

    def _watched(self) -> bool:
        """Whether a command was given lately."""
        return self._told is not None and self._context.now().since(self._told) < _WATCHED_S

    def _unsure(self) -> bool:
        """Whether the grid was lately seen otherwise than up."""
        return self._not_up is not None and self._context.now().since(self._not_up) < _UNSURE_S
