"""The exit statuses of `pimgr`, in one place; docs/config.md tells people."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """`RUNNING`, `DIED` and `NO_CONFIG` are given by `pimgr run` (sysexits.h: EX_TEMPFAIL, EX_SOFTWARE, EX_CONFIG)."""

    OK = 0
    NO = 1
    """The answer is no: the config has errors, the request was refused, a decision comes out otherwise."""
    USAGE = 2
    """The command line makes no sense."""
    NOT_RUNNING = 3
    """No pimgr runs here, or what it last said is too old to rely on."""
    DIED = 70
    """A task that pimgr can't be without died; systemd starts it again."""
    RUNNING = 75
    """Another pimgr has the journal."""
    NO_CONFIG = 78
    """Neither the config nor an earlier valid one can be used; systemd doesn't start it again."""
