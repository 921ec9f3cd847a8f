"""Decisions for the journal to write down, plain enough to recompute from their number alone."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

from pimgr.api import Instant, Now, Severity, replace
from pimgr.journal import Record
from pimgr.policy.model import (
    Action,
    Aspect,
    Claim,
    ClaimStatus,
    Decision,
    Event,
    Inputs,
    Notice,
    Origin,
    Policy,
    State,
    Switch,
)

PARTS = ("pool-pump", "dryer", "strip/1", "strip/2", "heater")


def names(folder: Path) -> list[str]:
    """The files in a folder."""
    return sorted(p.name for p in folder.iterdir())


def crash(folder: Path, target: Path) -> Path:
    """A copy of what a SIGKILL at this moment would leave. A file that is being replaced is old or new, never half."""
    for source in [folder, folder / "run"]:
        copy = target / source.relative_to(folder)
        copy.mkdir(parents=True)
        for path in sorted(source.iterdir()):
            with suppress(FileNotFoundError, IsADirectoryError):
                (copy / path.name).write_bytes(path.read_bytes())
    return target


def now(n: int) -> Now:
    return Now(100.0 + n, 1_800_000_000.0 + n, "boot-1", wall_trusted=True)


def claim(n: int, *, at: Instant | None = None) -> Claim:
    """Claim `n`: a plug that was on and is to be off."""
    at = at or now(n).instant
    part = PARTS[n % len(PARTS)]
    return Claim(
        id=n,
        part=part,
        aspect=Aspect.SWITCH,
        episode="outage-1",
        rule="first",
        order=0,
        wanted=Switch(False),
        before=Switch(True),
        before_at=at,
        origin=Origin(part.partition("/")[0], "kasa.plug", {"host": "127.0.0.1"}),
        status=ClaimStatus.TAKEN,
        since=at,
    )


def state(n: int, claims: tuple[int, ...] = ()) -> State:
    """The state after decision `n`, owing these claims."""
    return State(claims=tuple(claim(c) for c in claims), claim_ids=n, action_ids=n, episodes=1)


def notice(key: str) -> Notice:
    return Notice(key=key, severity=Severity.INFO, subject=f"about {key}", text="line 1\nline 2")


def record(before: State, n: int, claims: tuple[int, ...] = (), notices: tuple[str, ...] = ()) -> Record:
    """Decision `n`: one action with the same id, one event, these notices."""
    part = PARTS[n % len(PARTS)]
    decision = Decision(
        state=state(n, claims),
        actions=(Action(id=n, part=part, aspect=Aspect.SWITCH, value=Switch(n % 2 == 0), why=f"because of {n}"),),
        events=(Event(text=f"{part}: event {n}", part=part, what="test"),),
        notices=tuple(notice(key) for key in notices),
    )
    return Record(now=now(n), inputs=Inputs(), policy=Policy(), before=before, decision=decision)


def quiet(before: State, n: int) -> Record:
    """Decision `n` without any action."""
    made = record(before, n)
    return replace(made, decision=replace(made.decision, actions=(), events=()))


class Disk:
    """What `before_commit` meets: a disk that hangs until it is `free`, and fails while `broken`."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.broken = False
        self.writes = 0

    def __call__(self) -> None:
        self.writes += 1
        assert self.free.wait(20)
        if self.broken:
            raise OSError(5, "Input/output error")
