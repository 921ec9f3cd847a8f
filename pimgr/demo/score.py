"""The scorecard, computed from what reached the house and from its truth; the supervisor's word counts for nothing."""

from __future__ import annotations

from collections.abc import Sequence

from pimgr.api import Frozen
from pimgr.demo.plan import DemoTier, Plan
from pimgr.house import WireEntry
from pimgr.house.world import ISLANDED_STATUSES
from pimgr.snapshot import Snapshot

GATEWAY_WORDS = ISLANDED_STATUSES
COMMANDS = ("switch", "shut_down", "wake")


class TierScore(Frozen):
    """`last_s`: from the moment that called for the tier to its last load, None where one stayed on."""

    name: str
    last_s: float | None
    limit_s: float
    missing: tuple[str, ...]


class Score(Frozen):
    """`failures` is empty when everything held. Seconds are real ones."""

    detection_s: float | None
    tiers: tuple[TierScore, ...]
    owed: tuple[str, ...]
    given_back: tuple[str, ...]
    wrong_restores: tuple[str, ...]
    untimely: tuple[str, ...]
    twice: tuple[str, ...]
    killed: bool
    mails: int
    failures: tuple[str, ...]
    lost: tuple[str, ...] = ()
    """Connections through the internet that pimgr showed as lost while it was away."""
    grid_by: str = ""
    """Where the grid's state came from meanwhile."""
    mails_offline: int = 0


class Witness(Frozen):
    """What was seen from outside: states before the outage and at the end (True: on or up), and the battery's fall."""

    wire: tuple[WireEntry, ...]
    before: dict[str, bool]
    after: dict[str, bool]
    fell_at: float | None
    """CLOCK_BOOTTIME s when the charge fell below the tier's threshold."""
    killed_at: float | None
    mails: int
    alone: Snapshot | None = None
    """What pimgr showed at the end of the time without internet, where there was one."""


def part_of(entry: WireEntry) -> str:
    return f"{entry.device}/{entry.part}" if entry.part else entry.device


def judge(plan: Plan, witness: Witness) -> Score:
    """Hold what happened against the plan."""
    down = _grid(witness.wire, "down", 0.0)
    up = _grid(witness.wire, "up", down or 0.0) if down is not None else None
    commands = [e for e in witness.wire if e.what in COMMANDS]
    detection = _first(commands, down)
    tiers = tuple(_tier(tier, witness, down) for tier in plan.tiers)
    owed = _owed(plan, witness, down, up)
    back = tuple(p for p in owed if witness.after.get(p))
    score = Score(
        detection_s=detection,
        tiers=tiers,
        owed=owed,
        given_back=back,
        wrong_restores=_wrong(witness, plan),
        untimely=_untimely(commands, down, up),
        twice=_twice(plan, witness),
        killed=witness.killed_at is not None,
        mails=witness.mails,
        failures=(),
        lost=_lost(witness.alone),
        grid_by=witness.alone.grid_raw if witness.alone else "",
        mails_offline=_mails_offline(witness.wire),
    )
    return Score(
        **{**{f: getattr(score, f) for f in score.__struct_fields__}, "failures": tuple(_failures(plan, score))}
    )


def _failures(plan: Plan, score: Score) -> list[str]:
    found = []
    if score.detection_s is None or score.detection_s > plan.detection_limit_s:
        found.append(f"first command after {_s(score.detection_s)}, allowed {plan.detection_limit_s:g} s")
    for tier in score.tiers:
        if tier.last_s is None or tier.last_s > tier.limit_s:
            found.append(f"tier {tier.name}: last load after {_s(tier.last_s)}, allowed {tier.limit_s:g} s")
    found += [f"{part} was never given back" for part in score.owed if part not in score.given_back]
    found += [f"{part} was restored wrongly" for part in score.wrong_restores]
    found += [f"{text} at the wrong time" for text in score.untimely]
    found += [f"{part} changed twice" for part in score.twice]
    if not score.owed:
        found.append("nothing was shed")
    if not score.killed:
        found.append("the supervisor was not killed")
    if not score.mails:
        found.append("no mail arrived")
    return found + (_failures_offline(score) if plan.offline_s is not None else [])


def _failures_offline(score: Score) -> list[str]:
    """What the time without internet should have shown."""
    found = []
    if not score.lost:
        found.append("no connection was shown as lost while the internet was away")
    if score.grid_by not in GATEWAY_WORDS:
        found.append(f"the grid was not told by the gateway while the internet was away, but {score.grid_by!r}")
    if score.mails_offline:
        found.append(f"{score.mails_offline} mails arrived without an internet")
    return found


def _lost(alone: Snapshot | None) -> tuple[str, ...]:
    return tuple(line.id for line in alone.connections if line.health == "lost") if alone else ()


def _mails_offline(wire: Sequence[WireEntry]) -> int:
    offline, count = False, 0
    for entry in wire:
        if entry.what == "truth" and entry.part == "internet":
            offline = entry.value == "down"
        count += offline and entry.what in ("mail", "message")
    return count


def _s(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.2f} s"


def _grid(wire: Sequence[WireEntry], raw: str, after: float) -> float | None:
    """When the grid went, or had come back, in truth."""
    return next(
        (e.mono_s for e in wire if e.device == "house" and e.what == "truth" and e.raw == raw and e.mono_s > after),
        None,
    )


def _first(commands: Sequence[WireEntry], down: float | None) -> float | None:
    if down is None:
        return None
    return next((e.mono_s - down for e in commands if e.mono_s >= down), None)


def _tier(tier: DemoTier, witness: Witness, down: float | None) -> TierScore:
    start = down if tier.below is None else witness.fell_at
    went = {}
    for part in (p for p in tier.loads if witness.before[p]):
        hits = [e.mono_s for e in witness.wire if part_of(e) == part and _takes(e) and start and e.mono_s >= start]
        went[part] = min(hits, default=None)
    missing = tuple(p for p, at in went.items() if at is None)
    times = [at for at in went.values() if at is not None]
    last = max(times) - start if times and start is not None and not missing else None
    return TierScore(tier.name, last, tier.limit_s, missing)


def _takes(entry: WireEntry) -> bool:
    """A load that went off, or a machine that began to shut down, in truth."""
    return entry.what == "truth" and entry.value in ("off", "shutting down")


def _owed(plan: Plan, witness: Witness, down: float | None, up: float | None) -> tuple[str, ...]:
    """What was on, went off in the outage, and wasn't turned on again by a person."""
    if down is None or up is None:
        return ()
    parts = [p for tier in plan.tiers for p in tier.loads if witness.before[p]]
    went = {part_of(e) for e in witness.wire if _takes(e) and down <= e.mono_s}
    theirs = {part_of(e) for e in witness.wire if e.what == "person"}
    return tuple(p for p in parts if p in went and p not in theirs)


def _wrong(witness: Witness, plan: Plan) -> tuple[str, ...]:
    """On at the end though off before, or touched though protected."""
    theirs = {part_of(e) for e in witness.wire if e.what == "person"}
    risen = {p for p, on in witness.after.items() if on and not witness.before.get(p) and p not in theirs}
    turned_on = {part_of(e) for e in witness.wire if e.what in ("switch", "wake") and e.value != "off"}
    touched = {part_of(e) for e in witness.wire if e.what in COMMANDS and part_of(e) in plan.never_shed}
    unowed = {p for p in turned_on if not witness.before.get(p, True)}
    return tuple(sorted(risen | unowed | touched))


def _untimely(commands: Sequence[WireEntry], down: float | None, up: float | None) -> tuple[str, ...]:
    """Taken without an outage, or given back while the grid was away."""
    found = []
    for entry in commands:
        gives = entry.what == "wake" or (entry.what == "switch" and entry.value == "on")
        if (gives and (up is None or entry.mono_s < up)) or (not gives and (down is None or entry.mono_s < down)):
            found.append(f"{part_of(entry)} {entry.what} {entry.value}")
    return tuple(found)


def _twice(plan: Plan, witness: Witness) -> tuple[str, ...]:
    """Parts whose relay went more often than off and on once each, persons aside."""
    theirs = {part_of(e) for e in witness.wire if e.what == "person"}
    counts: dict[tuple[str, str], int] = {}
    for entry in witness.wire:
        if entry.what == "truth" and entry.value in ("on", "off", "shutting down") and entry.device != "house":
            counts[part_of(entry), entry.value] = counts.get((part_of(entry), entry.value), 0) + 1
    return tuple(sorted({part for (part, _), n in counts.items() if n > 1 and part not in theirs}))
