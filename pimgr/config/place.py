"""Where the house is: what its clock shows, and when the sun rises there."""

from __future__ import annotations

from zoneinfo import available_timezones

from pimgr.config.errors import Kind, did_you_mean
from pimgr.config.fields import Bad, Field, Table, number
from pimgr.local_time import zone_of
from pimgr.policy.calendar import Place


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
    by_low = {name.lower(): name for name in known}
    city = {name.rpartition("/")[2]: name for name in by_low}
    near = did_you_mean(value, by_low) or did_you_mean(value.replace(" ", "_").rpartition("/")[2], city)
    found = near.split('"')[1] if near else ""
    return f'did you mean "{by_low.get(found) or by_low[city[found]]}"?' if found else ""


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
