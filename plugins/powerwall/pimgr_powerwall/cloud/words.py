"""What the cloud's words mean to the house. Pure.

Sources: Tesla's developer documentation, "Energy Endpoints"; Home Assistant `tesla_fleet` (signs, missing keys);
pypowerwall `cloud/pypowerwall_cloud.py`, which makes the gateway's raw percentage of `percentage_charged` and
`backup_reserve_percent` by adding the hidden 5 %: so both are the app's percent already.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pimgr.api import Frozen, Grid, GridReading, Instant, SiteMode, SiteReading
from pimgr.units import Percent, WattHours
from pimgr_powerwall.numbers import drawn, number, power

SOURCE = "cloud"
UNDATED_S = 300.0
"""The cloud's live status is renewed about every 5 minutes: one without a date may be so old."""
_OLDEST_S, _LONGEST_S = 86_400.0, 3650.0 * 86_400.0
"""What is believed of an age by our own clock, which may be wrong, and by the cloud's, which repeats the last status
of a gateway that is offline for as long as that takes."""
_AHEAD_S = 60.0
INTENTIONAL = "off_grid_intentional"
_ISLAND = {
    "on_grid": Grid.UP,
    "off_grid": Grid.DOWN,
    "off_grid_unintentional": Grid.DOWN,
    INTENTIONAL: Grid.DOWN,
}
"""`island_status`. "unknown" and "island_status_unknown" are seen too, and mean what they say.

INTENTIONAL: the owner went off grid in the app; the house runs on the battery all the same, and the config says whether
that is an outage.
"""
_OLD_WORDS = {"Active": Grid.UP, "Inactive": Grid.DOWN}
"""`grid_status`, believed where no `island_status` is given."""


class Live(Frozen):
    """One live status. `at`: when it was measured."""

    at: Instant
    body: dict[str, Any]


def measured(body: Mapping[str, Any], headers: Mapping[str, str], asked: Instant) -> Instant:
    """When a live status was measured: `timestamp`, by the cloud's own clock in the answer's Date if there is one.

    Where that gives nothing sane, 300 s before it was asked for.
    """
    stamp = _utc(body.get("timestamp"))
    now = _date(headers.get("date", ""))
    age_s = None if stamp is None else (asked.wall if now is None else now) - stamp
    if age_s is None or not -_AHEAD_S <= age_s <= (_OLDEST_S if now is None else _LONGEST_S):
        age_s = UNDATED_S
    age_s = max(0.0, age_s)
    return Instant(asked.mono_s - age_s, asked.wall - age_s, asked.boot)


def grid_reading(live: Live) -> GridReading | None:
    """The grid; None where the status says nothing of it at all."""
    island, old = live.body.get("island_status"), live.body.get("grid_status")
    if isinstance(island, str) and island:
        grid, raw = _ISLAND.get(island, Grid.UNKNOWN), island
        if grid is Grid.UP and old == "Inactive":
            grid, raw = Grid.UNKNOWN, f"{island}, {old}"
    elif isinstance(old, str) and old:
        grid, raw = _OLD_WORDS.get(old, Grid.UNKNOWN), old
    else:
        return None
    intentional = island == INTENTIONAL
    return GridReading(at=live.at, source=SOURCE, grid=grid, raw=raw[:100], intentional=intentional)


def site_reading(live: Live, info: Mapping[str, Any]) -> SiteReading | None:
    """Powers and charge, with the settings of `info` (empty: not read); None where the status says nothing of them."""
    charge = number(live.body.get("percentage_charged"), 0.0, 100.0)
    battery_w, grid_w = power(live.body.get("battery_power")), power(live.body.get("grid_power"))
    if charge is None and battery_w is None and grid_w is None:
        return None
    reserve = number(info.get("backup_reserve_percent"), 0.0, 100.0)
    capacity = number(live.body.get("total_pack_energy"), 100.0, 1e6)
    if capacity is None:
        capacity = number(info.get("nameplate_energy"), 100.0, 1e6)
    return SiteReading(
        at=live.at,
        source=SOURCE,
        grid_w=grid_w,
        battery_w=battery_w,
        solar_w=drawn(live.body.get("solar_power")),
        load_w=drawn(live.body.get("load_power")),
        charge=None if charge is None else Percent(charge),
        capacity_wh=None if capacity is None else WattHours(capacity),
        reserve=None if reserve is None else Percent(reserve),
        mode=_mode(info.get("default_real_mode")),
        grid_charging=_grid_charging(info),
        storm_watch=_flag(_table(info.get("user_settings")).get("storm_mode_enabled")),
        storm=_flag(live.body.get("storm_mode_active")),
    )


def _mode(raw: Any) -> SiteMode | None:
    return SiteMode(raw) if isinstance(raw, str) and raw in set(SiteMode) else None


def _flag(raw: Any) -> bool | None:
    return raw if isinstance(raw, bool) else None


def _grid_charging(info: Mapping[str, Any]) -> bool | None:
    """Whether the grid may charge the battery: the site says only that it may not (Home Assistant's `switch.py`)."""
    components = _table(info.get("components"))
    disallowed = components.get("disallow_charge_from_grid_with_solar_installed", False)
    return None if not components or not isinstance(disallowed, bool) else not disallowed


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _utc(stamp: Any) -> float | None:
    """UTC seconds of an ISO 8601 time with its zone; None for anything else."""
    try:
        moment = datetime.fromisoformat(stamp)
        return moment.timestamp() if moment.tzinfo is not None else None
    except (TypeError, ValueError, OverflowError):
        return None


def _date(header: str) -> float | None:
    """UTC seconds of an HTTP date."""
    try:
        return parsedate_to_datetime(header).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
