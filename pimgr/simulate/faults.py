"""What goes wrong in a house within a year: devices that don't answer, clouds that lie, crashes, and people's hands.

Everything comes from a seed, so that a year in which something broke can be lived through again.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from pimgr.api import Frozen, SiteMode
from pimgr.policy.aspects import Mode, Reserve, SetPoints
from pimgr.policy.model import Action
from pimgr.simulate.devices import PERSON, Charger, Host
from pimgr.simulate.engine import Run
from pimgr.simulate.outages import YEAR_S, Outage, joined
from pimgr.simulate.ring import Ring
from pimgr.units import Celsius, Percent

FATES = ("request lost", "answer lost", "ignored")
MOMENTS = ("before", "committed", "half", "sent")
OFTEN = 6.0
"""Times as many outages as published, in a year of faults."""
FLICKERS = 30.0
"""Moments without grid a year, of some seconds: most are over before an outage is confirmed."""


class Rates(Frozen, kw_only=True):
    """How many a year. `lost`: the share of requests that go wrong; `in_outage`: of each kind, in every outage."""

    unreachable: float = 150.0
    gateway: float = 30.0
    cloud: float = 30.0
    crashes: float = 40.0
    reboots: float = 12.0
    hands: float = 250.0
    dials: float = 60.0
    apps: float = 12.0
    lost: float = 0.08
    in_outage: float = 2.0


def flickers(span_s: float, seed: str) -> list[Outage]:
    """Short ones, which no statistics count."""
    random, at, found = Random(f"flickers/{seed}"), 0.0, []  # noqa: S311 - no secret
    while (at := at + random.expovariate(1.0) * YEAR_S / FLICKERS) < span_s:
        found.append(Outage(start=at, end=at + random.choice((0.5, 2.0, 3.0, 5.0, 9.0, 20.0))))
    return found


def with_flickers(outages: tuple[Outage, ...], span_s: float, seed: str) -> tuple[Outage, ...]:
    return joined([*outages, *flickers(span_s, seed)])


class Mishaps:
    """All that befalls one run. `plan` once, before it begins."""

    def __init__(self, run: Run, ring: Ring, seed: str, rates: Rates) -> None:
        self.run, self.ring, self.rates = run, ring, rates
        self.random = Random(f"mishaps/{seed}")  # noqa: S311 - no secret
        self.parts = list(run.plant.devices)
        self.rooms = list(run.plant.rooms)
        ring.fate = self._fate

    def plan(self, span_s: float) -> None:
        """Spread everything over the time, and some of it over each outage: that is when it matters."""
        kinds: tuple[tuple[float, Callable[[], None]], ...] = (
            (self.rates.unreachable, self._unreachable),
            (self.rates.gateway, self._gateway),
            (self.rates.cloud, self._cloud),
            (self.rates.crashes, self._crash),
            (self.rates.reboots, self._reboot),
            (self.rates.hands, self._hand),
            (self.rates.dials if self.rooms else 0.0, self._dial),
            (self.rates.apps, self._app),
        )
        for per_year, deed in kinds:
            if per_year <= 0.0:
                continue
            at = 0.0
            while (at := at + self.random.expovariate(1.0) * YEAR_S / per_year) < span_s:
                self.run.at(at, deed)
            for outage in self.run.outages:
                self._in(outage, deed)

    def _in(self, outage: Outage, deed: Callable[[], None]) -> None:
        for _ in range(int(self.random.expovariate(1.0) * self.rates.in_outage)):
            self.run.at(outage.start + self.random.uniform(-30.0, outage.length_s + 600.0), deed)

    def _fate(self, action: Action) -> str:
        """Of a request that is on its way."""
        return self.random.choice(FATES) if self.random.random() < self.rates.lost else ""

    def _minutes(self, mean: float) -> float:
        return 60.0 * self.random.expovariate(1.0) * mean

    # --------------------------------------------------------------------------------------------------- what happens

    def _unreachable(self) -> None:
        thing = self.run.plant.devices[self.random.choice(self.parts)]
        if self.rooms and self.random.random() < 0.1:
            room = self.run.plant.rooms[self.random.choice(self.rooms)]
            room.reachable = False
            self.run.after(self._minutes(60.0), lambda: setattr(room, "reachable", True))
            return
        thing.reachable = False
        self.run.after(self._minutes(25.0), lambda: setattr(thing, "reachable", True))

    def _gateway(self) -> None:
        self.ring.reads.gateway = self.random.choice(("silent", "unknown"))
        self.run.after(self._minutes(8.0), lambda: setattr(self.ring.reads, "gateway", "answers"))

    def _cloud(self) -> None:
        self.ring.reads.cloud = False
        self.run.after(self._minutes(90.0), lambda: setattr(self.ring.reads, "cloud", True))

    def _crash(self) -> None:
        """At once, or at the next decision that is written down."""
        if not self.ring.alive:
            return
        down_s = self.random.choice((3.0, 5.0, 40.0, 600.0))
        if self.random.random() < 0.5:
            self.ring.crash(self.run, down_s)
        else:
            self.ring.crash_when, self.ring.down_s = self.random.choice(MOMENTS), down_s

    def _reboot(self) -> None:
        """The box lost power; its clock is wrong until somebody tells it the time."""
        if not self.ring.alive:
            return
        down_s, error_s = self.random.choice((25.0, 90.0)), self.random.choice((0.0, -3e8, -7200.0, 5e4))
        self.ring.crash(self.run, down_s, reboot=True, error_s=error_s)
        self.run.after(
            down_s + self._minutes(self.random.choice((1.0, 20.0, 240.0))), lambda: self.ring.set_clock(self.run)
        )

    def _hand(self) -> None:
        """Somebody presses a button. Most are where the house's tiers are."""
        device = self.run.plant.devices[self.random.choice(self.parts)]
        if self.run.plant.dark:
            return
        if isinstance(device, Host):
            (device.stop if device.on else device.start)(self.run.plant.t, PERSON)
        elif isinstance(device, Charger):
            device.set(0.0 if device.on else device.usual, PERSON)
        else:
            device.move(not device.on, PERSON)
        self.run.plant.moved = True

    def _dial(self) -> None:
        """Somebody sets a thermostat, or lets it follow its schedule again."""
        room = self.run.plant.rooms[self.random.choice(self.rooms)]
        if self.random.random() < 0.4:
            room.resume()
        else:
            cool, until = room.own_cool + self.random.choice((-2.0, -1.0, 1.5, 3.0)), self.run.plant.wall + 4 * 3600.0
            room.set(SetPoints(cool=Celsius(cool), until=until // 900.0 * 900.0))
        self.run.plant.moved = True

    def _app(self) -> None:
        """Somebody sets the battery in its app."""
        percent = Percent(float(self.random.choice((5, 10, 40, 55, 70, 100))))
        mode = self.random.choice((SiteMode.SELF_CONSUMPTION, SiteMode.BACKUP))
        self.run.plant.set_site(Reserve(percent) if self.random.random() < 0.7 else Mode(mode))
