"""The gateway as a source for the grid and a meter for the site."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from tesla_powerwall.api import API

from pimgr.api import (
    Context,
    DeviceError,
    Finding,
    Garbled,
    Grid,
    GridReading,
    Parts,
    Severity,
    SiteMode,
    SiteReading,
)
from pimgr.units import Percent, WattHours
from pimgr_powerwall import GatewayConfig
from pimgr_powerwall.numbers import drawn, number, power
from pimgr_powerwall.session import Session

_UP = frozenset({"SystemGridConnected"})
_DOWN = frozenset({"SystemIslandedActive", "SystemMicroGridFaulted", "SystemWaitForUser"})
_PASSING = frozenset({"SystemIslandedReady", "SystemTransitionToGrid", "SystemTransitionToIsland"})
"""States of /api/system_status/grid_status. In TransitionToGrid the grid is not yet given back: Home Assistant,
which counts it as connected, tells "grid back" too early.

Sources: tesla-powerwall 0.5.3 const.py; issues 30, 40 and 65 of its project."""

_RAW_FLOOR, _RAW_SPAN = 5.0, 0.95
"""The app shows (raw - 5) / 0.95: the lowest 5 % of the cells are Tesla's own."""

Fetch = Callable[[API], Awaitable[Any]]


def grid_of(raw: str) -> tuple[Grid, bool]:
    """What a raw grid status means, and whether it is a passing one. A string nobody has seen is UNKNOWN, and stays."""
    if raw in _UP:
        return Grid.UP, False
    if raw in _DOWN:
        return Grid.DOWN, False
    return Grid.UNKNOWN, raw in _PASSING


def app_percent(raw: float) -> Percent:
    """The percentage that Tesla's app shows for a raw one; the last raw 5 % all read 0."""
    return Percent(max(0.0, (raw - _RAW_FLOOR) / _RAW_SPAN))


@asynccontextmanager
async def open_gateway(config: GatewayConfig, context: Context) -> AsyncIterator[Gateway]:
    """A gateway that connects with its first read."""
    gateway = Gateway(config, context)
    try:
        yield gateway
    finally:
        await gateway.close()


class Gateway:
    """One gateway; it is its own and only part."""

    def __init__(self, config: GatewayConfig, context: Context) -> None:
        self._config, self._context = config, context
        self._session = Session(config, context)
        self.parts: Parts = {"": self}

    async def close(self) -> None:
        await self._session.close()

    async def read_grid(self) -> GridReading:
        """The grid by /api/system_status/grid_status alone: new meter types and failed packs break the meters' call."""
        answer = await self._session.get("grid status", lambda api: api.get_system_status_grid_status())
        raw = answer.body.get("grid_status")
        if not isinstance(raw, str) or not raw:
            raise self._garbled("grid status", "it answered without a grid status")
        grid, passing = grid_of(raw)
        return GridReading(at=answer.at, source="gateway", grid=grid, passing=passing, raw=raw[:100])

    async def read_site(self) -> SiteReading:
        """Charge first; powers, reserve and capacity each fail alone and are then None.

        Sources: /api/system_status/soe, /api/meters/aggregates (site > 0 is import, battery > 0 discharge),
        /api/operation, /api/system_status.
        """
        answer = await self._session.get("charge", lambda api: api.get_system_status_soe(), share=0.5)
        raw = number(answer.body.get("percentage"), 0.0, 100.0)
        if raw is None:
            raise self._garbled("charge", f"it answered {str(answer.body.get('percentage'))[:40]!r} as percentage")
        meters, operation, status = await asyncio.gather(
            self._or_none("powers", lambda api: api.get_meters_aggregates()),
            self._or_none("reserve", lambda api: api.get_operation()),
            self._or_none("capacity", lambda api: api.get_system_status(), wanted=self._config.capacity is None),
        )
        reserve = number(operation.get("backup_reserve_percent"), 0.0, 100.0)
        return SiteReading(
            at=answer.at,
            source="gateway",
            charge=app_percent(raw),
            charge_raw=Percent(raw),
            capacity_wh=self._config.capacity or _usable(status),
            reserve=None if reserve is None else app_percent(reserve),
            mode=_mode(operation.get("real_mode")),
            grid_w=power(_instant(meters, "site")),
            battery_w=power(_instant(meters, "battery")),
            solar_w=drawn(_instant(meters, "solar")),
            load_w=drawn(_instant(meters, "load")),
        )

    async def check(self) -> list[Finding]:
        """Reachable, the pinned certificate, the password, the grid's words and the meters."""
        try:
            grid = await self.read_grid()
        except DeviceError as error:
            return [Finding(severity=Severity.CRITICAL, text=str(error), cure=error.cure)]
        findings = [Finding(severity=Severity.INFO, text=f"the gateway answers: grid {grid.grid} ({grid.raw})")]
        if grid.grid is Grid.UNKNOWN and not grid.passing:
            text = f"the gateway calls the grid {grid.raw!r}, which pimgr doesn't know: it won't act on it"
            findings.append(Finding(severity=Severity.WARNING, text=text, cure="please report this word"))
        return [*findings, self._pin_finding(), *await self._site_findings()]

    def _pin_finding(self) -> Finding:
        seen = self._session.pinned()
        if self._config.fingerprint is not None:
            return Finding(severity=Severity.INFO, text=f"its certificate is the configured one ({seen})")
        return Finding(
            severity=Severity.INFO,
            text="its certificate was trusted when first seen and is held to since then",
            cure=f'to keep that through a new installation, add fingerprint = "{seen}"',
        )

    async def _site_findings(self) -> list[Finding]:
        try:
            site = await self.read_site()
        except DeviceError as error:
            return [Finding(severity=Severity.CRITICAL, text=str(error), cure=error.cure)]
        findings = [Finding(severity=Severity.INFO, text=f"the battery is at {site.charge:.0f} % as the app shows it")]
        if site.load_w is None or site.battery_w is None:
            text = "the meters give no power: the outage is seen and the charge is read, the net load is not known"
            findings.append(
                Finding(severity=Severity.WARNING, text=text, cure="look into Tesla's app for a failed meter")
            )
        return findings

    async def _or_none(self, wish: str, fetch: Fetch, wanted: bool = True) -> dict[str, Any]:
        """An answer that may be missing: then an empty one."""
        if not wanted:
            return {}
        try:
            return (await self._session.get(wish, fetch, share=0.4)).body
        except DeviceError:
            return {}

    def _garbled(self, wish: str, fact: str) -> Garbled:
        cure = "if it stays so after the gateway restarted, its firmware speaks something new: please report it"
        return Garbled(self._context.connection, wish, fact, cure)


def _instant(meters: dict[str, Any], meter: str) -> Any:
    entry = meters.get(meter)
    return entry.get("instant_power") if isinstance(entry, dict) else None


def _usable(status: dict[str, Any]) -> WattHours | None:
    """Usable energy of a full battery: the app's 0 to 100 % are 95 % of what the packs hold."""
    full = number(status.get("nominal_full_pack_energy"), 100.0, 1e6)
    return None if full is None else WattHours(full * _RAW_SPAN)


def _mode(raw: Any) -> SiteMode | None:
    return SiteMode(raw) if isinstance(raw, str) and raw in set(SiteMode) else None
