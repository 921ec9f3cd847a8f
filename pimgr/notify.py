"""What systemd is told: ready, status, reloading, stopping, and the watchdog's beat."""

from __future__ import annotations

import sdnotify

from pimgr.clock import Clock
from pimgr.text import safe


class Systemd:
    """Speaks to the socket that systemd named; without one it says nothing."""

    def __init__(self, clock: Clock) -> None:
        self._notifier = sdnotify.SystemdNotifier()
        self._clock = clock
        self._ready = False
        self._status = ""

    def decided(self, headline: str) -> None:
        """A decision finished: the first one makes us ready. The headline is the status line."""
        if not self._ready:
            self._ready = True
            self._notifier.notify("READY=1")
        if headline != self._status:
            self._status = headline
            self._notifier.notify(f"STATUS={safe(headline)}")

    def beat(self) -> None:
        """The watchdog's beat, sent only behind a finished decision whose promise is on record."""
        self._notifier.notify("WATCHDOG=1")

    def reloading(self) -> None:
        usec = int(self._clock.now().mono_s * 1e6)
        self._notifier.notify(f"RELOADING=1\nMONOTONIC_USEC={usec}")

    def reloaded(self) -> None:
        self._notifier.notify("READY=1")

    def stopping(self) -> None:
        self._notifier.notify("STOPPING=1")
