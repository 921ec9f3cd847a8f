"""The box's own clocks."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

from pimgr.clock import SystemClock


class Timex(ctypes.Structure):
    """As in adjtimex(2), on Linux of 64 bits."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        *((name, ctypes.c_long) for name in ("offset", "freq", "maxerror", "esterror")),
        ("status", ctypes.c_int),
        *((name, ctypes.c_long) for name in ("constant", "precision", "tolerance", "sec", "usec", "tick")),
        ("rest", ctypes.c_byte * 256),
    )


STA_UNSYNC = 0x40


def kernel_is_synchronised() -> bool:
    timex = Timex()
    state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    return state >= 0 and not timex.status & STA_UNSYNC


def test_durations_are_of_the_boot_clock_and_the_date_is_utc() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME), time.time()
    now = SystemClock().now()
    after = time.clock_gettime(time.CLOCK_BOOTTIME), time.time()
    assert before[0] <= now.mono_s <= after[0]
    assert before[1] <= now.wall <= after[1]


def test_time_never_goes_back() -> None:
    clock = SystemClock()
    moments = [clock.now().mono_s for _ in range(1000)]
    assert moments == sorted(moments)
    assert moments[0] < moments[-1]


def test_a_boot_is_told_by_the_kernels_id() -> None:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
    assert SystemClock().now().boot == SystemClock().now().boot
    assert len(SystemClock().now().boot) == 12
    assert boot.startswith(SystemClock().now().boot)


def test_the_wall_clock_is_trusted_exactly_when_the_kernel_says_that_it_is_synchronised() -> None:
    assert SystemClock().now().wall_trusted is kernel_is_synchronised()


def test_a_clock_with_a_battery_is_trusted_at_once() -> None:
    assert SystemClock(battery_backed=True).now().wall_trusted is True


def test_asking_the_time_is_cheap_enough_to_do_for_every_reading() -> None:
    clock = SystemClock()
    began = time.perf_counter()
    for _ in range(1000):
        clock.now()
    assert time.perf_counter() - began < 0.5
