"""Where the house is: what its clock shows, and when the sun rises there."""

from __future__ import annotations

from zoneinfo import available_timezones

from pimgr.config.errors import Kind
from pimgr.config.fields import Bad, Field, Table, number
from pimgr.local_time import zone_of
from pimgr.policy.calendar import Place
from pimgr.text import did_you_mean, nearest


def _zone(value: object) -> str:
    if not isinstance(value, str):
        raise Bad("put it in quotes")
    try:
        zone_of(value or "?")
    except ValueError:
        raise Bad(_near(value)) from None
    return value


def _near(value: str) -> str:
    known = available_timezones()
    if not known:
        return "this box has no time zones at all: install the package tzdata"
    cities = {name.rpartition("/")[2]: name for name in sorted(known)}
    city = nearest(value.replace(" ", "_").rpartition("/")[2], cities)
    return did_you_mean(value, known) or (f'did you mean "{cities[city]}"?' if city else "")


def _degrees(most: float) -> Field[float]:
    return Field(f"degrees from -{most:g} to {most:g}", lambda value: number(value, -most, most))


ZONE = Field('a time zone such as "America/Los_Angeles"', _zone)
LATITUDE, LONGITUDE = _degrees(90.0), _degrees(180.0)


def place(top: Table) -> Place | None:
    """What `[place]` says; None where it isn't there: then the box's own time zone counts."""
    table = top.table("place")
    zone = table.get("timezone", ZONE, "")
    latitude, longitude = table.get("latitude", LATITUDE, None), table.get("longitude", LONGITUDE, None)
    table.close()
    for name, other in (("latitude", "longitude"), ("longitude", "latitude")):
        if name in table and other not in table:
            table.report.add(
                table.path(other), Kind.MISSING, found="no such key", expected=f"{other} in degrees beside {name}"
            )
    if "place" not in top:
        return None
    return Place(zone=zone, latitude=latitude, longitude=longitude)
