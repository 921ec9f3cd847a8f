"""How long the battery lasts, for those who are told."""

from __future__ import annotations

import math

from pimgr.api import HostReading, LoadReading
from pimgr.policy import said
from pimgr.policy.model import ClaimStatus, State
from pimgr.policy.shedding.draw import saved_w
from pimgr.policy.shedding.runtime import lasts_s, prospect, supply
from pimgr.policy.turn import Turn
from pimgr.units import Percent, Watts

LEAST_W = 50.0
"""A house that draws less than this, as figures from several meters may say, is no house that anybody knows."""


def load_w(turn: Turn, state: State) -> Watts | None:
    """What the house draws now; just before the first load goes off, what it drew so far; None while no meter tells."""
    left = prospect(state, turn.inputs, turn.policy, turn.now)
    if left is not None:
        return left.load_w
    draw = state.memory.draw
    if draw is None or draw.at.boot != turn.now.boot:
        return None
    taken = [claim.since.mono_s for claim in state.claims if claim.status is ClaimStatus.TAKEN]
    changed = max(taken, default=0.0) > draw.at.mono_s
    return None if changed or turn.now.since(draw.at) > turn.policy.battery.stale_after_s else draw.load_w


def in_words(seconds: float | None, before: str = "", after: str = "") -> str:
    """Such as ", about 9 h left"; "" where nobody knows, or where the battery lasts for ever."""
    return "" if seconds is None or math.isinf(seconds) else f"{before}about {said.about(seconds)}{after}"


def left_s(turn: Turn, state: State, spared_w: float = 0.0) -> float | None:
    """Seconds until the battery is empty at the present load less `spared_w`; inf where the sun carries it all."""
    left, load = prospect(state, turn.inputs, turn.policy, turn.now), load_w(turn, state)
    stock = left.supply if left is not None else supply(state, turn.inputs, turn.policy, turn.now)
    if stock is None or load is None or load - spared_w < LEAST_W:
        return None
    seconds = lasts_s(stock, load - spared_w)
    return math.inf if seconds is None else seconds


def sentence(turn: Turn, state: State, charge: Percent | None, spared_w: float = 0.0) -> str:
    """Such as "80 %, enough for about 9 h at the present 1.2 kW"; "" where not even the charge is known."""
    if charge is None:
        return ""
    seconds, load = left_s(turn, state), load_w(turn, state)
    if seconds is None or load is None:
        return f"{charge:.0f} %"
    if math.isinf(seconds):
        return f"{charge:.0f} %, and at the present {said.watts(load)} the sun carries the house"
    text = f"{charge:.0f} %, enough for about {said.about(seconds)} at the present {said.watts(load)}"
    longer = left_s(turn, state, spared_w) if spared_w else None
    if longer is None or said.about(longer) == said.about(seconds):
        return text
    return f"{text}, and for about {said.about(longer)} once these are off"


def draws_w(turn: Turn, part: str) -> Watts | None:
    """What a part draws: as measured, else as the config says while it is on; None where nobody knows."""
    of, reading = turn.of(part), turn.view(part).reading
    if of is None or reading is None:
        return None
    if isinstance(reading, LoadReading) and not reading.on:
        return Watts(0.0)
    return None if isinstance(reading, HostReading) and not reading.up else saved_w(reading, of)


def most_drawing(turn: Turn, least_w: float = 200.0, most: int = 3) -> str:
    """The parts that draw most now, such as "EV charger 1.4 kW, pump 640 W"; "" for none that matters."""
    drawing = [(draws_w(turn, part) or 0.0, part) for part in turn.policy.parts]
    top = [pair for pair in sorted(drawing, key=lambda pair: (-pair[0], pair[1])) if pair[0] >= least_w][:most]
    return ", ".join(f"{turn.names([part])} {said.watts(watts)}" for watts, part in top)
