"""A forecast service as Open-Meteo's clients see it: plain HTTP, one path, days that are all alike and can be set.

Parameters, field names, units, and what a time stands for: open-meteo.com/en/docs. A day's temperature swings around
its middle, lowest at 04:00 and highest at 16:00; the sun shines from 06:00 to 18:00.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any
from urllib.parse import parse_qs

import h11
from msgspec import Meta

from pimgr.house.faults import HTTP_FAULTS, Line
from pimgr.house.house import House
from pimgr.house.http import Answer, json_answer, serve_http
from pimgr.house.kinds import DeviceSpec, ServerKind

_DAY_S, _HOUR_S = 86400, 3600
_UNITS = {"temperature_2m": "°C", "cloud_cover": "%", "shortwave_radiation": "W/m²", "wind_gusts_10m": "m/s"}
_NOON_SUN = 950.0
"""W/m² at noon under a clear sky, as in a Californian summer."""


class _Bad(Exception):
    """What the service answers 400 to, in its own words."""


class WeatherSpec(DeviceSpec, kw_only=True):
    """A forecast service. `high`, `low` in degrees Celsius; `gust` in m/s, `cloud` in %, the same all day.

    `now`: its clock, UTC in s; 0 is the real one. `utc_offset_s`: what "auto" gives as the time zone.
    """

    high: Annotated[float, Meta(ge=-90.0, le=60.0)] = 31.0
    low: Annotated[float, Meta(ge=-90.0, le=60.0)] = 15.0
    gust: Annotated[float, Meta(ge=0.0, le=100.0)] = 6.0
    cloud: Annotated[float, Meta(ge=0.0, le=100.0)] = 10.0
    now: Annotated[float, Meta(ge=0.0)] = 0.0
    utc_offset_s: Annotated[int, Meta(ge=-50400, le=50400)] = -25200


class Weather:
    """One forecast service, and the weather that is to come. All may be set at any time.

    `elsewhere`: it answers for a place so many degrees away; `says`: these very bytes with status 200 instead;
    `ignores_units`: it answers gusts in km/h whatever is asked.
    """

    def __init__(self, spec: WeatherSpec, house: House) -> None:
        self.spec = spec
        self.high, self.low, self.gust, self.cloud = spec.high, spec.low, spec.gust, spec.cloud
        self.elsewhere = 0.0
        self.says: bytes | None = None
        self.ignores_units = False
        self._house = house

    async def serve(self, line: Line) -> None:
        """One connection, kept alive until the client goes."""
        await serve_http(line, self._answer, lambda why: self._note("refused", why))

    def _answer(self, request: h11.Request, _body: bytes) -> Answer:
        path, _, query = request.target.decode("latin-1").partition("?")
        status = self._house.gate(self.spec.id).fault.http_status
        if status == 429:
            self._note("refused", "429")
            return _error(429, "Minutely API request limit exceeded. Please try again in one minute.")
        if status:
            self._note("refused", str(status))
            return _error(status, "told to")
        if path != "/v1/forecast":
            return _error(404, "Not Found")
        self._note("query", path, query)
        if self.says is not None:
            return Answer(status=200, body=self.says)
        try:
            return json_answer(200, self._forecast({name: values[0] for name, values in parse_qs(query).items()}))
        except _Bad as bad:
            return _error(400, str(bad))

    def _forecast(self, asked: Mapping[str, str]) -> dict[str, Any]:
        latitude = _degrees(asked, "latitude", 90.0) + self.elsewhere
        longitude = _degrees(asked, "longitude", 180.0)
        if asked.get("timezone", "GMT") not in ("auto", "GMT"):
            raise _Bad("Invalid timezone")
        metric = asked.get("wind_speed_unit") == "ms" and not self.ignores_units
        offset = self.spec.utc_offset_s if asked.get("timezone") == "auto" else 0
        today = (int(self.spec.now or time.time()) + offset) // _DAY_S * _DAY_S - offset
        days = int(asked.get("forecast_days", "7"))
        hours = [today + _HOUR_S * number for number in range(24 * days)]
        names = asked.get("hourly", "").split(",")
        columns = {name: [self._value(name, (t + offset) % _DAY_S, metric) for t in hours] for name in names}
        units = {name: "km/h" if name == "wind_gusts_10m" and not metric else _UNITS[name] for name in names}
        return {
            "latitude": round(latitude, 1),
            "longitude": round(longitude, 1),
            "generationtime_ms": 0.1,
            "utc_offset_seconds": offset,
            "timezone": "America/Los_Angeles" if offset else "GMT",
            "timezone_abbreviation": "PDT" if offset else "GMT",
            "elevation": 30.0,
            "hourly_units": {"time": "unixtime", **units},
            "hourly": {"time": hours, **columns},
            "daily_units": {"time": "unixtime", "temperature_2m_max": "°C"},
            "daily": {"time": hours[::24], "temperature_2m_max": [self.high] * days},
        }

    def _value(self, name: str, local_s: int, metric: bool) -> float:
        """A variable at a time of the day: radiation and gust are those of the hour before it."""
        match name:
            case "temperature_2m":
                middle, swing = (self.high + self.low) / 2, (self.high - self.low) / 2
                return round(middle - swing * math.cos(math.tau * (local_s - 4 * _HOUR_S) / _DAY_S), 1)
            case "cloud_cover":
                return self.cloud
            case "shortwave_radiation":
                height = math.sin(math.pi * (local_s - _HOUR_S / 2 - 6 * _HOUR_S) / (12 * _HOUR_S))
                return round(max(0.0, height) * _NOON_SUN * (1.0 - 0.75 * self.cloud / 100.0), 1)
            case "wind_gusts_10m":
                return self.gust if metric else round(self.gust * 3.6, 1)
            case _:
                raise _Bad(f"Data corrupted at path ''. Cannot initialize ForecastVariable from invalid value {name}.")

    def _note(self, what: str, value: str, raw: str = "") -> None:
        self._house.wire.note(self.spec.id, "", what, value, raw=raw)


def _degrees(asked: Mapping[str, str], name: str, most: float) -> float:
    try:
        value = float(asked[name])
    except (KeyError, ValueError):
        raise _Bad(f"Parameter '{name}' must be a number") from None
    if not -most <= value <= most:
        raise _Bad(f"{name.title()} must be in range of -{most:g} to {most:g}°. Given: {value}.")
    return value


def _error(status: int, reason: str) -> Answer:
    return json_answer(status, {"error": True, "reason": reason})


@asynccontextmanager
async def _serve(spec: WeatherSpec, house: House) -> AsyncIterator[None]:
    weather = Weather(spec, house)
    house.offer(spec.id, weather)
    async with house.listening(spec.id, spec.port, weather.serve):
        yield


KIND = ServerKind(kind="weather", config=WeatherSpec, serve=_serve, faults=HTTP_FAULTS, internet=True)
