"""What the config wants of the site at all times: its reserve, its mode, whether the grid may charge the battery."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pimgr.api import SiteMode
from pimgr.config.errors import Kind, shown
from pimgr.config.fields import FLAG, PERCENT, Bad, Field, Table
from pimgr.config.parts import CONTROL, Parts
from pimgr.policy.aspects import GridCharging, Mode, Reserve, Setting
from pimgr.policy.battery.settings import SitePolicy
from pimgr.policy.battery.site_telling import SITE
from pimgr.text import did_you_mean
from pimgr.units import Percent

D = TypeVar("D")
MOST_RESERVE = 80.0
"""Above it only 100: a Powerwall refuses 81 to 99 since its firmware 25.18.4 (evcc#22743, read)."""
KEYS = ("mode", "reserve", "grid_charging")


def _mode(value: object) -> SiteMode:
    if not isinstance(value, str):
        raise Bad("put it in quotes")
    try:
        return SiteMode(value)
    except ValueError:
        raise Bad(did_you_mean(value, list(SiteMode))) from None


MODE = Field("one of " + ", ".join(f'"{mode}"' for mode in SiteMode), _mode)


def reserve(table: Table, name: str, usual: D) -> Percent | D:
    """A percentage that a Powerwall takes as its reserve; `usual` where it is missing, or bad (and then reported)."""
    percent = table.get(name, PERCENT, None)
    if percent is None:
        return usual
    if MOST_RESERVE < percent < 100.0:
        expected = f"0 to {MOST_RESERVE:g}, or 100: Powerwalls refuse what lies between"
        table.wrong(name, expected=expected, cure=f"write {MOST_RESERVE:g} or 100")
        return usual
    return Percent(percent)


def settable(table: Table, parts: Parts, controls: tuple[str, ...]) -> None:
    """Report settings of the site in this table that nobody could set, or that would share a connection's name."""
    named = [key for key in KEYS if key in table]
    if named and not controls and not parts.broken:
        expected = "a connection that can set it, such as a Tesla account (powerwall.cloud)"
        table.wrong(named[0], expected=expected, cure=f"add one, or remove {named[0]}", kind=Kind.PART)
    if named and SITE in {part.partition("/")[0] for part in parts.provides}:
        key, expected = ("connections", SITE), f"no connection called {SITE}, as the battery's own settings are"
        parts.report.add(key, Kind.VALUE, found=shown(SITE), expected=expected, cure="call it otherwise")


class SiteTargets:
    """Reads what `[battery]` says of the site. `is_cloud`: whether a part is reached by way of the internet."""

    def __init__(self, table: Table, parts: Parts, is_cloud: Callable[[str], bool]) -> None:
        self.table, self.parts, self.is_cloud = table, parts, is_cloud

    def read(self) -> SitePolicy:
        """The chain of controls, local ones first unless the config orders them, and the standing targets."""
        controls = self.parts.several(self.table, "control", CONTROL)
        if controls is None:
            controls = tuple(sorted(self.parts.all(CONTROL), key=self.is_cloud))
        wanted = [setting for setting in (self._mode(), self._reserve(), self._grid_charging()) if setting is not None]
        settable(self.table, self.parts, controls)
        return SitePolicy(controls=controls, keep=tuple(wanted))

    def _mode(self) -> Setting | None:
        mode = self.table.get("mode", MODE, None)
        return None if mode is None else Mode(mode)

    def _reserve(self) -> Setting | None:
        percent = reserve(self.table, "reserve", None)
        return None if percent is None else Reserve(percent)

    def _grid_charging(self) -> Setting | None:
        allowed = self.table.get("grid_charging", FLAG, None)
        return None if allowed is None else GridCharging(allowed)
