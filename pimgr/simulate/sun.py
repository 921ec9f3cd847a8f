"""Where the sun stands, and what it gives through clouds."""

from __future__ import annotations

import math

DAY_S = 86400.0
YEAR_DAYS = 365.2425


def day_of_year(wall: float) -> float:
    """Days since the last new year, in UTC, to within a day: what seasons need."""
    return (wall / DAY_S) % YEAR_DAYS


def solar_hour(wall: float, longitude: float) -> float:
    """The hour by a sundial, 12 at noon. `wall`: UTC in s; `longitude`: degrees, east positive.

    Source: Spencer, "Fourier series representation of the position of the sun", Search 2 (5), 1971.
    """
    b = 2.0 * math.pi * day_of_year(wall) / YEAR_DAYS
    minutes = 229.18 * (
        0.000075
        + 0.001868 * math.cos(b)
        - 0.032077 * math.sin(b)
        - 0.014615 * math.cos(2 * b)
        - 0.040849 * math.sin(2 * b)
    )
    return (wall % DAY_S / 3600.0 + longitude / 15.0 + minutes / 60.0) % 24.0


def sin_elevation(wall: float, latitude: float, longitude: float) -> float:
    """The sine of the sun's height over the horizon. Declination: Cooper, Solar Energy 12 (3), 1969."""
    declination = math.radians(23.45) * math.sin(2.0 * math.pi * (284.0 + day_of_year(wall) + 1.0) / 365.0)
    hour = math.radians(15.0 * (solar_hour(wall, longitude) - 12.0))
    north = math.radians(latitude)
    return math.sin(north) * math.sin(declination) + math.cos(north) * math.cos(declination) * math.cos(hour)


def clear_sky(sine: float) -> float:
    """W/m2 on level ground under a clear sky. Source: Haurwitz, Journal of Meteorology 2, 1945, and 3, 1946."""
    return 1098.0 * sine * math.exp(-0.057 / sine) if sine > 0.0 else 0.0


def through_clouds(clear: float, cloud: float) -> float:
    """What is left of it under a sky covered to `cloud` (0 to 1). Source: Kasten, Czeplak, Solar Energy 24, 1980."""
    return clear * (1.0 - 0.75 * math.pow(cloud, 3.4))
