"""The one view of the house that the command line, a screen and a web page read. Written whole after every tick."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from pimgr.api import Frozen, Instant
from pimgr.units import Celsius, Percent, Watts

NAME = "snapshot.json"
OLD_AFTER_S = 30.0
"""A running pimgr writes at least every 5 s; one that missed six of these is not well."""


class PartLine(Frozen, kw_only=True):
    """One part. `state`: on, off, up, silent or unknown; `status`, `why`: what pimgr does with it; `returns`: when.

    `level`: of a graded load.
    """

    part: str
    title: str
    state: str
    level: float | None = None
    power_w: Watts | None = None
    read_at: Instant | None = None
    fault: str = ""
    status: str = ""
    why: str = ""
    returns: str = ""


class SiteFact(Frozen, kw_only=True):
    """One fact about the site, such as "reserve", "30 %", and which meter told it when. `number`: where it is one."""

    name: str
    value: str
    number: float | None = None
    source: str
    at: Instant


class ThermostatLine(Frozen, kw_only=True):
    """One thermostat. `heat`, `cool`: its set points; held until a time (UTC in s), for good, or by its own schedule.

    `fault`: it does not answer now, and all the rest is old. `status`, `why`: what pimgr does with it; `returns`: when
    it is given back. `fahrenheit`: how its owner counts.
    """

    part: str
    title: str
    indoor: Celsius | None = None
    mode: str = ""
    heat: Celsius | None = None
    cool: Celsius | None = None
    until: float | None = None
    permanent: bool = False
    read_at: Instant | None = None
    fault: str = ""
    status: str = ""
    why: str = ""
    returns: str = ""
    fahrenheit: bool = False


class ForecastLine(Frozen, kw_only=True):
    """How far one forecast reaches, and when it was read; `fault`: a newer one could not be had."""

    part: str
    hours: int = 0
    days: int = 0
    read_at: Instant | None = None
    fault: str = ""


class ConnectionLine(Frozen, kw_only=True):
    """One connection. `health`: "ok", "waiting", "lost", "not loaded"; `reason` says more where it isn't "ok"."""

    id: str
    type: str
    health: str
    reason: str = ""
    since: Instant | None = None


class AlertLine(Frozen, kw_only=True):
    """Something critical that a person must do something about. `mails`: how often it was told; `seen`: not again."""

    subject: str
    since: Instant
    mails: int
    seen: bool = False


class KeptLine(Frozen, kw_only=True):
    """A person keeps a part on or off, for so many more seconds."""

    part: str
    on: bool
    left_s: float


class Snapshot(Frozen, kw_only=True):
    """The house at `at`. `headline`: a line for people; `grid_raw`: the gateway's words; `trouble`: what to mend.

    `disarmed_s`: nothing acts, for so many more seconds; None: it does. `zone`: whose clock counts; "": the box's own.
    """

    at: Instant
    pid: int
    seq: int
    headline: str
    phase: str
    grid: str
    grid_raw: str = ""
    grid_at: Instant | None = None
    outage_since: Instant | None = None
    charge: Percent | None = None
    charge_estimated: bool = False
    owed: int = 0
    site: tuple[SiteFact, ...] = ()
    parts: tuple[PartLine, ...] = ()
    thermostats: tuple[ThermostatLine, ...] = ()
    forecasts: tuple[ForecastLine, ...] = ()
    connections: tuple[ConnectionLine, ...] = ()
    trouble: tuple[str, ...] = ()
    alerts: tuple[AlertLine, ...] = ()
    kept: tuple[KeptLine, ...] = ()
    disarmed_s: float | None = None
    dry_run: bool = False
    config: str = ""
    zone: str = ""


class NoSnapshot(Exception):
    """There is none to read: pimgr isn't running, or it belongs to somebody else. Its text says which, and the cure."""


def publish(folder: Path, snapshot: Snapshot) -> None:
    """Replace the snapshot atomically. No fsync: it lives in memory (/run) and is worth nothing after a restart."""
    part = folder / f".{NAME}.{os.getpid()}"
    part.write_bytes(msgspec.json.encode(snapshot))
    part.chmod(0o644)
    part.replace(folder / NAME)


def read(folder: Path) -> Snapshot:
    """The last snapshot, however old; raises `NoSnapshot`."""
    path = folder / NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Snapshot)
    except FileNotFoundError:
        raise NoSnapshot(f"no {path}: pimgr is not running; start it with `systemctl start pimgr`") from None
    except PermissionError:
        raise NoSnapshot(f"{path} may not be read by this user; try `sudo pimgr status`") from None
    except msgspec.DecodeError as error:
        raise NoSnapshot(f"{path} is not a snapshot of this version ({error}); restart pimgr") from None
