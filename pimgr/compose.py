"""Builds the snapshot out of a decision and what it was made from."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, assert_never

from pimgr.api import HostReading, LevelReading, LoadReading, Now, ThermostatReading, replace
from pimgr.board import Board
from pimgr.config import HouseConfig
from pimgr.fleet import Fleet
from pimgr.journal import Journal
from pimgr.policy.battery.site_telling import SITE
from pimgr.policy.model import Aspect, Decision, Inputs, PartView, Reason
from pimgr.policy.news.telling import headline
from pimgr.policy.persons import term
from pimgr.policy.persons.people import Alert
from pimgr.policy.turn import NOTHING
from pimgr.sights import forecasts, site_facts, thermostats
from pimgr.snapshot import AlertLine, KeptLine, PartLine, Snapshot, publish

log = logging.getLogger(__name__)


class Source(Protocol):
    """What the supervisor lends."""

    @property
    def config(self) -> HouseConfig: ...
    @property
    def board(self) -> Board: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def fleet(self) -> Fleet: ...
    @property
    def trouble(self) -> Mapping[str, str]: ...
    @property
    def alerts(self) -> tuple[Alert, ...]: ...
    @property
    def dry_run(self) -> bool: ...


class Shown:
    """The snapshot's place. A folder that takes none is told once: the house is protected without it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._failing = False

    def publish(self, view: Snapshot) -> None:
        try:
            publish(self._folder, view)
        except OSError as error:
            if not self._failing:
                log.warning("the snapshot can't be written, so `pimgr status` shows an old one: %s", error)
            self._failing = True
        else:
            self._failing = False


def compose(source: Source, now: Now, inputs: Inputs, decision: Decision) -> Snapshot:
    """The house as a person may see it, at the moment of `decision`."""
    state = decision.state
    return Snapshot(
        at=now.instant,
        pid=os.getpid(),
        seq=source.journal.seq,
        headline=headline(decision, source.config.policy, now, inputs.calendar),
        phase=state.phase,
        grid=state.memory.grid,
        grid_raw=state.memory.grid_raw,
        grid_at=state.memory.grid_at,
        outage_since=state.outage_since,
        charge=decision.charge,
        charge_estimated=decision.charge_estimated,
        owed=len(state.claims),
        site=site_facts(source.board),
        parts=_parts(source.config, inputs, decision),
        thermostats=thermostats(source.config, inputs.parts, {r.part: r for r in decision.reasons}),
        forecasts=forecasts(source.board),
        connections=source.fleet.lines(),
        trouble=tuple(source.trouble.values()),
        alerts=tuple(_alert(alert) for alert in state.alerts + source.alerts),
        kept=tuple(KeptLine(part=x.part, on=x.on, left_s=term.left_s(x.term, now)) for x in state.leases),
        disarmed_s=term.left_s(state.disarmed.term, now) if state.disarmed else None,
        dry_run=source.dry_run,
        config=source.config.digest,
        zone=source.config.policy.zone,
    )


def _parts(config: HouseConfig, inputs: Inputs, decision: Decision) -> tuple[PartLine, ...]:
    """Every part that was read or that pimgr has an opinion on, in the order of the config."""
    reasons = {reason.part: reason for reason in decision.reasons}
    lines = []
    stats = {part for part, view in inputs.parts.items() if isinstance(view.reading, ThermostatReading)}
    stats |= {part for part, of in config.policy.parts.items() if of.aspect is Aspect.HOLD}
    for part in dict.fromkeys([*config.policy.parts, *inputs.parts, *reasons]):
        if part in stats:  # they are shown by their set points
            continue
        if part == SITE:
            lines.append(_site(reasons[part], inputs))
            continue
        view, reason = inputs.parts.get(part, NOTHING), reasons.get(part)
        reading = view.reading
        lines.append(
            PartLine(
                part=part,
                title=config.titles.get(part, part),
                state=_state(view),
                level=reading.level if isinstance(reading, LevelReading) else None,
                power_w=reading.power_w if isinstance(reading, LoadReading | LevelReading) else None,
                read_at=reading.at if reading else None,
                fault=view.fault,
                status=reason.status if reason else "",
                why=reason.why if reason else "",
                returns=reason.returns if reason else "",
            )
        )
    return tuple(lines)


def _alert(alert: Alert) -> AlertLine:
    return AlertLine(subject=alert.subject, since=alert.since, mails=alert.count, seen=alert.acked)


def _site(reason: Reason, inputs: Inputs) -> PartLine:
    """The site's settings as a part of their own: they are wanted of the site, not of whoever sets them."""
    read_at = max((r.at for r in inputs.settings), key=lambda at: at.mono_s, default=None)
    line = PartLine(part=SITE, title=SITE, state="set", read_at=read_at, status=reason.status)
    return replace(line, why=reason.why, returns=reason.returns)


def _state(view: PartView) -> str:
    match view.reading:
        case LoadReading(on=on):
            return "on" if on else "off"
        case HostReading(up=up):
            return "up" if up else "silent"
        case LevelReading(level=level):
            return f"at {level:g}"
        case ThermostatReading(mode=mode):
            return mode
        case None:
            return "unknown"
    assert_never(view.reading)
