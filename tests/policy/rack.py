"""A rack of machines with a truth of its own: outlets that feed them, a network they share, and what they do wrong.

`nas` and `srv` hang on one network switch with the lamp that witnesses them; `box` draws so little that no watts tell.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pimgr.api import HostReading, Instant, LoadReading, replace
from pimgr.policy.model import HostPower, PartPolicy, Policy, Tier, Timing, Value
from pimgr.units import Percent, Watts
from tests.policy.devices import NATURE, PERSON, PIMGR, Host, Plug
from tests.policy.world import GATEWAY, Watch, World, host, switch

MACHINES = ("pc1", "pc2", "nas", "srv", "box")
OUTLETS = {"nas": "o-nas", "srv": "o-srv", "pc2": "o-pc2", "box": "o-box"}
METERED = ("o-srv", "o-pc2", "o-box")
NETWORK = ("lamp", "nas", "srv")
WITNESSED = ("nas", "srv")
RACE_S = 22.0
"""A machine that somebody started so shortly before may lose its outlet: nobody could have seen it."""
DRAWS_W = {"box": 5.0}


@dataclass(kw_only=True)
class Outlet(Plug):
    """Feeds a machine, and measures what it draws if it is `metered`."""

    machine: Machine
    metered: bool = False

    def reading(self, at: Instant) -> LoadReading | None:
        if not self.reachable:
            return None
        watts = Watts(self.machine.draws_w if self.on else 0.0) if self.metered else None
        return LoadReading(at=at, source=self.name, on=self.on, power_w=watts)

    def become(self, t: float, on: bool, by: str) -> None:
        if on is not self.on and not on:
            self.machine.lose_power(t, by, self.metered)
        super().become(t, on, by)
        self.machine.fed = on
        if on:
            self.machine.get_power(t, by)


@dataclass(kw_only=True)
class Machine(Host):
    """`quiet_s`: it stops answering so long before it is off. `mood`: "well", "refuses", "hangs", "hangs silently".

    `starts`: by itself, when its outlet gets power again. `cuts`: moments at which pimgr cut it off while it ran.
    """

    quiet_s: float = 0.0
    mood: str = "well"
    starts: bool = False
    fed: bool = True
    deaf: bool = False
    booting_since: float | None = None
    started_by: str = NATURE
    again: bool = False
    cuts: list[float] = field(default_factory=list)

    @property
    def draws_w(self) -> float:
        runs = self.on or self.up_at is not None
        return DRAWS_W.get(self.name, 60.0) if runs else 3.0

    def answers(self, t: float) -> bool:
        quiet = self.down_at is not None and t >= self.down_at - self.quiet_s
        return self.on and self.reachable and not self.deaf and not quiet

    def reading(self, at: Instant) -> HostReading:
        boot = self.boot_id if self.answers(self.clock) else None
        return HostReading(at=at, source=self.name, up=boot is not None, boot_id=boot)

    clock: float = 0.0

    def obey(self, t: float, value: Value) -> str:
        assert isinstance(value, HostPower), f"{self.name} was asked {value}"
        if value.up:
            if self.reachable:
                self.start(t, PIMGR)
            return ""
        if not self.answers(t):
            return "Unreachable"
        if self.mood == "refuses" or value.boot_id not in (None, self.boot_id):
            return "Refused"
        if self.mood == "well":
            self.stop(t, PIMGR)
        self.deaf = self.mood == "hangs silently"
        return ""

    def start(self, t: float, by: str) -> None:
        if self.fed and not self.on and self.up_at is None:
            super().start(t, by)
            self.booting_since, self.started_by = t, by

    def restart(self, t: float) -> None:
        """A person wants it to run anew."""
        if self.on:
            self.stop(t, PERSON)
            self.again = True
        else:
            self.start(t, PERSON)

    def live(self, t: float) -> None:
        self.clock, was = t, self.on
        super().live(t)
        if was and not self.on and self.again:
            self.again = False
            self.start(t, PERSON)

    def lose_power(self, t: float, by: str, metered: bool) -> None:
        runs_since = self.changes[-1].t if self.on and self.changes else 0.0
        seen = self.on and t - runs_since > RACE_S
        starts = self.up_at is not None and self._is_known_to_start(t, metered)
        if by == PIMGR and (seen or starts):
            self.cuts.append(t)
        self.become(t, False, by if by != PIMGR else NATURE)
        self.down_at = self.up_at = None
        self.again = self.deaf = False

    def _is_known_to_start(self, t: float, metered: bool) -> bool:
        """Whether pimgr could know that it boots: it made it start itself, or the outlet tells by what it draws."""
        seen = metered and self.name not in DRAWS_W and t - (self.booting_since or 0.0) > RACE_S
        return seen or self.started_by == PIMGR

    def get_power(self, t: float, by: str) -> None:
        if self.starts:
            self.start(t, NATURE)
            self.started_by = by

    def reset(self, t: float) -> None:
        """A person mends what is wrong with it."""
        self.mood = "well"
        if self.deaf:
            self.deaf = False
            self.become(t, False, PERSON)
            self.start(t, PERSON)


class Rack(World):
    """A world of machines."""

    def machine(self, name: str) -> Machine:
        device = self.devices[name]
        assert isinstance(device, Machine)
        return device

    def network(self, well: bool) -> None:
        for name in NETWORK:
            self.devices[name].reachable = well

    def restart_by_hand(self, name: str) -> None:
        self.machine(name).restart(self.t)

    def set_mood(self, name: str, mood: str) -> None:
        silent = mood == "hangs silently" and OUTLETS.get(name) not in METERED[:2]
        self.machine(name).mood = "hangs" if silent else mood

    def power_cycle(self, part: str) -> None:
        """A plug that restarts is off for a moment."""
        device = self.devices[part]
        assert isinstance(device, Outlet)
        device.become(self.t, False, NATURE)
        super().power_cycle(part)

    def mend(self, forgotten: set[object]) -> None:
        """Everything answers, and people set right what hangs, what they turned off, and what they wrote off."""
        for device in self.devices.values():
            device.reachable, device.fate = True, ""
            if isinstance(device, Machine):
                device.reset(self.t)
            elif isinstance(device, Outlet) and (device.last_by == PERSON or device.name in forgotten):
                device.become(self.t, True, PERSON)


GRAPHS: tuple[dict[str, tuple[str, ...]], ...] = (
    {"nas": ("pc1", "pc2"), "srv": ("nas",)},
    {"nas": ("pc1",), "srv": ("pc2",), "box": ("nas", "srv")},
    {"srv": ("nas",), "nas": ("pc1", "pc2", "box")},
    {"pc2": ("srv",), "nas": ("pc2",)},
    {},
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a rack's config says."""

    after: dict[str, tuple[str, ...]]
    deadline_s: float
    cut_after_s: float
    at_once: tuple[str, ...]
    timing: Timing


def policy_of(plan: Plan) -> Policy:
    outlets = {outlet: replace(switch(), deadline_s=plan.deadline_s) for outlet in OUTLETS.values()}
    later = tuple(name for name in MACHINES if name not in plan.at_once)
    tiers = [Tier(name="at once", loads=plan.at_once)] if plan.at_once else []
    if later:
        tiers.append(Tier(name="low", below=Percent(50.0), restore_above=Percent(60.0), loads=later))
    parts = {name: _machine(name, plan) for name in MACHINES} | outlets | {"lamp": switch()}
    return Policy(parts=parts, tiers=tuple(tiers), timing=plan.timing)


def _machine(name: str, plan: Plan) -> PartPolicy:
    return replace(
        host(),
        after=plan.after.get(name, ()),
        outlet=OUTLETS.get(name),
        witness="lamp" if name in WITNESSED else None,
        cut_after_s=plan.cut_after_s,
        deadline_s=plan.deadline_s,
    )


def timing(confirm_s: float, settle_s: float, stagger_s: float) -> Timing:
    return Timing(confirm_s=confirm_s, settle_s=settle_s, stagger_s=stagger_s, max_gap_s={GATEWAY: 6.0})


def build(plan: Plan, off: frozenset[str], watches: tuple[Watch, ...], *, shutdown_s: float, starts: bool) -> Rack:
    """`starts`: whether machines start by themselves with their outlets."""
    quiet_s = min(plan.cut_after_s, shutdown_s)
    machines = {
        name: Machine(name=name, on=name not in off, shutdown_s=shutdown_s, quiet_s=quiet_s, starts=starts)
        for name in MACHINES
    }
    outlets = [
        Outlet(name=outlet, on=True, machine=machines[name], metered=outlet in METERED)
        for name, outlet in OUTLETS.items()
    ]
    return Rack(policy_of(plan), (*machines.values(), *outlets, Plug(name="lamp", on=True)), watches)
