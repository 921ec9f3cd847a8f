"""The scorecard as a person reads it, in 80 columns. Names of parts and tiers are escaped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pimgr.cli.lines import wrapped
from pimgr.local_time import local
from pimgr.policy.said import counted
from pimgr.text import safe

if TYPE_CHECKING:
    from pimgr.simulate.score import Card
    from pimgr.simulate.year import Setup

HOUR_S = 3600.0
LONGEST = 5
"""Outages that are named."""
BUSIEST = 5


def scorecard(setup: Setup, cards: Sequence[Card]) -> list[str]:
    """All of it. The first card is pimgr's own."""
    mine = cards[0]
    lines = [*_history(setup), "", *_table(cards), "", *_mine(mine)]
    for note in setup.world.home.notes:
        lines += ["", *wrapped(f"Note: {note}.", 0, 2)]
    return lines


def found(violations: Sequence[str]) -> list[str]:
    """What the checks say."""
    if not violations:
        return ["", "No wrong restore, no fight with a person, nothing done blindly."]
    return ["", "WRONG:", *(line for text in violations for line in wrapped(text, 2, 4))]


def _history(setup: Setup) -> list[str]:
    scenario, outages, zone = setup.scenario, setup.outages, setup.world.zone
    count = len(setup.world.home.appliances) + len(setup.world.home.thermostats)
    solar = setup.world.home.site.solar_w / 1000.0
    battery = setup.policy.battery.capacity / 1000.0
    lines = wrapped(
        f"{scenario.days} days from {scenario.start}, seed {safe(scenario.seed, 40)}: a house with {count} things that"
        f" can be set, a battery of {battery:g} kWh and {solar:g} kW of panels ({setup.world.zone}).",
        0,
    )
    total = sum(o.length_s for o in outages) / HOUR_S
    lines += wrapped(f"{counted(len(outages), 'outage')}, {total:.1f} h in all." if outages else "No outage at all.", 0)
    for outage in sorted(outages, key=lambda o: -o.length_s)[:LONGEST]:
        at = local(setup.world.weather.begin + outage.start, zone)
        storm = ", a storm" if outage.major else ""
        lines.append(f"  {at:%Y-%m-%d %H:%M}  {outage.length_s / HOUR_S:6.1f} h{storm}")
    if len(outages) > LONGEST:
        lines.append(f"  and {len(outages) - LONGEST} shorter ones")
    return lines


def _table(cards: Sequence[Card]) -> list[str]:
    """One line a policy."""
    head = ("policy", "reserve", "dark", "shed", "peak", "cost", "moves", "warm", "mail", "wrong")
    rows = [head, ("", "", "h", "load h", "kWh", "", "", "K h", "", "")]
    for each in cards:
        rows.append(
            (
                each.policy,
                each.reserve,
                f"{each.dark_h:.1f}",
                f"{each.shed_load_h:.0f}",
                f"{each.peak_kwh:.0f}",
                "-" if each.cost is None else f"{each.cost:.0f}",
                f"{sum(each.switchings.values())}",
                f"{each.discomfort_kh:.0f}",
                f"{each.mails}",
                f"{each.wrong}",
            )
        )
    widths = [max(len(row[n]) for row in rows) for n in range(len(head))]
    return [
        *(_line(row, widths) for row in rows),
        "",
        *wrapped(
            "dark: hours in which the protected loads had no power. shed: hours that loads were off, added up over all"
            " of them. peak: energy bought in peaks; cost: of all that was bought. moves: switchings. warm:"
            " kelvin-hours beyond the set points of the house. wrong: turned on without having been turned off.",
            0,
        ),
    ]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    """Words to the left, numbers to the right."""
    cells = [c.ljust(w) if n < 2 else c.rjust(w) for n, (c, w) in enumerate(zip(row, widths, strict=True))]
    return " ".join(cells).rstrip()


def _mine(mine: Card) -> list[str]:
    lines = ["pimgr, tier by tier"]
    width = max((len(safe(tier.name, 28)) for tier in mine.tiers), default=0)
    for tier in mine.tiers:
        lines.append(f"  {safe(tier.name, 28):<{width}}  off {tier.hours:7.1f} h, {tier.load_hours:8.1f} load hours")
    busiest = sorted(mine.switchings.items(), key=lambda item: -item[1])[:BUSIEST]
    if busiest:
        told = ", ".join(f"{part} {count}" for part, count in busiest)
        lines += wrapped(f"switched most: {told}", 2, 4)
    lines += wrapped(f"not given back at the end: {', '.join(mine.left_off) or 'nothing'}", 2, 4)
    lines.append(f"  {mine.decisions} decisions in {mine.took_s:.1f} s of this computer's time")
    return lines
