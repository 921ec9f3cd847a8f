"""The charger's side: the house in a box, with this distribution's own server in it."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pimgr.house import Fault, House
from pimgr.testing import Trouble, Vendor

SOURCE = Path(__file__).parents[1]
HOUSE = """
version = 1
[faults]
slow_s = 0.5
[[device]]
id = "car"
kind = "ev-charger"
"""


def as_installed(site: Path) -> Path:
    """A folder whose metadata offers the entry points of pyproject.toml, as they are once it is installed."""
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]
    info = site / f"pimgr_ev_charger-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in entries.items()) for group, entries in groups]
    (info / "entry_points.txt").write_text("".join(lines))
    return site


@asynccontextmanager
async def charger(text: str = HOUSE) -> AsyncIterator[tuple[House, dict[str, object]]]:
    """A house with a charger, and the config that reaches it."""
    async with House.from_toml(text) as house:
        yield house, {"address": "127.0.0.1", "port": house.port("car"), "serial": "012345"}


@asynccontextmanager
async def vendor() -> AsyncIterator[Vendor]:
    async with charger() as (house, config):

        def let(fault: Fault) -> None:
            house.controls("car").keys["sse"] = "012345"
            house.fault("car", fault)

        yield Vendor(
            config=config,
            troubles={
                Trouble.NONE: lambda: let(Fault.NONE),
                Trouble.UNREACHABLE: lambda: let(Fault.REFUSING),
                Trouble.SILENT: lambda: let(Fault.SILENT),
                Trouble.GARBAGE: lambda: let(Fault.GARBAGE),
                Trouble.DRIPPING: lambda: let(Fault.DRIPPING),
                Trouble.CUT: lambda: let(Fault.CUT),
                Trouble.OVERSIZE: lambda: let(Fault.OVERSIZE),
                Trouble.SLOW: lambda: let(Fault.SLOW),
                Trouble.WRONG_CREDENTIALS: lambda: let(Fault.HTTP_401),
                Trouble.CHANGED_IDENTITY: lambda: house.new_identity("car"),
                Trouble.RATE_LIMITED: lambda: let(Fault.HTTP_429),
            },
        )
