"""How far the last word of a running pimgr can be relied on: its age, and whether it still lives."""

from __future__ import annotations

import os
import time
from pathlib import Path

from pimgr.api import Frozen, Instant
from pimgr.snapshot import OLD_AFTER_S, Snapshot

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Word(Frozen, kw_only=True):
    """`running`: it may be relied on. `age_s`: None where it was said before this boot. `problem`: what isn't well."""

    running: bool
    age_s: float | None
    problem: str = ""


def this_boot() -> str:
    """The kernel's boot id in hexadecimal digits; an `Instant.boot` is how it begins."""
    return BOOT_ID.read_text(encoding="ascii").strip().replace("-", "")


def now() -> Instant:
    """This moment, by the same clocks as a snapshot's."""
    return Instant(time.clock_gettime(time.CLOCK_BOOTTIME), time.time(), this_boot())


def judge(snapshot: Snapshot, now: Instant, *, alive: bool) -> Word:
    """What a snapshot is worth `now`; `alive`: its process is there."""
    boot = snapshot.at.boot
    if not boot or not now.boot.startswith(boot):
        problem = "pimgr has not run since this box was started; `sudo systemctl start pimgr`"
        return Word(running=False, age_s=None, problem=problem)
    age_s = max(0.0, now.mono_s - snapshot.at.mono_s)
    if not alive:
        problem = f"pimgr is not running; its last word is from {spoken(age_s)} ago. `sudo systemctl start pimgr`"
        return Word(running=False, age_s=age_s, problem=problem)
    if age_s > OLD_AFTER_S:
        problem = f"pimgr lives, but has said nothing for {spoken(age_s)}: it hangs; systemd should restart it"
        return Word(running=False, age_s=age_s, problem=problem)
    return Word(running=True, age_s=age_s)


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    except OverflowError:
        return False
    return True


def ago(then: Instant, now: Instant) -> str:
    """ "4 s ago", where that can be told."""
    if then.boot and now.boot.startswith(then.boot):
        return f"{spoken(max(0.0, now.mono_s - then.mono_s))} ago"
    return "before the last start of this box"


def spoken(seconds: float) -> str:
    """A time span as one says it: two units at most."""
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if minutes < 1:
        return f"{seconds:.0f} s"
    if hours < 1:
        return f"{minutes} min"
    if days < 1:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"
