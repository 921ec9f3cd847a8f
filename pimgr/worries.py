"""What isn't well with pimgr itself: shown as long as it lasts, and mailed once each way, also across restarts.

What the house is told of its outages is the policy's; this is about configs, plugins, disks and words of a gateway.
What is critical is repeated until it is over or seen, and what comes and goes is limited, as `policy.alerts` and
`policy.limits` say.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from pimgr.api import Grid, GridReading, Severity, replace
from pimgr.clock import Clock
from pimgr.errands import Errands
from pimgr.journal import Journal, NotStored
from pimgr.policy.model import Notice
from pimgr.policy.news import alerts, limits
from pimgr.policy.persons.people import Alert, Family
from pimgr.snapshot import ConnectionLine
from pimgr.text import safe, safe_lines

log = logging.getLogger(__name__)

AREA = "pimgr itself"
"""Its place in the journal's store, which no connection can have: ids of connections hold no blank."""
MAX_WORDS = 50
"""Unknown words of gateways that are mailed in all; a gateway that talks noise must not fill the mailbox."""
DEVICE = "device "
"""Keys of what connections tell begin with it, then the connection's id."""
DISK = "journal"
UNSEEN = "grid"
BEAT = "heartbeat"

Worry = tuple[str, str]
"""Subject and text."""


class Worries:
    """`shown`: by key, what a person should know of now. `mailed` is called when something is in the outbox."""

    def __init__(self, journal: Journal, clock: Clock, errands: Errands, mailed: Callable[[], None]) -> None:
        self.shown: dict[str, str] = {}
        self._journal, self._clock, self._errands, self._mailed = journal, clock, errands, mailed
        self._store = journal.store(AREA)
        memory = self._store.get("memory") or {}
        self._told: dict[str, list[str]] = memory.get("told", {})
        """By key: the subject that was mailed, and a mark of what it was about."""
        self._words: list[str] = memory.get("words", [])
        self._count: int = memory.get("count", 0)
        self._families = msgspec.convert(memory.get("families", {}), dict[str, Family])
        self._alerts = msgspec.convert(memory.get("alerts", {}), dict[str, Alert])

    def tell(self, key: str, subject: str, text: str, *, mark: str = "", severity: Severity = Severity.WARNING) -> None:
        """Something isn't well. The same `key` and `mark` are mailed once, until it is `over`."""
        subject, text = safe(subject), safe_lines(text)
        marked = f"{zlib.crc32(mark.encode(errors='replace')):08x}"
        news = self._told.get(key, ["", ""])[1] != marked
        if severity is Severity.INFO:  # good news is mailed, and isn't among what is not well
            self.shown.pop(key, None)
        else:
            if news or key not in self.shown:
                log.error("%s: %s", subject, text)
            self.shown[key] = f"{subject}: {text}"
        if news:
            self._told[key] = [subject, marked]
            self._raise(key, severity, subject, text)
            self._mail(key, severity, subject, text)

    def note(self, key: str, subject: str, text: str) -> None:
        """Something happened that a person should know: shown until the next start, and mailed."""
        subject, text = safe(subject), safe_lines(text)
        log.error("%s: %s", subject, text)
        self.shown[key] = f"{subject}: {text}"
        self._mail(key, Severity.WARNING, subject, text)

    def over(self, key: str) -> None:
        """It is well again; told to whoever was told that it wasn't."""
        self.shown.pop(key, None)
        told = self._told.pop(key, None)
        self._alerts.pop(key, None)
        if told is not None:
            log.info("over: %s", told[0])
            self._mail(key, Severity.INFO, f"Over: {told[0]}", "It is well again; nothing is to be done.")

    def exactly(self, area: str, found: Mapping[str, Worry]) -> None:
        """All that isn't well among the keys that begin with `area`: what else was, is over."""
        for key in [k for k in {**self._told, **self.shown} if k.startswith(area) and k not in found]:
            self.over(key)
        for key, (subject, text) in found.items():
            self.tell(key, subject, text, mark=text)

    def settled(self) -> None:
        """The start is over: whatever wasn't told again since, is over; grid and devices have yet to be asked."""
        for key in [k for k in self._told if k not in self.shown and k != UNSEEN and not k.startswith(DEVICE)]:
            self.over(key)

    def only_of(self, connections: Iterable[str]) -> None:
        """What connections told that are gone is over, without a word."""
        here = tuple(f"{DEVICE}{connection} " for connection in connections)
        for key in [k for k in {**self._told, **self.shown} if k.startswith(DEVICE) and not k.startswith(here)]:
            for known in (self.shown, self._told, self._families, self._alerts):
                known.pop(key, None)

    # ------------------------------------------------------------------------------------- what is told again, or not

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """The critical ones that last."""
        return tuple(self._alerts.values())

    def seen(self) -> list[str]:
        """A person has seen the critical ones: they are mailed no more. Gives the subjects of those that were."""
        new = {key: alert for key, alert in self._alerts.items() if not alert.acked}
        self._alerts |= {key: replace(alert, acked=True) for key, alert in new.items()}
        if new:
            self._errands.run(self._remember())
        return [alert.subject for alert in new.values()]

    def tell_again(self) -> None:
        """Mail what is due: critical ones that last, and how it is with what came and went. After each decision."""
        now = self._clock.now()
        for key, alert in self._alerts.items():
            if alerts.is_due(alert, now):
                self._alerts[key] = alerts.again(alert, now)
                self._post(key, Severity.CRITICAL, alerts.subject(alert), alerts.text(self._alerts[key]))
        for key in list(self._families):
            self._families[key], steady = limits.settle(self._families[key], key, now)
            if steady is not None:
                self._post(key, steady.severity, steady.subject, steady.text)
            elif limits.is_forgotten(self._families[key], now):
                del self._families[key]

    # ------------------------------------------------------------------------------------------- what is looked at

    def look_at_disk(self) -> None:
        """Whether the journal is written; called after each decision."""
        if self._journal.degraded:
            self.tell(DISK, "The memory card does not take what pimgr writes", self._journal.degraded)
        elif DISK in self.shown:
            self.exactly("store ", {})
            self.over(DISK)

    def look_at_grid(self, seen: bool | None, sources: Iterable[str], lines: Iterable[ConnectionLine]) -> None:
        """Whether outages are noticed at all; called after each decision with what `Board.grid_seen` tells."""
        if seen and (UNSEEN in self.shown or UNSEEN in self._told):
            self.over(UNSEEN)
        if seen is not False:
            return
        by_id = {line.id: line for line in lines}
        reasons = [f"{source}: {_reason(by_id.get(source.partition('/')[0]))}" for source in sources]
        listed = "\n".join(reasons or ["no grid source is left in the config that runs"])
        text = f"Outages are NOT noticed until a grid source answers.\n{listed}"
        self.tell(UNSEEN, "The grid can't be seen", text, severity=Severity.CRITICAL)

    def heartbeat(self, problem: str) -> None:
        """Whether the heartbeat is heard: shown, not mailed, since whoever listens notices by himself."""
        if problem:
            self.shown[BEAT] = f"The heartbeat has not been heard for over an hour: {safe(problem)}"
        else:
            self.shown.pop(BEAT, None)

    def not_stored(self, connection: str, key: str) -> None:
        """A value that must outlive a restart is in memory only."""
        text = f"{connection}: what it keeps ({key}) is in memory only; a power cut would lose it"
        self.tell(f"store {connection} {key}", "Something that must be kept is not on the memory card", text)

    def listen(self, readings: tuple[GridReading, ...]) -> None:
        """A word for the grid that pimgr doesn't know: shown while it is said, mailed once ever."""
        for reading in readings:
            key = f"word of {reading.source}"
            if reading.grid is not Grid.UNKNOWN or reading.passing or not reading.raw:
                self.shown.pop(key, None)
                continue
            subject = f'{reading.source} says "{safe(reading.raw, 60)}" of the grid, which pimgr does not know'
            self.shown[key] = f"{subject}: until it says another word, an outage may go unseen"
            if reading.raw not in self._words and len(self._words) < MAX_WORDS:
                self._words.append(reading.raw)
                log.error("%s", self.shown[key])
                self._post(key, Severity.WARNING, subject, "Nothing is switched because of it. Please report the word.")

    # ------------------------------------------------------------------------------------------------------ inside

    def _raise(self, key: str, severity: Severity, subject: str, text: str) -> None:
        self._alerts.pop(key, None)
        if severity is Severity.CRITICAL:
            at = self._clock.now().instant
            self._alerts[key] = Alert(key=key, subject=subject, text=text, since=at, told_at=at)

    def _mail(self, key: str, severity: Severity, subject: str, text: str) -> None:
        """A change of something that may come and go: of a hundred such changes, five are mailed."""
        notice = Notice(key=key, severity=severity, subject=subject, text=text)
        family, passed = limits.offer(self._families.get(key, Family()), notice, self._clock.now())
        self._families[key] = family
        if passed is None:
            self._errands.run(self._remember())
        else:
            self._post(key, passed.severity, passed.subject, passed.text)

    def _post(self, key: str, severity: Severity, subject: str, text: str) -> None:
        self._count += 1
        unique = f"{key} {self._count} {int(self._clock.now().wall)}"
        notice = Notice(key=unique, severity=severity, subject=subject, text=text, about=f"pimgr {key}")
        self._errands.run(self._written(notice))

    async def _written(self, notice: Notice) -> None:
        """Into the outbox, and then into memory that it was told: after a power cut in between it is told again."""
        await self._journal.add_notice(notice, self._clock.now())
        self._mailed()
        await self._remember()

    async def _remember(self) -> None:
        memory: dict[str, Any] = {"told": self._told, "words": self._words, "count": self._count}
        memory |= msgspec.json.decode(msgspec.json.encode({"families": self._families, "alerts": self._alerts}))
        with suppress(NotStored):  # the disk's trouble is told by itself; the values go in when it is well
            await self._store.put("memory", memory)


def _reason(line: ConnectionLine | None) -> str:
    """Why a grid source tells nothing."""
    if line is None:
        return "it is not running"
    return line.reason or ("it gave no answer yet" if line.health == "waiting" else "it doesn't say whether it is up")
