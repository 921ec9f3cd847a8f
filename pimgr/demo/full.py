"""The rehearsal with every kind of device, in which the internet fails while the grid is away."""

from __future__ import annotations

from pimgr.demo.plan import DemoTier, Plan

HOUSE = """
version = 1
name = "full house"
base_load_w = 420.0
solar_w = 300.0
charge = 84.0
[grid]
return_s = {return_s}
[[device]]
id = "gateway"
kind = "gateway"
[[device]]
id = "tesla"
kind = "tesla"
[[device]]
id = "ev-charger"
kind = "kasa"
watts = 1200.0
[[device]]
id = "pool-pump"
kind = "kasa"
protocol = "klap2"
username = "owner@example.net"
password = "kasa-password"
watts = 600.0
[[device]]
id = "strip"
kind = "kasa"
outlets = 3
watts = [12.0, 90.0, 40.0]
[[device]]
id = "spa"
kind = "tuya"
version = "3.3"
watts = 900.0
[[device]]
id = "workshop"
kind = "tuya"
version = "3.5"
switches = 2
watts = [600.0, 150.0]
on = [true, false]
[[device]]
id = "tuya-cloud"
kind = "tuya-cloud"
[[device]]
id = "nas"
kind = "ssh"
watts = 45.0
mac = "02:00:00:00:00:07"
shutdown_s = 1.0
boot_s = 1.0
[[device]]
id = "sun"
kind = "ssh"
personality = "solaris"
watts = 180.0
mac = "02:00:00:00:00:08"
shutdown_s = 1.0
boot_s = 1.0
[[device]]
id = "office-pc"
kind = "ssh"
personality = "windows"
watts = 120.0
mac = "02:00:00:00:00:09"
shutdown_s = 1.0
boot_s = 1.0
[[device]]
id = "climate"
kind = "honeywell"
thermostats = [{{ id = 1234567, name = "HALL" }}, {{ id = 7654321, name = "BEDROOM" }}]
[[device]]
id = "weather"
kind = "weather"
[[device]]
id = "phone"
kind = "ntfy"
token = "tk_agQdq7mVBoFD37zQVN29RhuMzNIz2"
[[device]]
id = "mail"
kind = "mail"
user = "house@example.net"
password = "house-mail"
"""


def full(pace: float) -> Plan:
    """Every kind of device; the internet is away from shortly after the grid fails until after it is back."""
    return Plan(
        house=HOUSE,
        pace=pace,
        offline_s=9.0,
        online_s=44.0,
        end_s=75.0,
        tiers=(
            DemoTier("at once", ("ev-charger", "pool-pump", "spa", "workshop/1", "workshop/2"), None, 6.0),
            DemoTier("low battery", ("strip/2", "strip/3", "office-pc", "sun", "nas"), 50.0, 12.0),
        ),
        never_shed=("strip/1",),
        sources=("gateway", "tesla"),
        battery="reserve = 30",
        person="strip/3",
    )
