"""Open-Meteo's forecast as pimgr reads it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

from pimgr.api import Context, DeviceError, Finding, ForecastReading, Instant, Parts, Severity
from pimgr_weather import PUBLIC, ForecastConfig
from pimgr_weather.errors import Asked, as_device_error, from_status
from pimgr_weather.reply import Expected, forecast_from
from pimgr_weather.wire import fetch

HOURLY = ("temperature_2m", "cloud_cover", "shortwave_radiation", "wind_gusts_10m")
DAYS = 3
_PATIENCE = 0.9
"""Share of the host's deadline after which we say ourselves what hung."""


@asynccontextmanager
async def open_forecast(config: ForecastConfig, context: Context) -> AsyncIterator[Forecast]:
    """A forecast that connects with each read, and holds nothing in between."""
    yield Forecast(config, context)


class Forecast:
    """The forecast for one place; it is its own and only part."""

    def __init__(self, config: ForecastConfig, context: Context) -> None:
        self._config, self._context = config, context
        self.parts: Parts = {"": self}

    async def read_forecast(self) -> ForecastReading:
        """Today's remaining hours and two more days. Temperatures in degrees Celsius, gusts in m/s, cloud in %.

        One question, without a retry. Source: GET /v1/forecast, open-meteo.com/en/docs.
        """
        at = self._context.now()
        deadline_s = self._context.deadlines.cloud_s * _PATIENCE
        asked = Asked(self._context.connection, urlsplit(self._config.base_url).hostname or "", deadline_s)
        try:
            url = f"{self._config.base_url.rstrip('/')}/v1/forecast"
            reply = await self._context.call(fetch, url, self._query(), deadline_s)
            if reply.status != 200:
                raise from_status(asked, reply)
            return self._reading(reply.body, at)
        except Exception as error:  # requests and urllib3 have hierarchies of their own, and leak http.client's
            raise as_device_error(asked, error) from None

    async def check(self) -> list[Finding]:
        """One forecast, as a person would look at it."""
        try:
            reading = await self.read_forecast()
        except DeviceError as error:
            return [Finding(severity=Severity.CRITICAL, text=str(error), cure=error.cure)]
        end = datetime.fromtimestamp(reading.hours[-1].start, UTC)
        days = ", ".join(f"{day.date} {day.high:.0f} °C" for day in reading.days)
        text = f"the forecast reaches to {end:%Y-%m-%d %H:%M} UTC; highest temperatures: {days or 'none told'}"
        findings = [Finding(severity=Severity.INFO, text=text)]
        if self._config.base_url == PUBLIC:
            terms = "weather data by Open-Meteo.com (CC BY 4.0); its free service is for non-commercial use"
            findings.append(Finding(severity=Severity.INFO, text=terms))
        return findings

    def _reading(self, body: bytes, at: Instant) -> ForecastReading:
        expected = Expected(self._context.connection, self._config.latitude, self._config.longitude, at.wall)
        hours, days = forecast_from(body, expected)
        return ForecastReading(at=at, source="open-meteo", hours=hours, days=days)

    def _query(self) -> dict[str, str]:
        return {
            "latitude": f"{self._config.latitude:.4f}",
            "longitude": f"{self._config.longitude:.4f}",
            "hourly": ",".join(HOURLY),
            "daily": "temperature_2m_max",
            "wind_speed_unit": "ms",
            "timeformat": "unixtime",
            "timezone": self._config.timezone,
            "forecast_days": str(DAYS),
        }
