"""How often the cloud may be asked: calls cost money, and who asks too often is shut out."""

from __future__ import annotations

from enum import Enum

from pimgr.api import Context, Instant, Refused
from pimgr_powerwall.cloud.errors import Wanted
from pimgr_powerwall.cloud.kept import DAY_S
from pimgr_powerwall.cloud.wire import Reply
from pimgr_powerwall.numbers import number

_STEP = 2
"""The count is stored every so many calls, and rounded up: a crash forgets none, and many crashes cost few."""
_ROUNDS_A_DAY = 288
"""pimgr asks a cloud every 300 s: with two calls a round for each day there is nothing to be saved."""
_HALF_A_ROUND_S = 150.0
_SETTINGS_SHARE = 8.0
"""One call in eight is for settings, which change by a person's hand or by ours."""
REST_S = 300.0
"""Rest after "too often" without a time."""
_LONGEST_REST_S = DAY_S


class Share(Enum):
    """What may be used of a day's calls for it. The last part is for what matters most."""

    HEALTHY = 0.8
    OUTAGE = 0.95
    WRITE = 1.0


class Budget:
    """Counts calls by the day (UTC), also across restarts, and heeds what the cloud says of asking too often."""

    def __init__(self, calls_a_day: int, context: Context) -> None:
        self._most, self._context = calls_a_day, context
        self._day, self._calls, self._stored = self._begun()

    # -------------------------------------------------------------------------------------------------------- pace

    @property
    def live_every_s(self) -> float:
        """Seconds between two calls for the live status of a healthy house; 0 for as often as pimgr asks."""
        healthy = self._most * Share.HEALTHY.value
        if healthy >= 2 * _ROUNDS_A_DAY:
            return 0.0
        return DAY_S / (healthy * (1.0 - 1.0 / _SETTINGS_SHARE)) - _HALF_A_ROUND_S

    @property
    def settings_every_s(self) -> float:
        """Likewise for the settings."""
        healthy = self._most * Share.HEALTHY.value
        return 0.0 if healthy >= 2 * _ROUNDS_A_DAY else DAY_S * _SETTINGS_SHARE / healthy

    @property
    def outage_every_s(self) -> float:
        """Likewise for the live status while the grid is away: what is left of the day's calls is spread."""
        self._turn_of_day()
        left = self._most * Share.OUTAGE.value - self._calls
        left_s = DAY_S - self._context.now().wall % DAY_S
        return min(900.0, max(_HALF_A_ROUND_S, left_s / max(1.0, left)))

    # -------------------------------------------------------------------------------------------------------- calls

    async def spend(self, wanted: Wanted, share: Share) -> None:
        """Count one call before it is made. Raises Refused where the day's budget for it is used up."""
        self.rested(wanted)
        self._turn_of_day()
        if self._calls >= self._most * share.value:
            fact = f"its budget of {self._most} calls a day is used up"
            raise Refused(wanted.part, wanted.wish, fact, "raise calls_a_day, or wait until midnight UTC")
        self._calls += 1
        if self._calls > self._stored:
            self._stored = self._calls + _STEP - 1
            await self._context.store.put("calls", {"day": self._day, "calls": self._stored})

    def unspent(self) -> None:
        """The latest call costs nothing: it never came to Tesla, or was answered by 500 or more.

        Source: developer.tesla.com, "Billing and Limits". Else an internet that is away for two hours, with a try each
        half a minute, would shut the cloud out for the rest of the day.
        """
        self._calls = max(0, self._calls - 1)

    @property
    def used(self) -> int:
        """Calls of today."""
        self._turn_of_day()
        return self._calls

    def _begun(self) -> tuple[int, int, int]:
        kept = self._context.store.get("calls")
        try:
            return int(kept["day"]), int(kept["calls"]), int(kept["calls"])
        except (TypeError, KeyError, ValueError):
            return 0, 0, 0

    def _turn_of_day(self) -> None:
        """A new day is a new budget. A wall clock that is a little behind after a blackout makes no new one."""
        today = int(self._context.now().wall // DAY_S)
        if today > self._day or self._day - today > 1:
            self._day, self._calls, self._stored = today, 0, 0

    # --------------------------------------------------------------------------------------------------------- rest

    async def heed(self, reply: Reply) -> None:
        """After "too often" nothing is asked for as long as the cloud said, also across a restart."""
        if reply.status != 429:
            return
        try:
            told = number(float(reply.headers.get("retry-after", "")), 0.0, 1e9)
        except ValueError:  # a date, or nothing
            told = None
        now = self._context.now()
        rest_s = REST_S if told is None else min(told, _LONGEST_REST_S)
        rest = {"mono_s": now.mono_s, "wall": now.wall, "boot": now.boot, "rest_s": rest_s}
        await self._context.store.put("rest", rest)

    def rested(self, wanted: Wanted) -> None:
        """Raises Refused while the cloud is to be left alone."""
        rest, now = self._context.store.get("rest"), self._context.now()
        if not isinstance(rest, dict):
            return
        since = Instant(rest["mono_s"], rest["wall"], rest["boot"])
        if since.boot != now.boot and now.wall < since.wall:
            return  # the wall clock went back over a blackout: it can't say how long the rest was
        left_s = rest["rest_s"] - now.since(since)
        if left_s > 0.0:
            fact = f"it was asked too often and is left alone for another {left_s:.0f} s"
            raise Refused(wanted.part, wanted.wish, fact, "pimgr tries again by itself")
