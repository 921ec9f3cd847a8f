"""What the command line prints, in 80 columns where names allow it. All names of devices and configs are escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pimgr.api import Instant
from pimgr.cli import sights
from pimgr.cli.lines import NAME, WIDTH, wrapped
from pimgr.cli.word import Word, ago, spoken
from pimgr.policy.said import counted
from pimgr.snapshot import AlertLine, ConnectionLine, PartLine, Snapshot
from pimgr.text import safe

if TYPE_CHECKING:  # plugins are found by importlib.metadata: not for a status
    from pimgr.plugins import PluginRecord

__all__ = ["WIDTH", "connection", "plugins", "status", "why", "wrapped"]


DISARMED = "pimgr is DISARMED and does nothing, in an outage too. It arms itself again; `pimgr arm` does so at once."


def status(snapshot: Snapshot, word: Word, now: Instant) -> list[str]:
    """The whole house."""
    lines = [safe(snapshot.headline)]
    if snapshot.dry_run:
        lines.append("This is a dry run: nothing is switched.")
    if word.problem:
        lines = [*wrapped(f"! {word.problem}", 0, 2), "", "It last said:", *(f"  {line}" for line in lines)]
    if snapshot.disarmed_s is not None:
        lines += wrapped(f"! {DISARMED}", 0, 2)
    lines += ["", *_facts(snapshot, now)]
    if snapshot.alerts:
        lines += ["", "Waiting for you", *(line for one in snapshot.alerts for line in _alert(one, now))]
    if snapshot.trouble:
        lines += ["", "Not well", *(line for trouble in snapshot.trouble for line in wrapped(f"! {trouble}", 2, 4))]
    if snapshot.thermostats:
        stats = [sights.thermostat(one, now, snapshot.zone) for one in snapshot.thermostats]
        lines += ["", "Thermostats", *(line for stat in stats for line in stat)]
    if snapshot.forecasts:
        lines += ["", "Forecast", *(line for one in snapshot.forecasts for line in sights.forecast(one, now))]
    if snapshot.parts:
        lines += ["", "Parts", *(line for part in snapshot.parts for line in _part(part, _widest(snapshot.parts)))]
    return [*lines, "", *_connections(snapshot.connections, now)]


def _facts(snapshot: Snapshot, now: Instant) -> list[str]:
    grid = snapshot.grid + (f" ({safe(snapshot.grid_raw, 40)})" if snapshot.grid_raw else "")
    seen = f", {ago(snapshot.grid_at, now)}" if snapshot.grid_at else ""
    phase = snapshot.phase
    if snapshot.outage_since is not None:
        began = "the last outage began" if snapshot.phase == "normal" else "the outage began"
        phase += f", {began} {ago(snapshot.outage_since, now)}"
    charge = "unknown"
    if snapshot.charge is not None:
        charge = f"{snapshot.charge:.0f} %" + (", estimated: no reading comes in" if snapshot.charge_estimated else "")
    owed = "nothing" if not snapshot.owed else f"{snapshot.owed} to be given back"
    first = [f"grid     {grid}{seen}", f"phase    {phase}", f"battery  {charge}", f"owed     {owed}"]
    kept = ", ".join(f"{safe(k.part, NAME)} {'on' if k.on else 'off'} ({spoken(k.left_s)} left)" for k in snapshot.kept)
    return [*first, *([f"kept     {kept}, by you"] if kept else []), *sights.site(snapshot.site, now)]


def _alert(one: AlertLine, now: Instant) -> list[str]:
    """What is critical, and whether it is told again."""
    mails = f"mailed {counted(one.mails, 'time')}"
    told = f"{mails} and not again, since you have seen it" if one.seen else f"{mails}; `pimgr ack` ends that"
    return wrapped(f"! {one.subject} ({told}; it began {ago(one.since, now)})", 2, 4)


def _widest(parts: Iterable[PartLine]) -> int:
    return min(NAME, max((len(safe(part.part, NAME)) for part in parts), default=0))


def _part(part: PartLine, width: int) -> list[str]:
    watts = "" if part.power_w is None else f"{part.power_w:z.0f} W"
    first = f"  {safe(part.part, NAME):<{width}}  {part.state:<7}  {watts:>7}  {safe(part.status, 20)}".rstrip()
    told = part.why + (f"; {part.returns}" if part.returns else "") if part.status else ""
    lines = [first, *(wrapped(told, 6) if told else [])]
    if part.fault:
        lines += wrapped(f"! {part.fault}", 6, 8)
    return lines


def _connections(connections: Sequence[ConnectionLine], now: Instant) -> list[str]:
    """A connection that only waits to be used, such as mail, is as well as one that answers."""
    sick = [one for one in connections if one.health not in ("ok", "waiting")]
    quiet = [one for one in connections if one.health == "waiting"]
    count = counted(len(connections), "connection")
    if not connections:
        return ["No connections"]
    lines = [f"{count}, {len(sick)} not well" if sick else f"{count}, all well"]
    lines += [line for one in sick for line in connection(one, now, 2)]
    return lines + (
        wrapped(f"not heard from yet: {', '.join(safe(one.id, NAME) for one in quiet)}", 2, 4) if quiet else []
    )


def connection(one: ConnectionLine, now: Instant, indent: int = 0) -> list[str]:
    """How a connection is doing."""
    since = f", since {ago(one.since, now)}" if one.since else ""
    reason = f": {one.reason}" if one.reason else ""
    text = f"{safe(one.id, NAME)} ({safe(one.type, 40)}) {one.health}{since}{reason}"
    return wrapped(text, indent, indent + 2)


def why(parts: Sequence[PartLine], now: Instant) -> list[str]:
    """Why parts are as they are, and until when."""
    lines: list[str] = []
    for part in parts:
        name = safe(part.part, 60) + (f" ({safe(part.title, 60)})" if part.title not in ("", part.part) else "")
        seen = f", read {ago(part.read_at, now)}" if part.read_at else ", not read yet"
        lines += [f"{name}: {part.state}{seen}"]
        lines += wrapped(f"{part.status}: {part.why}" if part.status else "pimgr wants nothing of it", 4)
        if part.returns:
            lines += wrapped(part.returns, 4, 6)
        if part.fault:
            lines += wrapped(f"! {part.fault}", 4, 6)
    return lines or ["pimgr wants nothing of any part."]


def plugins(records: Sequence[PluginRecord]) -> list[str]:
    """One plugin after the other."""
    if not records:
        return ["No plugins are installed; `pip install pimgr[all]` brings those of this project."]
    width = min(NAME, max(len(safe(record.name, NAME)) for record in records))
    lines: list[str] = []
    for record in records:
        of = f"{safe(record.distribution, 40)} {safe(record.version, 20)}".strip()
        lines.append(f"{safe(record.name, NAME):<{width}}  {record.status:<7}  {of}")
        told = record.reason or (", ".join(record.types) if record.types else "brings no device types yet")
        lines += wrapped(told, width + 2)
    return lines
