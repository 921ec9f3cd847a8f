"""Houses on loopback and supervisors of their own process, as the benchmarks need them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pimgr.house import House, WireEntry, read_spec

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
PATIENCE_S = 120.0
"""What is waited for so long in vain ends the benchmark: a house that isn't protected has no figure."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What the config says about time, in s."""

    poll_s: float
    confirm_s: float
    settle_s: float = 0.5


def plugs(count: int) -> House:
    """A house with a gateway and `count` plugs that are on; the grid returns at once."""
    devices = [("gateway", "gateway"), *((f"plug-{n}", "kasa") for n in range(count))]
    text = 'version = 1\nname = "bench"\nbase_load_w = 100.0\n[battery]\npower_w = 100000.0\n[grid]\nreturn_s = 0.0\n'
    return House(read_spec(text + "".join(f'[[device]]\nid = "{id}"\nkind = "{kind}"\n' for id, kind in devices)))


def config(house: House, timing: Timing) -> str:
    """pimgr's config for a house of `plugs`: all of them go off at once, and come back without stagger."""
    names = loads(house)
    tables = "".join(_table(name, house.port(name)) for name in names)
    return f"""version = 1
[grid]
sources = ["gateway"]
poll = "{timing.poll_s * 1000:.0f}ms"
confirm = "{timing.confirm_s * 1000:.0f}ms"
settle = "{timing.settle_s * 1000:.0f}ms"
[restore]
stagger = "0s"
[[tiers]]
name = "at once"
at_once = true
loads = [{", ".join(f'"{name}"' for name in names)}]
[connections.gateway]
type = "powerwall.gateway"
address = "127.0.0.1:{house.port("gateway")}"
password = {{ secret = "gateway-password" }}
fingerprint = "sha256:{house.fingerprint("gateway")}"
{tables}"""


def _table(name: str, port: int) -> str:
    return f'[connections.{name}]\ntype = "kasa.plug"\naddress = "127.0.0.1"\nport = {port}\n'


def loads(house: House) -> list[str]:
    """The plugs' ids."""
    return [device.id for device in house.spec.device if device.kind == "kasa"]


async def truth(house: House, name: str, value: str, since: int) -> float:
    """When this plug went "on" or "off", in truth, in the wire log from number `since` on (CLOCK_BOOTTIME s)."""
    entry = await house.wire.wait_for(
        lambda e: e.device == name and e.what == "truth" and e.value == value, PATIENCE_S, since=since
    )
    return entry.mono_s


def grid_entry(entries: Sequence[WireEntry]) -> WireEntry:
    """The moment at which the grid went or came, in truth."""
    return next(e for e in entries if e.device == "house" and e.part == "grid" and e.what == "truth")


@contextmanager
def memory() -> Iterator[Path]:
    """An empty folder in memory, as /run is: what is written there wears nothing out."""
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - a private folder in it
    with tempfile.TemporaryDirectory(prefix="pimgr-bench-", dir=shm) as path:
        yield Path(path)


@contextmanager
def folder(name: str) -> Iterator[Path]:
    """An empty folder on the disk of this checkout, not in memory: an fsync has to cost what it costs."""
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"b-{name}-", dir=BUILD) as path:
        yield Path(path)
