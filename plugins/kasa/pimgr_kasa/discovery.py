"""Kasa devices on the home network, for the set-up: nothing here runs while pimgr protects the house."""

# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from typing import Any

from pimgr.api import Context, Found
from pimgr_kasa.search import EVERYBODY, Sighting, look_around

LISTEN_S = 3.0


async def found_devices(_context: Context) -> AsyncIterator[Found]:
    """Each plug and strip that answered in `LISTEN_S`.

    Several devices at one address are none that can be asked there: it is a router's, which passed their answers on
    (home-assistant/core#73640, read).
    """
    sightings: dict[str, Sighting] = {}
    with suppress(OSError):  # without a network there is nothing to be found
        async with aclosing(look_around(EVERYBODY, LISTEN_S)) as seen:
            async for sighting in seen:
                sightings.setdefault(sighting.mac or sighting.address, sighting)
    crowd = Counter(sighting.address for sighting in sightings.values())
    for sighting in sightings.values():
        if crowd[sighting.address] == 1:
            yield Found(type="kasa.plug", title=_title(sighting), config=_config(sighting))


def _title(sighting: Sighting) -> str:
    kind = f"strip of {sighting.outlets}" if sighting.outlets else "plug, switch or strip"
    name = f" called {sighting.alias!r}" if sighting.alias else ""
    login = "; asks for the TP-Link account's user name and password" if sighting.newer else ""
    return f"{sighting.model or 'Kasa device'}{name}, {kind}, at {sighting.address}{login}"


def _config(sighting: Sighting) -> dict[str, Any]:
    config: dict[str, Any] = {"address": sighting.address}
    if sighting.outlets:
        config["outlets"] = sighting.outlets
    if sighting.device_id:
        config["device_id"] = sighting.device_id
    return config
