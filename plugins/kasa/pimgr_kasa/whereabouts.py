"""Which device is meant, and where it is.

A device is pinned when it is first seen, unless the config names its id. Where it doesn't answer at its address, or
another one does, it may be looked for; it is followed to a new address only when a connection there showed its id.
"""

# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec

from pimgr.api import Context, Finding, Instant, Severity
from pimgr_kasa import PlugConfig
from pimgr_kasa.errors import AnotherDevice, Wanted
from pimgr_kasa.search import broadcast_for, look_around

SEARCH_EVERY_S = 600.0
"""A search asks every device in the house: at most one in ten minutes, also across restarts."""
_MOST_ASKED = 5


class Identity(msgspec.Struct, frozen=True):
    """What a device calls itself. `mac`: twelve digits; the newer discovery tells it, and not the id."""

    device_id: str
    mac: str = ""


class Whereabouts:
    """One device's identity and addresses, remembered across restarts."""

    def __init__(self, config: PlugConfig, context: Context) -> None:
        self._config, self._context, self._store = config, context, context.store

    # ------------------------------------------------------------------------------------------------- who it is

    @property
    def pinned(self) -> Identity | None:
        """Who it must be: the config's word, else who was seen first. None before anybody was seen."""
        kept = self._kept()
        configured = self._config.device_id
        if configured is None:
            return kept
        return kept if kept is not None and _same(kept.device_id, configured) else Identity(configured)

    def check(self, found: Identity, wanted: Wanted, address: str) -> None:
        """Raise AnotherDevice where it isn't the one that is meant."""
        pinned = self.pinned
        if pinned is not None and not _same(found.device_id, pinned.device_id):
            fact = f"another device answers at {address} (id {found.device_id[:60]!r})"
            cure = (
                "give the device a fixed address in the router; if it was replaced, accept the new one by "
                f'device_id = "{found.device_id[:60]}" in its config'
            )
            raise AnotherDevice(wanted.part, wanted.wish, fact, cure)

    async def saw(self, found: Identity, address: str) -> None:
        """It was seen at `address`: pin it, and remember or forget that it moved."""
        if found.device_id and self._kept() != found:
            await self._store.put("identity", msgspec.to_builtins(found))
        if address == self._config.address:
            if self._store.get("followed") is not None:  # also where it was followed to, if the config says so by now
                self._context.tell("address", None)
                await self._store.put("followed", None)
        else:
            await self._moved(address)

    def _kept(self) -> Identity | None:
        try:
            return msgspec.convert(self._store.get("identity"), Identity)
        except msgspec.ValidationError:
            return None

    # ----------------------------------------------------------------------------------------------- where it is

    @property
    def followed(self) -> str | None:
        """Where it was found, if that isn't where the config says."""
        kept = self._store.get("followed")
        return kept if self._config.follow and isinstance(kept, str) and kept != self._config.address else None

    @property
    def addresses(self) -> list[str]:
        """Where to ask, in this order. The configured address is always among them."""
        followed = self.followed
        return [followed, self._config.address] if followed is not None else [self._config.address]

    def may_search(self) -> bool:
        """Whether it may be looked for now."""
        if not self._config.follow or self.pinned is None:
            return False
        try:
            last = msgspec.convert(self._store.get("searched"), Instant)
        except msgspec.ValidationError:
            return True
        now = self._context.now()
        if now.boot != last.boot and now.wall < last.wall:
            return True  # one of the clocks was wrong, as on a box without a battery for it after a blackout
        return now.since(last) >= SEARCH_EVERY_S

    async def search(self, within_s: float) -> AsyncGenerator[str, None]:
        """Addresses where it might be, which only a connection can prove. Uses up the budget first."""
        pinned, asked = self.pinned, set(self.addresses)
        await self._store.put("searched", msgspec.to_builtins(self._context.now()))
        if pinned is None:
            return
        try:
            async with aclosing(look_around(broadcast_for(self._config.address), within_s)) as sightings:
                async for sighting in sightings:
                    same = _same(sighting.device_id, pinned.device_id) or bool(
                        pinned.mac and sighting.mac == pinned.mac
                    )
                    if same and sighting.address not in asked and len(asked) < _MOST_ASKED:
                        asked.add(sighting.address)
                        yield sighting.address
        except OSError:
            return

    async def _moved(self, address: str) -> None:
        if self.followed != address:
            await self._store.put("followed", address)
            self._context.record(f"found at {address}, no longer at {self._config.address}")
        text = f"it moved from {self._config.address} to {address}, and was followed there"
        cure = f'give it a fixed address in the router, or write address = "{address}"'
        self._context.tell("address", Finding(severity=Severity.WARNING, text=text, cure=cure))


def identity_of(info: dict[str, Any]) -> Identity:
    """Who told this of itself, in either dialect."""
    mac = str(info.get("mac") or info.get("mic_mac") or "")[:40].upper()
    return Identity(
        str(info.get("deviceId") or info.get("device_id") or "")[:64],
        "".join(each for each in mac if each in "0123456789ABCDEF"),
    )


def _same(one: str, other: str) -> bool:
    return one.upper() == other.upper()
