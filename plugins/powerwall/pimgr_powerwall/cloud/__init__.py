"""The Powerwall by way of Tesla's cloud: what is asked there costs calls, and an outage may take the internet along."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from pimgr.api import Capability, Config, Connection, Context, DeviceType, Finding, Secret, Severity

FLEET = {
    "na": "https://fleet-api.prd.na.vn.cloud.tesla.com",
    "eu": "https://fleet-api.prd.eu.vn.cloud.tesla.com",
}
FLEET_AUTH = "https://fleet-auth.prd.vn.cloud.tesla.com"
"""Source: Tesla's developer documentation, "Regional Requirements" and "Third-Party Tokens"."""
OWNER, OWNER_AUTH, OWNER_CLIENT = "https://owner-api.teslamotors.com", "https://auth.tesla.com", "ownerapi"
"""Source: teslajsonpy, TeslaPy; undocumented by Tesla."""
FREE_CALLS_A_DAY = 200
"""With this budget a month of healthy days takes some 4,800 calls: Tesla's monthly discount of 10 $ covers 5,000.

Source: developer.tesla.com, "Billing and Limits" and prices (500 data requests for 1 $), read in 2026.
"""


class CloudConfig(Config):
    """`powerwall.cloud` in the config file.

    `refresh_token`: the first one, from your authorisation; another text in the secret is a new authorisation.
    `client_id`, `client_secret`: of your application at developer.tesla.com; the Owner API needs neither.
    `site`: the energy site's number, needed where the account has several. `calls_a_day`: budget of calls.
    `base_url`, `auth_url`: other servers than Tesla's own.
    """

    refresh_token: Secret
    client_id: str = ""
    client_secret: Secret | None = None
    api: Literal["fleet", "owner"] = "fleet"
    region: Literal["na", "eu"] = "na"
    site: Annotated[int, Meta(ge=1)] | None = None
    calls_a_day: Annotated[int, Meta(ge=50, le=100_000)] = FREE_CALLS_A_DAY
    base_url: str | None = None
    auth_url: str | None = None

    def __post_init__(self) -> None:
        if self.api == "fleet" and not self.client_id:
            raise ValueError("client_id: write the one of your application at developer.tesla.com")
        for name, url in (("base_url", self.base_url), ("auth_url", self.auth_url)):
            if url is not None and not _private(url):
                raise ValueError(f'{name} {url!r}: write "https://..." without a path; http is for 127.0.0.1 only')

    @property
    def api_url(self) -> str:
        """Where the site is asked, without a slash at its end."""
        return (self.base_url or (FLEET[self.region] if self.api == "fleet" else OWNER)).rstrip("/")

    @property
    def token_url(self) -> str:
        base = self.auth_url or (FLEET_AUTH if self.api == "fleet" else OWNER_AUTH)
        return f"{base.rstrip('/')}/oauth2/v3/token"

    @property
    def client(self) -> str:
        return self.client_id or OWNER_CLIENT


def _private(url: str) -> bool:
    """Whether nobody on the way can read what is said to this server."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    bare = not (parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/"))
    return bool(host) and bare and (parts.scheme == "https" or (parts.scheme == "http" and _loopback(host)))


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _provides(_: CloudConfig) -> Mapping[str, frozenset[Capability]]:
    return {"": frozenset({Capability.GRID_SOURCE, Capability.SITE_METER, Capability.SITE_CONTROL})}


def _open(config: CloudConfig, context: Context) -> AbstractAsyncContextManager[Connection]:
    from pimgr_powerwall.cloud.site import open_cloud  # brings requests in, so only once it is opened

    return open_cloud(config, context)


def _advise(config: CloudConfig) -> Sequence[Finding]:
    """What this config will cost or not bring about."""
    found = []
    if config.api == "owner":
        text = "Tesla's Owner API is undocumented and has refused ordinary clients since June 2026 (HTTP 403)"
        found.append(Finding(severity=Severity.WARNING, text=text, cure='use api = "fleet"'))
    elif config.calls_a_day > FREE_CALLS_A_DAY:
        text = f"up to {config.calls_a_day} calls a day may cost more than Tesla's monthly discount covers"
        cure = f"set a billing limit at developer.tesla.com, or calls_a_day = {FREE_CALLS_A_DAY}"
        found.append(Finding(severity=Severity.INFO, text=text, cure=cure))
    return found


CLOUD = DeviceType(
    name="powerwall.cloud",
    summary="Powerwall through Tesla's cloud (Fleet API): fallback for readings; sets reserve, mode, grid charging",
    config=CloudConfig,
    provides=_provides,
    open=_open,
    vendor_modules=("requests",),
    cloud=True,
    floor_s=30.0,
    budgets=("rest",),
    spends=("refreshing",),
    advise=_advise,
)
