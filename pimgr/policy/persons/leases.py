"""Leases: a person keeps a load or a host on, or off, for a time. Stronger than any rule but the never-shed list.

A part that was taken and is kept on is given back at once; one that is kept otherwise than it was found is claimed, and
goes back to what was found when the lease ends, or passes to the rule that wants it so. A hand on the switch is not
fought: that ends what the lease does, as it ends what an outage does.
"""

from __future__ import annotations

from pimgr.api import replace
from pimgr.policy.model import Aspect, Claim, HostPower, Level, PartPolicy, Policy, Reason, State, Switch, Value
from pimgr.policy.persons import term
from pimgr.policy.persons.people import LEASE, Keep, Lease, LetGo
from pimgr.policy.said import duration
from pimgr.policy.turn import Key, Turn
from pimgr.policy.values import word
from pimgr.policy.want import Want

KEPT = (Aspect.SWITCH, Aspect.HOST_POWER, Aspect.LEVEL)
PLAIN = ("taken", "skip", "protected")
"""What is said of a part that stands as it is to: the lease says it better."""


def refusal(policy: Policy, part: str, on: bool, for_s: float) -> str:
    """Why nobody can have that; "" if they can."""
    of = policy.parts.get(part)
    if part == "site":
        return "site: the battery's own settings are changed in the config, or in its app"
    if (of is not None and of.aspect not in KEPT) or (policy.climate and part in policy.climate.thermostats):
        return f"{part}: a thermostat is set on the wall or in its app, and pimgr respects that"
    if of is None:
        return f"{part}: no load or host of the config is called so; `pimgr status` lists them"
    if not on and part in policy.never_shed:
        return f"{part}: it is on the never-shed list, so it is not turned off; the config says so under [protect]"
    if not term.SHORTEST_S <= for_s <= term.LONGEST_S:
        return f"{part}: for a time from 1 min to 7 days, no other"
    return ""


def hear(turn: Turn, state: State) -> State:
    """Take in what people ask, and end what is over."""
    leases = {lease.part: lease for lease in state.leases}
    ids = state.lease_ids
    for command in turn.inputs.commands:
        match command:
            case Keep(part, on, for_s):
                no = refusal(turn.policy, part, on, for_s)
                if no:
                    turn.tell(f"not kept: {no}", part, LEASE)
                    continue
                ids += 1
                leases[part] = Lease(id=ids, part=part, on=on, term=term.begin(for_s, turn.now))
                turn.tell(f"{part}: you keep it {said(turn, leases[part])} for {duration(for_s)}", part, LEASE)
            case LetGo(part) if part in leases:
                del leases[part]
                turn.tell(f"{part}: you let it go", part, LEASE)
    going_on = tuple(_going_on(turn, lease) for lease in leases.values())
    left = tuple(lease for lease in going_on if lease is not None)
    return state if (left, ids) == (state.leases, state.lease_ids) else replace(state, leases=left, lease_ids=ids)


def _going_on(turn: Turn, lease: Lease) -> Lease | None:
    left = term.left_s(lease.term, turn.now)
    if not left:
        turn.tell(f"{lease.part}: kept {said(turn, lease)} long enough", lease.part, LEASE)
        return None
    turn.wake_in(left)
    noted = term.noted(lease.term, turn.now)
    return lease if noted is lease.term else replace(lease, term=noted)


def said(turn: Turn, lease: Lease) -> str:
    """ "on", "off", or for a host "up" and "shut down"."""
    of = turn.of(lease.part)
    value = HostPower(lease.on) if of and of.aspect is Aspect.HOST_POWER else Switch(lease.on)
    return word(value)


# ----------------------------------------------------------------------------------------------------- what is wanted


def keys(state: State, policy: Policy) -> set[Key]:
    """What is kept now. A part that left the config, or whose plugin is missing, is kept again when it is back."""
    return {_key(lease, policy.parts[lease.part]) for lease in _in_force(state, policy)}


def returning(state: State, policy: Policy) -> set[Key]:
    """What was taken and is to be given back at once, since it was found as the lease wants it."""
    claims = {(c.part, c.aspect): c for c in state.claims}
    kept = {_key(lease, policy.parts[lease.part]): lease for lease in _in_force(state, policy)}
    return {key for key, lease in kept.items() if key in claims and _is_on(claims[key].before) is lease.on}


def strongest(state: State, policy: Policy, wants: tuple[Want, ...]) -> tuple[Want, ...]:
    """The wants of all: leases first, and of the rules those that no lease overrules."""
    kept, back = keys(state, policy), returning(state, policy)
    order = {(want.part, want.aspect): want.order for want in wants}
    theirs = _handed_over(state)
    mine = [
        _want(lease, policy.parts[lease.part], order)
        for lease in _in_force(state, policy)
        if _key(lease, policy.parts[lease.part]) not in back and _can_be(lease, policy.parts[lease.part])
    ]
    rest = (w for w in wants if (w.part, w.aspect) not in kept and (w.part, w.aspect, w.episode) not in theirs)
    return (*mine, *rest)


def _in_force(state: State, policy: Policy) -> list[Lease]:
    return [x for x in state.leases if x.part in policy.parts and (x.on or x.part not in policy.never_shed)]


def _key(lease: Lease, of: PartPolicy) -> Key:
    return lease.part, of.aspect


def _can_be(lease: Lease, of: PartPolicy) -> bool:
    """A host that is silent and a charger at nothing are left as they are: nobody knows how to turn them on."""
    return not lease.on or of.aspect is Aspect.SWITCH


def _want(lease: Lease, of: PartPolicy, order: dict[Key, int]) -> Want:
    values: dict[Aspect, Value] = {Aspect.HOST_POWER: HostPower(False), Aspect.LEVEL: Level(0.0)}
    return Want(
        part=lease.part,
        aspect=of.aspect,
        value=values.get(of.aspect, Switch(lease.on)),
        rule=LEASE,
        episode=lease.episode,
        order=order.get((lease.part, of.aspect), 0),
        why="you want it so",
        since=lease.term.since,
    )


def _handed_over(state: State) -> set[tuple[str, Aspect, str]]:
    """What a person took over in an episode, and then kept otherwise for a time: after that it is theirs again."""
    mine = {(c.part, c.aspect) for c in state.claims if c.rule == LEASE}
    return {(h.part, h.aspect, h.episode) for h in state.hands_off if (h.part, h.aspect) in mine}


def _is_on(value: Value) -> bool:
    match value:
        case Switch(on=on):
            return on
        case HostPower(up=up):
            return up
        case Level(level=level):
            return level > 0
        case _:
            return True


# ------------------------------------------------------------------------------------------------------ what is told


def reasons(turn: Turn, state: State, wants: tuple[Want, ...]) -> None:
    """A line for every part that is kept, in place of what else was said of it. `wants`: those of the rules."""
    claims = {c.part: c for c in state.claims}
    for lease in _in_force(state, turn.policy):
        mine = [r for r in turn.reasons if r.part == lease.part]
        turn.reasons[:] = [r for r in turn.reasons if r.part != lease.part]
        trouble = "".join(f"; {r.why}" for r in mine if r.status not in PLAIN)
        why = f"you keep it {said(turn, lease)} {term.until(lease.term, turn.now, turn.inputs.calendar)}{trouble}"
        want = next((w for w in wants if w.part == lease.part), None)
        returns = _afterwards(claims.get(lease.part), want)
        turn.reasons.append(Reason(part=lease.part, status="kept", why=why, returns=returns))


def _afterwards(claim: Claim | None, want: Want | None) -> str:
    """What comes after the lease, as things stand."""
    if want is not None and not want.frozen:
        return f"then it is to be {word(want.value)}, because {want.why}"
    return f"then it goes back to {word(claim.before)}" if claim is not None and claim.rule == LEASE else ""
