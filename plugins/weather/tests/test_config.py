"""What the config of the forecast takes, and that the plugin offers it."""

from __future__ import annotations

from typing import Any

import msgspec
import pimgr_weather
import pytest
from pimgr_weather import ForecastConfig

from pimgr.api import Capability, plugin_manager

PLACE = {"latitude": 37.77, "longitude": -122.42}


def test_the_forecast_is_offered_and_provides_one_part() -> None:
    manager = plugin_manager()
    manager.register(pimgr_weather)
    ((kind,),) = manager.hook.pimgr_device_types()
    assert (kind.name, kind.cloud, dict(kind.poll_s)) == ("weather.open-meteo", True, {Capability.FORECAST: 1800.0})
    assert dict(kind.provides(msgspec.convert(PLACE, ForecastConfig))) == {"": frozenset({Capability.FORECAST})}


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.open-meteo.com",
        "https://weather.example.org:8443/mirror",
        "http://127.0.0.1:8080",
        "http://[::1]:1",
    ],
)
def test_a_server_is_https_or_on_this_box(base_url: str) -> None:
    assert msgspec.convert({**PLACE, "base_url": base_url}, ForecastConfig).base_url == base_url


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"latitude": 90.1}, "latitude"),
        ({"latitude": float("nan")}, "latitude"),
        ({"longitude": -180.5}, "longitude"),
        ({"timezone": ""}, "timezone"),
        ({"base_url": "http://192.0.2.7"}, "https://"),
        ({"base_url": "http://127.0.0.1.example.org"}, "https://"),
        ({"base_url": "https://user@example.org"}, "https://"),
        ({"base_url": "https://example.org:99999"}, "https://"),
        ({"base_url": "file:///etc/passwd"}, "https://"),
        ({"base_url": "https://"}, "https://"),
    ],
)
def test_what_can_not_be_is_refused_by_name(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=told):
        msgspec.convert({**PLACE, **keys}, ForecastConfig)
