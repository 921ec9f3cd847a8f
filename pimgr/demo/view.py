"""What a person watches while the rehearsal runs: the house, what pimgr says, and the last things on the wire."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pimgr.demo.plan import Plan
from pimgr.demo.score import COMMANDS, GATEWAY_WORDS, Score, part_of
from pimgr.house import House, WireEntry
from pimgr.house.kinds import find_kind
from pimgr.snapshot import Snapshot
from pimgr.text import safe

STYLE = {"on": "green", "up": "green", "off": "red", "shutting down": "yellow", "booting": "yellow"}


TOLD = ("charge", "load", "reserve", "storm watch")
"""Facts of the site that the screen has room for."""


class View(Protocol):
    """Where the rehearsal is shown."""

    def show(self, status: str, seen: Snapshot | None) -> None: ...

    def say(self, text: str) -> None: ...

    def close(self) -> None: ...


class Lines:
    """For logs and pipes: one line for each thing that happens."""

    def __init__(self, house: House, out: Callable[[str], None]) -> None:
        self.house, self.out = house, out
        self._seen, self._status = 0, ""
        self._lost: set[str] = set()
        self._began = time.monotonic()

    def show(self, status: str, seen: Snapshot | None) -> None:
        entries = list(self.house.wire)
        for entry in entries[self._seen :]:
            if entry.what in (*COMMANDS, "person", "mail") or (entry.what == "truth" and entry.device == "house"):
                self.say(spoken(entry))
        self._seen = len(entries)
        if status != self._status:
            self._status = status
            self.say(f"pimgr says {safe(status)}")
        if seen is not None:
            self._tell_lost({line.id for line in seen.connections if line.health == "lost"}, seen)

    def _tell_lost(self, lost: set[str], seen: Snapshot) -> None:
        if news := sorted(lost - self._lost):
            self.say(f"lost      {', '.join(news)}; {told_by(seen)}")
        if back := sorted(self._lost - lost):
            self.say(f"answers   {', '.join(back)} again")
        self._lost = lost

    def say(self, text: str) -> None:
        self.out(f"{time.monotonic() - self._began:6.2f} s  {text}")

    def close(self) -> None:
        pass


class Screen:
    """For a terminal: redrawn four times a second."""

    def __init__(self, house: House, plan: Plan, console: Console) -> None:
        self.house, self.plan = house, plan
        self._said: list[str] = []
        self._began = time.monotonic()
        self._live = Live(console=console, refresh_per_second=4, transient=False)
        self._live.start()

    def show(self, status: str, seen: Snapshot | None) -> None:
        """The parts and the wire side by side, so that the full house fits into 24 lines of 80 columns."""
        parts = self._parts()
        middle = Table.grid(expand=True, padding=(0, 2))
        middle.add_column()
        middle.add_column(ratio=1)
        middle.add_row(parts, self._wire(parts.row_count))
        lines = [] if seen is None else [self._lines(seen)]
        self._live.update(Group(self._top(status), middle, *lines))

    def say(self, text: str) -> None:
        self._said.append(f"{time.monotonic() - self._began:5.1f} s  {text}")

    def close(self) -> None:
        self._live.stop()

    def _top(self, status: str) -> Panel:
        state = self.house.state()
        grid = "connected" if state.connected else "ISLANDED"
        flow = f"grid {grid} ({safe(state.grid)})   battery {state.charge:.0f} %   load {state.load_w:.0f} W"
        lines = [Text(flow, style="bold red" if not state.connected else "bold green"), Text(f"pimgr: {safe(status)}")]
        lines += [Text(line, style="cyan") for line in self._said[-2:]]
        return Panel(Group(*map(_one_line, lines)), title="house in a box")

    def _parts(self) -> Table:
        tiers = {part: tier.name for tier in self.plan.tiers for part in tier.loads}
        tiers |= dict.fromkeys(self.plan.never_shed, "never shed")
        table = Table("part", "is", "W", "tier", box=None)
        state = self.house.state()
        rows = [(load.id, "on" if load.on else "off", load.watts) for load in state.loads]
        rows += [(host.id, str(host.phase), host.watts) for host in state.hosts]
        for name, is_, watts in rows:
            style = STYLE.get(is_, "")
            table.add_row(safe(name), Text(is_, style=style), f"{watts:.0f}", tiers.get(name, ""))
        return table

    def _lines(self, seen: Snapshot) -> Panel:
        """Who answers, at home and in the internet, and who tells what meanwhile."""
        away = {each.id for each in self.house.spec.device if find_kind(each.kind).internet}
        text = Text()
        for place, there in (("at home", False), ("internet", True)):
            here = [line for line in seen.connections if (line.id in away) is there]
            lost = [safe(line.id) for line in here if line.health == "lost"]
            text.append(f"{place:9}")
            text.append(" ".join(safe(line.id) for line in here if line.health != "lost"), style="green")
            text.append(f" LOST: {' '.join(lost)}" if lost else "", style="bold red")
            text.append("\n")
        text.append(told_by(seen))
        return Panel(_one_line(text), title="who answers, and who tells")

    def _wire(self, count: int) -> Text:
        """The last commands, persons and mails."""
        seen = [e for e in self.house.wire if e.what in (*COMMANDS, "person", "mail")]
        lines = [spoken(e) for e in seen[-count:]]
        return _one_line(
            Text("on the wire\n", style="bold").append("\n".join(lines) or "nothing yet", style="not bold")
        )


def _one_line(text: Text) -> Text:
    """What is too long is cut: a second line would push the last ones off the screen."""
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def spoken(entry: WireEntry) -> str:
    """What happened, as one says it."""
    part, value = f"{safe(part_of(entry)):11}", safe(entry.value)
    match entry.what:
        case "switch":
            return f"{part} switched {value}"
        case "person":
            return f"{part} switched {value} by somebody"
        case "shut_down":
            return f"{part} asked to shut down"
        case "wake":
            return f"{part} woken"
        case _:
            return f"{part} {value}"


def told_by(seen: Snapshot) -> str:
    """What pimgr takes the grid for, in its source's own word, and whose readings of the battery it goes by."""
    sources: dict[str, list[str]] = {}
    for fact in seen.site:
        if fact.name in TOLD:
            sources.setdefault(fact.source, []).append(f"{fact.name} {fact.value}")
    facts = [f"{source} tells {', '.join(told)}" for source, told in sources.items()]
    return safe("; ".join([f"grid {seen.grid} ({seen.grid_raw})", *facts]), 300)


def scorecard(console: Console, plan: Plan, score: Score) -> None:
    """The end of the rehearsal, for a person."""
    table = Table("what", "measured", "allowed", title="Scorecard, from the house's wire log", title_justify="left")
    table.add_row("grid gone to first command", _s(score.detection_s), f"{plan.detection_limit_s:g} s")
    for tier in score.tiers:
        table.add_row(f"tier {tier.name}: last load off", _s(tier.last_s), f"{tier.limit_s:g} s")
    table.add_row("owed, and given back", f"{len(score.given_back)} of {len(score.owed)}", "all")
    table.add_row("wrong restores", str(len(score.wrong_restores)), "0")
    table.add_row("commands at a wrong time", str(len(score.untimely)), "0")
    table.add_row("parts switched to and fro", str(len(score.twice)), "0")
    table.add_row("supervisor killed (SIGKILL)", "once" if score.killed else "never", "once")
    table.add_row("mails arrived", str(score.mails), "1 or more")
    if plan.offline_s is not None:
        table.add_row("lost while the internet was away", ", ".join(score.lost), "1 or more")
        by = "the gateway" if score.grid_by in GATEWAY_WORDS else score.grid_by or "nobody"
        table.add_row("meanwhile the grid was told by", by, "the gateway")
        table.add_row("mails that arrived meanwhile", str(score.mails_offline), "0")
    console.print(table)
    console.print("Settings that differ from the defaults:")
    for line in plan.differences():
        console.print(f"  - {line}", highlight=False)
    for failure in score.failures:
        console.print(f"FAILED: {safe(failure)}", style="bold red", highlight=False, markup=False)
    if not score.failures:
        console.print("Everything that was taken, and nothing else, was given back.", style="bold green")


def _s(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.2f} s"
