"""The box's clocks: the boot clock for durations, and a wall clock that is believed only once it was synchronised."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import Protocol

from pimgr.api import Now

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
TIME_ERROR = 5
"""What adjtimex(2) returns while the kernel's clock is not synchronised."""


class Clock(Protocol):
    def now(self) -> Now: ...


class SystemClock:
    """CLOCK_BOOTTIME, UTC and the kernel's boot id. `battery_backed`: the config says that it has a real-time clock."""

    def __init__(self, *, battery_backed: bool = False) -> None:
        self._boot = BOOT_ID.read_text(encoding="ascii").strip().replace("-", "")[:12]
        self._trusted = battery_backed
        self._libc = ctypes.CDLL(None)

    def now(self) -> Now:
        self._trusted = self._trusted or self._synchronised()
        return Now(time.clock_gettime(time.CLOCK_BOOTTIME), time.time(), self._boot, wall_trusted=self._trusted)

    def _synchronised(self) -> bool:
        """Whether the kernel believes its wall clock: true for systemd-timesyncd, chrony and ntpd alike."""
        timex = ctypes.create_string_buffer(512)  # struct timex, all zero: `modes` 0 only asks
        state: int = self._libc.adjtimex(timex)
        return 0 <= state < TIME_ERROR
