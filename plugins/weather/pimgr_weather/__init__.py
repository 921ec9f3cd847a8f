"""The weather forecast of Open-Meteo: hot days to cool ahead of, storms to keep charge for. No key is needed."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import urlsplit

from pimgr.api import Capability, Config, Connection, Context, DeviceType, hookimpl
from pimgr.units import finite_and_in_range

PUBLIC = "https://api.open-meteo.com"


class ForecastConfig(Config):
    """`weather.open-meteo` in the config file.

    `latitude`, `longitude`: the house in degrees, north and east positive; two decimals are plenty. `timezone`: whose
    days are told, such as "America/Los_Angeles"; "auto" is the one at the house. `base_url`: another server that
    speaks the same, by https.
    """

    latitude: float
    longitude: float
    timezone: str = "auto"
    base_url: str = PUBLIC

    def __post_init__(self) -> None:
        if not finite_and_in_range(self.latitude, -90.0, 90.0):
            raise ValueError(f"latitude {self.latitude}: write degrees from -90 (south) to 90 (north)")
        if not finite_and_in_range(self.longitude, -180.0, 180.0):
            raise ValueError(f"longitude {self.longitude}: write degrees from -180 (west) to 180 (east)")
        if not self.timezone or len(self.timezone) > 64:
            raise ValueError('timezone: write "auto" or a name such as "America/Los_Angeles"')
        if not _safe(self.base_url):
            raise ValueError(f"base_url {self.base_url!r}: write https://HOST (http:// is for 127.0.0.1 only)")


def _safe(url: str) -> bool:
    """Whether it is https, or stays within this box."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    if not parts.hostname or parts.query or parts.fragment or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _provides(_: ForecastConfig) -> Mapping[str, frozenset[Capability]]:
    return {"": frozenset({Capability.FORECAST})}


def _open(config: ForecastConfig, context: Context) -> AbstractAsyncContextManager[Connection]:
    from pimgr_weather.forecast import open_forecast  # brings requests in, so only once it is opened

    return open_forecast(config, context)


OPEN_METEO = DeviceType(
    name="weather.open-meteo",
    summary="Weather forecast of Open-Meteo for the house (no key needed)",
    config=ForecastConfig,
    provides=_provides,
    open=_open,
    vendor_modules=("requests",),
    cloud=True,
    poll_s={Capability.FORECAST: 1800.0},
    floor_s=300.0,
)


@hookimpl
def pimgr_device_types() -> Sequence[DeviceType[Any]]:
    """The device types of this plugin."""
    return (OPEN_METEO,)
