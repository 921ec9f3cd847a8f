"""The rehearsal: which house, which tiers, what happens when, and the config that pimgr gets for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pimgr.demo.tables import Writer
from pimgr.house import House, read_spec

HOUSE = """
version = 1
name = "demo house"
base_load_w = 420.0
solar_w = 300.0
charge = 84.0
[grid]
return_s = {return_s}
[[device]]
id = "gateway"
kind = "gateway"
[[device]]
id = "ev-charger"
kind = "kasa"
watts = 2300.0
[[device]]
id = "pool-pump"
kind = "kasa"
watts = 1100.0
[[device]]
id = "heater"
kind = "kasa"
watts = 1500.0
on = false
[[device]]
id = "strip"
kind = "kasa"
outlets = 6
watts = [12.0, 90.0, 40.0, 25.0, 60.0, 8.0]
on = [true, true, true, false, true, true]
[[device]]
id = "nas"
kind = "ssh"
watts = 45.0
mac = "02:00:00:00:00:07"
shutdown_s = 1.0
boot_s = 1.0
[[device]]
id = "mail"
kind = "mail"
user = "house@example.net"
password = "house-mail"
"""


@dataclass(frozen=True)
class DemoTier:
    """`below`: percent, or None for at once. `limit_s`: from the moment that calls for it to its last load."""

    name: str
    loads: tuple[str, ...]
    below: float | None
    limit_s: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Seconds are counted from the first decision. `pace`: how much faster than the usual minute it is played.

    `offline_s`, `online_s`: when the internet goes and comes back; None where it stays. `battery`: more of that table.
    """

    house: str = HOUSE
    pace: float = 1.0
    down_s: float = 5.0
    fall_s: float = 12.0
    person_s: float = 26.0
    up_s: float = 34.0
    offline_s: float | None = None
    online_s: float = 0.0
    end_s: float = 60.0
    charge_after: float = 47.0
    settle_s: float = 6.0
    stagger_s: float = 1.0
    detection_limit_s: float = 1.2
    tiers: tuple[DemoTier, ...] = (
        DemoTier("at once", ("ev-charger", "pool-pump", "heater", "strip/3"), None, 3.0),
        DemoTier("low battery", ("strip/2", "strip/5", "nas"), 50.0, 12.0),
    )
    never_shed: tuple[str, ...] = ("strip/1",)
    sources: tuple[str, ...] = ("gateway",)
    battery: str = ""
    person: str = "strip/3"
    """Somebody turns this one on again in mid-outage: it is theirs from then on."""

    def at(self, seconds: float) -> float:
        return seconds / self.pace

    def differences(self) -> list[str]:
        """What is set other than by default, and why: a minute is short."""
        return [
            "grid polled every 1 s (default 2 s), no confirmation (default 4 s): to show the fastest answer",
            "battery polled every 1 s (default 10 s): the battery falls within seconds here",
            f"settles for {self.at(self.settle_s):.1f} s (default 5 min)",
            f"gives back every {self.at(self.stagger_s):.1f} s (default 5 s)",
            "the machine shuts down and boots within 1 s each",
        ]


def build_house(plan: Plan, log: Path) -> tuple[House, str]:
    """The house, and the private key (OpenSSH text) that its machines let in."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    text = plan.house.format(return_s=plan.at(2.0))
    text = text.replace('kind = "ssh"\n', f'kind = "ssh"\nauthorized_keys = ["{public}"]\n')
    return House(read_spec(f'log = "{log}"\n{text}')), private


def config_text(plan: Plan, house: House, ca_file: Path) -> str:
    """pimgr's config for the running house."""
    tiers = "\n".join(_tier(tier) for tier in plan.tiers)
    return f"""version = 1
[grid]
sources = {_strings(plan.sources)}
poll = "1s"
confirm = "0s"
settle = "{plan.at(plan.settle_s) * 1000:.0f}ms"
[battery]
capacity = "13.5 kWh"
assumed_load = "1 kW"
poll = "1s"
{plan.battery}
[restore]
stagger = "{plan.at(plan.stagger_s) * 1000:.0f}ms"
[protect]
never_shed = {_strings(plan.never_shed)}
{tiers}
{Writer(house, ca_file).tables()}
"""


def _tier(tier: DemoTier) -> str:
    when = "at_once = true" if tier.below is None else f"below = {tier.below}"
    return f'[[tiers]]\nname = "{tier.name}"\n{when}\nloads = {_strings(tier.loads)}\n'


def _strings(names: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"
