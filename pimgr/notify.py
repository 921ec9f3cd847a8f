"""What systemd is told: ready, status, reloading, stopping, and the watchdog's beat."""

from __future__ import annotations

import os

import sdnotify

from pimgr.clock import Clock
from pimgr.text import safe

SEND_S = 0.2
"""What telling systemd may take, should it not be listening: the tick goes on."""


class Systemd:
    """Speaks to the socket that systemd named; without one it says nothing."""

    def __init__(self, clock: Clock) -> None:
        self._notifier = sdnotify.SystemdNotifier() if os.environ.get("NOTIFY_SOCKET") else None
        if self._notifier is not None and self._notifier.socket is not None:
            self._notifier.socket.settimeout(SEND_S)
        self._clock = clock
        self._ready = False
        self._status = ""

    def decided(self, headline: str) -> None:
        """A decision finished: the first one makes us ready. The headline is the status line."""
        if not self._ready:
            self._ready = True
            self._tell("READY=1")
        if headline != self._status:
            self._status = headline
            self._tell(f"STATUS={safe(headline)}")

    def beat(self) -> None:
        """The watchdog's beat, sent only behind a finished decision whose promise is on record."""
        self._tell("WATCHDOG=1")

    def reloading(self) -> None:
        usec = int(self._clock.now().mono_s * 1e6)
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={usec}")

    def reloaded(self) -> None:
        self._tell("READY=1")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def close(self) -> None:
        """Let go of the socket; nothing is told from then on."""
        if self._notifier is not None and self._notifier.socket is not None:
            self._notifier.socket.close()
        self._notifier = None

    def _tell(self, state: str) -> None:
        """As UTF-8, which systemd expects; sdnotify 0.3.2 encodes Latin-1, and says nothing where it can't."""
        if self._notifier is not None:
            self._notifier.notify(state.encode().decode("latin-1"))
