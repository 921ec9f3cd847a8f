"""A machine in the house: it is up, shuts down in its own time, is off, and boots into a new boot id.

Nothing here speaks a protocol; the SSH server, or any other server of a computer, drives it.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from enum import StrEnum

from pimgr.api import Frozen


class Phase(StrEnum):
    UP = "up"
    SHUTTING_DOWN = "shutting down"
    OFF = "off"
    BOOTING = "booting"


class MachineTimes(Frozen):
    """Real seconds from the accepted request to off, and from the wake-up to up."""

    shutdown_s: float
    boot_s: float


class Machine:
    """One computer. `before` is called just ahead of a change of phase, `watchers` after it, with a short word why."""

    def __init__(self, name: str, times: MachineTimes, before: Callable[[], None]) -> None:
        self.name = name
        self.times = times
        self.phase = Phase.UP
        self.powered = True
        self.clean = True
        """False once its power was cut while it ran."""
        self.watchers: list[Callable[[Machine, str], None]] = []
        self._before = before
        self.boot_id = str(uuid.uuid4())
        self.booted = int(time.time())
        """When it booted, UTC in s; each boot has a second of its own."""
        self._timer: asyncio.TimerHandle | None = None
        self._countdown: asyncio.TimerHandle | None = None

    @property
    def up(self) -> bool:
        """Whether it answers: also while it shuts down, as real ones do until their network goes."""
        return self.phase in (Phase.UP, Phase.SHUTTING_DOWN)

    @property
    def draws(self) -> bool:
        """Whether it draws its power: in every phase but off."""
        return self.phase is not Phase.OFF

    @property
    def counting_down(self) -> bool:
        """Whether a shutdown was asked for that has not begun."""
        return self._countdown is not None

    def shut_down(self, delay_s: float = 0.0) -> None:
        """Begin a clean shutdown, now or in real `delay_s`; asked twice is asked once."""
        if self.phase is Phase.UP and delay_s > 0.0 and not self.counting_down:
            self._countdown = asyncio.get_running_loop().call_later(delay_s, self.shut_down)
        elif self.phase is Phase.UP and delay_s == 0.0:
            self.stay_up()
            self._go(Phase.SHUTTING_DOWN, "asked", after_s=self.times.shutdown_s, then=self._off)

    def stay_up(self) -> None:
        """A shutdown that is counting down is called off."""
        if self._countdown:
            self._countdown.cancel()
        self._countdown = None

    def wake(self) -> None:
        """Begin to boot, if it is off and has power."""
        if self.phase is Phase.OFF and self.powered:
            self._go(Phase.BOOTING, "woken", after_s=self.times.boot_s, then=self._booted)

    def power(self, on: bool) -> None:
        """Its supply comes or goes. A machine that ran is off at once, and not cleanly; power alone boots none."""
        self.powered = on
        if not on and self.phase is not Phase.OFF:
            self.clean = False
            self._go(Phase.OFF, "power cut")

    def close(self) -> None:
        """No timer of it goes off any more."""
        self.stay_up()
        if self._timer:
            self._timer.cancel()

    def _off(self) -> None:
        self._go(Phase.OFF, "shut down")

    def _booted(self) -> None:
        self.boot_id = str(uuid.uuid4())
        self.booted = max(self.booted + 1, int(time.time()))
        self.clean = True
        self._go(Phase.UP, "booted")

    def _go(self, phase: Phase, why: str, *, after_s: float = 0.0, then: Callable[[], None] | None = None) -> None:
        self.close()
        self._before()
        self.phase = phase
        if then:
            self._timer = asyncio.get_running_loop().call_later(after_s, then)
        for watcher in self.watchers:
            watcher(self, why)
