"""Calls to the account: counted, with a token that works, within the time that there is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pimgr.api import Context, Garbled, Instant, Refused
from pimgr_powerwall.cloud import CloudConfig
from pimgr_powerwall.cloud.budget import Budget, Share
from pimgr_powerwall.cloud.errors import Wanted, as_device_error, json_object, never_sent, refused
from pimgr_powerwall.cloud.tokens import Refresher
from pimgr_powerwall.cloud.wire import Ask, Reply, Wire
from pimgr_powerwall.numbers import number

_PATIENCE = 0.9
"""Share of the host's deadline after which we say ourselves what hung."""
_MOST_SITES = 20


@dataclass(frozen=True)
class Answer:
    """What the cloud said. `asked`: when the request was sent."""

    asked: Instant
    body: Any
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Found:
    """A site of the account."""

    id: int
    name: str


class Account:
    """One account, and the site of it that is meant."""

    def __init__(self, config: CloudConfig, context: Context) -> None:
        self._config, self._context = config, context
        self._wire = Wire(context)
        self.budget = Budget(config.calls_a_day, context)
        self.tokens = Refresher(config, context, self._wire, self.budget)

    async def close(self) -> None:
        """Tear whatever goes on."""
        await self.tokens.close(self._wire.close)

    def wanted(self, wish: str) -> Wanted:
        """A wish whose time begins now."""
        deadline_s = self._context.deadlines.cloud_s * _PATIENCE
        ends_s = asyncio.get_running_loop().time() + deadline_s
        return Wanted(self._context.connection, wish, self._config.api_url, deadline_s, ends_s)

    async def get(self, wanted: Wanted, page: str, share: Share) -> Answer:
        """A page of the site, such as "live_status"."""
        site = await self.site(wanted, share)
        return await self._call(wanted, Ask("GET", self._url(site, page), {}), share)

    async def post(self, wanted: Wanted, command: str, body: Mapping[str, Any]) -> None:
        """A command to the site. Returning means that the cloud took it, not that the battery obeys."""
        site = await self.site(wanted, Share.WRITE)
        answer = await self._call(wanted, Ask("POST", self._url(site, command), {}, json=body), Share.WRITE)
        code = number(answer.body.get("code"), 0, 999) if isinstance(answer.body, dict) else None
        if code is not None and code >= 400:
            cure = "look into Tesla's app whether the site takes this setting"
            raise Refused(wanted.part, wanted.wish, f"the cloud refused it (code {code:.0f})", cure)

    async def site(self, wanted: Wanted, share: Share = Share.HEALTHY) -> int:
        """The site that is meant: the configured one, else the only one that the account had when it was first asked.

        Never another one later: what was written to the wrong house would be written there.
        """
        if self._config.site is not None:
            return self._config.site
        kept = self._context.store.get("site")
        if isinstance(kept, int) and kept > 0:
            return kept
        found = await self.sites(wanted, share)
        if len(found) != 1:
            listed = ", ".join(f"{each.id} ({each.name})" for each in found) or "none"
            fact = f"the account has {len(found) or 'no'} energy sites with a battery: {listed}"
            raise Refused(wanted.part, wanted.wish, fact, "write site = and the number of the one that is meant")
        await self._context.store.put("site", found[0].id)
        return found[0].id

    async def sites(self, wanted: Wanted, share: Share) -> list[Found]:
        """Every energy site of the account that has a battery."""
        answer = await self._call(wanted, Ask("GET", f"{self._config.api_url}/api/1/products", {}), share)
        if not isinstance(answer.body, list):
            raise Garbled(wanted.part, wanted.wish, "it listed no products", "if it lasts, please report it")
        return [found for each in answer.body[:1000] if (found := _found(each)) is not None][:_MOST_SITES]

    def _url(self, site: int, page: str) -> str:
        return f"{self._config.api_url}/api/1/energy_sites/{site}/{page}"

    async def _call(self, wanted: Wanted, ask: Ask, share: Share) -> Answer:
        """One call, and a second one with a newer token where the first was refused for its token."""
        access = await self.tokens.access(wanted)
        asked, reply = await self._exchange(wanted, ask, access, share)
        if reply.status == 401:
            access = await self.tokens.after_refusal(wanted, access)
            asked, reply = await self._exchange(wanted, ask, access, share)
        if not 200 <= reply.status < 300:
            await self.budget.heed(reply)
            raise refused(wanted, reply)
        body = json_object(wanted, reply)
        await self.tokens.worked(access)
        if "response" not in body:
            raise Garbled(wanted.part, wanted.wish, "it answered without a response", "if it lasts, please report it")
        return Answer(asked, body["response"], reply.headers)

    async def _exchange(self, wanted: Wanted, ask: Ask, access: str, share: Share) -> tuple[Instant, Reply]:
        await self.budget.spend(wanted, share)
        signed = Ask(ask.method, ask.url, {"Authorization": f"Bearer {access}"}, json=ask.json)
        asked = self._context.now()
        try:
            reply = await self._wire.exchange(signed, wanted.ends_s)
        except Exception as error:
            if never_sent(error):
                self.budget.unspent()
            raise as_device_error(wanted, error) from None
        if reply.status >= 500:
            self.budget.unspent()
        return asked, reply


def _found(product: Any) -> Found | None:
    """A product as a site with a battery; None for cars, chargers and solar alone."""
    if not isinstance(product, dict):
        return None
    site = product.get("energy_site_id")
    components = product.get("components")
    battery = isinstance(components, dict) and components.get("battery") is True
    if not isinstance(site, int) or isinstance(site, bool) or not 0 < site < 1 << 63:
        return None
    if product.get("resource_type") != "battery" and not battery:
        return None
    name = product.get("site_name")
    return Found(site, name[:60] if isinstance(name, str) else "no name")
