"""The pages of a Powerwall 2 gateway, by path, filled from the world. Power in W, energy in Wh, as the gateway has it.

Source of the shapes: the fields that tesla-powerwall 0.5.3 reads (its `responses.py` and `powerwall.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from pimgr.house.world import World

GATEWAY_DIN = "1232100-00-E--TG000000000000"
PACK_SERIAL = "TG000000000001"
VOLTAGE = 240.0
RAW_SHARE, RAW_FLOOR = 0.95, 5.0
"""raw = 0.95 * app + 5: the gateway keeps 5 % that the app does not show (FIELD-NOTES)."""


class Site(msgspec.Struct, frozen=True):
    """What a page is made of."""

    world: World
    name: str
    device_type: str


Page = Callable[[Site], Any]


def raw_percent(app: float) -> float:
    """The gateway's own figure for a charge as the app shows it."""
    return RAW_SHARE * app + RAW_FLOOR


def _soe(site: Site) -> Any:
    return {"percentage": raw_percent(site.world.charge())}


def _grid_status(site: Site) -> Any:
    return {"grid_status": site.world.status, "grid_services_active": False}


def _meter(power_w: float, imported_wh: float, exported_wh: float) -> dict[str, Any]:
    return {
        "last_communication_time": datetime.now(UTC).isoformat(),
        "instant_power": power_w,
        "instant_reactive_power": 0.0,
        "instant_apparent_power": abs(power_w),
        "frequency": 60.0,
        "energy_exported": exported_wh,
        "energy_imported": imported_wh,
        "instant_average_voltage": VOLTAGE,
        "instant_average_current": power_w / VOLTAGE,
        "i_a_current": 0.0,
        "i_b_current": 0.0,
        "i_c_current": 0.0,
        "instant_total_current": power_w / VOLTAGE,
        "timeout": 1_500_000_000,
        "num_meters_aggregated": 1,
    }


def _aggregates(site: Site) -> Any:
    now, flown = site.world.flows(), site.world.energy().meters
    return {
        "site": _meter(now.grid_w, flown.imported_wh, flown.exported_wh),
        "battery": _meter(now.battery_w, flown.charged_wh, flown.discharged_wh),
        "load": _meter(now.load_w, flown.load_wh, 0.0),
        "solar": _meter(now.solar_w, 0.0, flown.solar_wh),
    }


def _details(location: str) -> Page:
    def page(site: Site) -> Any:
        cached = _aggregates(site)[location] | {"real_power_a": 0.0, "v_l1n": VOLTAGE / 2, "v_l2n": VOLTAGE / 2}
        return [{"id": 0, "location": location, "type": "synchrometerX", "cts": [True], "Cached_readings": cached}]

    return page


def _meters(_site: Site) -> Any:
    return [{"serial": "VAH0000AB0000", "short_id": "0000", "type": "synchrometerX", "connected": True, "cts": []}]


def _system_status(site: Site) -> Any:
    full_wh = site.world.capacity_wh / RAW_SHARE
    left_wh = full_wh * raw_percent(site.world.charge()) / 100.0
    battery_w = site.world.flows().battery_w
    block = {
        "Type": "",
        "PackagePartNumber": "2012170-25-E",
        "PackageSerialNumber": PACK_SERIAL,
        "disabled_reasons": [],
        "pinv_state": "PINV_GridFollowing" if site.world.connected else "PINV_GridForming",
        "pinv_grid_state": "Grid_Compliant" if site.world.connected else "Grid_Uncompliant",
        "nominal_energy_remaining": round(left_wh),
        "nominal_full_pack_energy": round(full_wh),
        "p_out": battery_w,
        "q_out": 0.0,
        "v_out": VOLTAGE,
        "f_out": 60.0,
        "i_out": battery_w / VOLTAGE,
        "energy_charged": round(site.world.energy().meters.charged_wh),
        "energy_discharged": round(site.world.energy().meters.discharged_wh),
        "off_grid": not site.world.connected,
        "wobble_detected": False,
        "backup_ready": True,
        "OpSeqState": "Active",
        "version": "67f943cb05d12d",
    }
    return {
        "command_source": "Configuration",
        "battery_target_power": 0.0,
        "nominal_full_pack_energy": round(full_wh),
        "nominal_energy_remaining": round(left_wh),
        "max_charge_power": site.world.power_limit_w,
        "max_discharge_power": site.world.power_limit_w,
        "instantaneous_max_charge_power": site.world.power_limit_w,
        "instantaneous_max_discharge_power": site.world.power_limit_w,
        "system_island_state": site.world.status,
        "available_blocks": 1,
        "battery_blocks": [block],
        "grid_faults": [],
        "can_reboot": "Yes",
    }


def _operation(site: Site) -> Any:
    now = site.world.settings
    return {"real_mode": now.mode, "backup_reserve_percent": raw_percent(now.reserve), "freq_shift_load_shed_soe": 0}


def _site_info(site: Site) -> Any:
    return {
        "max_system_energy_kWh": 0,
        "max_system_power_kW": 0,
        "site_name": site.name,
        "timezone": "America/Los_Angeles",
        "nominal_system_energy_kWh": site.world.capacity_wh / 1000.0,
        "nominal_system_power_kW": site.world.power_limit_w / 1000.0,
        "grid_code": {"grid_code": "60Hz_240V_s_UL1741SA:2019_California", "grid_voltage_setting": 240},
    }


def _status(site: Site) -> Any:
    return {
        "din": GATEWAY_DIN,
        "start_time": "2026-01-01 00:00:00 +0000",
        "up_time_seconds": f"{site.world.clock_s():.3f}s",
        "is_new": False,
        "version": "23.44.0 eb113390",
        "git_hash": "eb113390162784d12e41ee1ff83f22a6ca4d4a31",
        "commission_count": 0,
        "device_type": site.device_type,
        "teg_type": "unknown",
        "sync_type": "v2.1",
        "cellular_disabled": False,
        "can_reboot": True,
    }


def _powerwalls(_site: Site) -> Any:
    pack = {"PackagePartNumber": "2012170-25-E", "PackageSerialNumber": PACK_SERIAL, "type": "acpw", "grid_state": ""}
    return {"enumerating": False, "updating": False, "gateway_din": GATEWAY_DIN, "powerwalls": [pack], "sync": None}


def _sitemaster(_site: Site) -> Any:
    return {"status": "StatusUp", "running": True, "connected_to_tesla": True, "power_supply_mode": False}


def _solars(_site: Site) -> Any:
    return [{"brand": "Unknown", "model": "Unknown", "power_rating_watts": 8000}]


def _config(_site: Site) -> Any:
    return {"vin": GATEWAY_DIN}


PAGES: dict[str, Page] = {
    "/api/system_status/soe": _soe,
    "/api/system_status/grid_status": _grid_status,
    "/api/system_status": _system_status,
    "/api/meters/aggregates": _aggregates,
    "/api/meters/site": _details("site"),
    "/api/meters/solar": _details("solar"),
    "/api/meters": _meters,
    "/api/operation": _operation,
    "/api/site_info": _site_info,
    "/api/status": _status,
    "/api/powerwalls": _powerwalls,
    "/api/sitemaster": _sitemaster,
    "/api/solars": _solars,
    "/api/config": _config,
}
