"""Looks for Tuya plugs on the home network; only the wizard does, and only for a short while."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from pimgr.api import Context, Found, Unreachable

SCAN_S = 8
"""Plugs call out every few seconds."""


async def discover(context: Context) -> AsyncIterator[Found]:
    """Plugs that call out on this network: UDP ports 6666, 6667 and 7000. Their keys have to come from the cloud."""
    try:
        devices = await context.call(_scan)
    except OSError as error:  # the library's own, where there is no way to any network, or its ports are taken
        fact = f"this box has no network to look in ({error.strerror or type(error).__name__})"
        raise Unreachable(context.connection, "a look for plugs", fact, "check its network cable or Wi-Fi") from None
    for device_id, device in devices.items():
        address, version = str(device.get("ip") or ""), str(device.get("version") or "")
        if not address or not device_id:
            continue
        config: dict[str, Any] = {"address": address, "device_id": str(device_id), "key": {"secret": "tuya-key"}}
        if version in ("3.1", "3.3", "3.4", "3.5"):
            config["version"] = version
        yield Found(type="tuya.plug", title=f"Tuya device {device_id} at {address}", config=config)


def _scan() -> dict[str, dict[str, Any]]:
    """tinytuya's scan: it listens, asks 3.5 devices to call out, and speaks to none (`poll`, `forcescan`)."""
    from tinytuya import scanner

    nobody = [{"id": "", "name": "", "key": "", "mac": ""}]  # else it reads devices.json in the working directory
    found = scanner.devices(
        verbose=False, scantime=SCAN_S, color=False, poll=False, forcescan=False, byID=True, tuyadevices=nobody
    )
    return dict(found or {})
