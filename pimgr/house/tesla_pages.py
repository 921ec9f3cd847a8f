"""What the Tesla cloud tells of the house, and what it does when told: bodies as they are on the wire.

Sources: Tesla's developer documentation, "Energy Endpoints"; requests as tesla-fleet-api 1.18 (`tesla/energysite.py`)
sends them. Power in W, energy in Wh, `percentage_charged` and `backup_reserve_percent` as the app shows them
(pypowerwall `cloud/pypowerwall_cloud.py` adds the hidden 5 % to both); battery > 0 is discharge, grid > 0 import.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from pimgr.api import SiteMode, replace
from pimgr.house.world import Settings, World


class Product(msgspec.Struct, frozen=True):
    """The site as the account lists it."""

    site: int
    name: str


def products(listed: tuple[Product, ...]) -> list[dict[str, Any]]:
    """Everything the account owns: a car too, which is no energy site."""
    car = {"id": 100021, "vehicle_id": 99999, "vin": "TEST00000000VIN01", "display_name": "Car", "state": "asleep"}
    return [
        car,
        *(
            {
                "energy_site_id": each.site,
                "resource_type": "battery",
                "site_name": each.name,
                "id": f"STE00000000-{each.site:05d}",
                "gateway_id": "1232100-00-E--TG000000000000",
                "backup_capable": True,
                "components": {"battery": True, "battery_type": "ac_powerwall", "solar": True, "grid": True},
            }
            for each in listed
        ),
    ]


def live_status(world: World, at: datetime) -> dict[str, Any]:
    """The powers and the grid, as of `at`."""
    now = world.flows()
    return {
        "solar_power": round(now.solar_w, 3),
        "energy_left": round(world.energy().stored_wh, 3),
        "total_pack_energy": round(world.capacity_wh),
        "percentage_charged": world.charge(),
        "backup_capable": True,
        "battery_power": round(now.battery_w, 3),
        "load_power": round(now.load_w, 3),
        "grid_status": "Active" if world.connected else "Inactive",
        "grid_services_active": False,
        "grid_power": round(now.grid_w, 3),
        "generator_power": 0,
        "island_status": "on_grid" if world.connected else "off_grid_unintentional",
        "storm_mode_active": world.settings.storm and world.settings.storm_watch,
        "timestamp": at.isoformat(timespec="seconds"),
        "wall_connectors": [],
    }


def site_info(world: World, product: Product) -> dict[str, Any]:
    """The settings, and what the site consists of."""
    now = world.settings
    components: dict[str, Any] = {"battery": True, "solar": True, "grid": True, "battery_count": 1}
    if not now.grid_charging:  # where it is allowed the key is missing (Home Assistant, tesla_fleet `switch.py`)
        components["disallow_charge_from_grid_with_solar_installed"] = True
    return {
        "id": f"STE00000000-{product.site:05d}",
        "site_name": product.name,
        "backup_reserve_percent": now.reserve,
        "default_real_mode": now.mode.value,
        "installation_time_zone": "America/Los_Angeles",
        "nameplate_energy": world.capacity_wh,
        "nameplate_power": world.power_limit_w,
        "battery_count": 1,
        "version": "26.2.0 00000000",
        "components": components,
        "user_settings": {"storm_mode_enabled": now.storm_watch, "go_off_grid_test_banner_enabled": None},
    }


def told(settings: Settings, command: str, body: dict[str, Any]) -> tuple[str, Settings] | None:
    """The wish in words, and the settings as they become; None for a body that Tesla doesn't take."""
    match command, body:
        case "backup", {"backup_reserve_percent": int(percent)} if 0 <= percent <= 100:
            return f"{percent}", replace(settings, reserve=float(percent))
        case "operation", {"default_real_mode": str(mode)} if mode in set(SiteMode):
            return mode, replace(settings, mode=SiteMode(mode))
        case "storm_mode", {"enabled": bool(enabled)}:
            return str(enabled), replace(settings, storm_watch=enabled)
        case "grid_import_export", {"disallow_charge_from_grid_with_solar_installed": bool(disallow)}:
            return str(not disallow), replace(settings, grid_charging=not disallow)
        case _:
            return None


WISHES = {
    "backup": "reserve",
    "operation": "mode",
    "storm_mode": "storm-watch",
    "grid_import_export": "grid-charging",
}
"""By the last word of the path: how the wire log calls it."""


def moment(wall: float) -> datetime:
    """UTC seconds as the cloud writes them."""
    return datetime.fromtimestamp(wall, UTC)
