"""What a peak leaves in the battery for an outage, and what raises it: `[tariff.floor]`."""

from __future__ import annotations

from pimgr.config.fields import PERCENT, Field, Table, duration, quantity
from pimgr.config.site import reserve
from pimgr.policy.battery.rates import Floor
from pimgr.units import Percent

_M_S = {"km/h": 1 / 3.6, "mph": 0.44704, "m/s": 1.0}
SPEED = Field('a speed such as "75 km/h" or "47 mph"', lambda value: quantity(value, _M_S, 1.0, 150.0))


def read_floor(table: Table) -> Floor:
    """What the table says; where it says nothing, what a floor usually is."""
    usual = Floor()
    floor = Floor(
        percent=reserve(table, "percent", usual.percent),
        storm=reserve(table, "storm", usual.storm),
        gust=reserve(table, "gusts", usual.gust),
        gust_m_s=table.get("gust_speed", SPEED, usual.gust_m_s),
        gust_ahead_s=table.get("gusts_within", duration(3600.0, 72 * 3600.0, "24h"), usual.gust_ahead_s),
        after_outage=Percent(table.get("after_outage", PERCENT, usual.after_outage)),
        after_outage_s=table.get("outage_within", duration(0.0, 60 * 86400.0, "7d"), usual.after_outage_s),
    )
    table.close()
    return floor
