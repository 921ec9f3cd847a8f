"""What a history cost the house under one policy, counted from the truth and not from what the policy believes."""

from __future__ import annotations

from collections.abc import Mapping

from pimgr.api import Frozen
from pimgr.policy.battery.rates import Tariff
from pimgr.policy.terms import Policy
from pimgr.simulate.engine import Run
from pimgr.simulate.home import tier_of

HOUR_S = 3600.0


class TierLine(Frozen):
    """`hours`: in which any of its loads was off; `load_hours`: of all its loads together."""

    name: str
    hours: float
    load_hours: float


class Card(Frozen, kw_only=True):
    """One policy's account. Hours, kWh, kelvin-hours; `cost` in the tariff's currency, None without prices.

    `dark_h`: the protected loads had no power, as the whole house had none; `wrong`: turned on what it hadn't turned
    off; `left_off`: what it had turned off and not given back by the end; `mails`: that were sent.
    """

    policy: str
    reserve: str
    outage_h: float
    dark_h: float
    shed_load_h: float
    tiers: tuple[TierLine, ...]
    bought_kwh: Mapping[str, float]
    peak_kwh: float
    peak_cost: float | None
    cost: float | None
    switchings: Mapping[str, int]
    discomfort_kh: float
    mails: int
    wrong: int
    left_off: tuple[str, ...]
    decisions: int = 0
    took_s: float = 0.0
    """How long the computer took."""


def card(run: Run, policy: Policy, names: tuple[str, str], mails: int = 0) -> Card:
    """The account of a run that is over. `policy`: the owner's, by which tiers are named and prices known."""
    plant, tariff = run.plant, policy.tariff
    tally = plant.tally
    bought = {period: wh / 1000.0 for period, wh in sorted(tally.bought_wh.items())}
    peaks = {p.name for p in tariff.periods if p.peak} if tariff else set()
    peak = {period: kwh for period, kwh in bought.items() if period in peaks}
    moved = {d.name: d.switchings for d in plant.devices.values()} | {
        r.name: r.switchings for r in plant.rooms.values()
    }
    return Card(
        policy=names[0],
        reserve=names[1],
        outage_h=tally.outage_s / HOUR_S,
        dark_h=tally.dark_s / HOUR_S,
        shed_load_h=sum(tally.off_s.values()) / HOUR_S,
        tiers=_tiers(run, policy),
        bought_kwh=bought,
        peak_kwh=sum(peak.values()),
        peak_cost=_cost(peak, tariff),
        cost=_cost(bought, tariff),
        switchings={name: count for name, count in moved.items() if count},
        discomfort_kh=sum(room.discomfort for room in plant.rooms.values()),
        mails=mails,
        wrong=sum(device.wrong for device in plant.devices.values()),
        left_off=tuple(sorted(plant.shed)),
    )


def _cost(bought: Mapping[str, float], tariff: Tariff | None) -> float | None:
    prices = {p.name: p.price for p in tariff.periods if p.price is not None} if tariff else {}
    if not prices:
        return None
    return sum(kwh * prices.get(period, 0.0) for period, kwh in bought.items())


def _tiers(run: Run, policy: Policy) -> tuple[TierLine, ...]:
    tier = tier_of(policy)
    hours = dict.fromkeys([each.name for each in policy.tiers], 0.0)
    ends = [t for t, _ in run.trace.shed[1:]] + [run.plant.t]
    for (t, shed), end in zip(run.trace.shed, ends, strict=True):
        for name in {tier[part] for part in shed if part in tier}:
            hours[name] += (end - t) / HOUR_S
    off = run.plant.tally.off_s
    return tuple(
        TierLine(name, hours[name], sum(off.get(part, 0.0) for part in tier if tier[part] == name) / HOUR_S)
        for name in hours
    )
