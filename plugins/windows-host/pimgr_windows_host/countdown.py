"""A shutdown that we asked for and that still counts down: the only time in which it can be called off."""

from __future__ import annotations

from pimgr.api import Context, Instant

_KEY = "asked"


class Countdown:
    """Kept in the store, so that a restarted pimgr knows of it: when it began, as [boot clock s, UTC s, boot id]."""

    def __init__(self, context: Context, warning_s: int) -> None:
        self._context, self._warning_s = context, warning_s

    async def begin(self) -> None:
        """A shutdown was accepted now."""
        now = self._context.now()
        await self._context.store.put(_KEY, [now.mono_s, now.wall, now.boot])

    async def called_off(self) -> None:
        """It was called off in time."""
        await self._context.store.put(_KEY, None)
        self._context.record("its shutdown was called off in time: the power is back")

    @property
    def running(self) -> bool:
        """Whether the machine still only warns its user."""
        kept = self._context.store.get(_KEY)
        if not isinstance(kept, list) or len(kept) != 3:
            return False
        return self._context.now().since(Instant(*kept)) <= self._warning_s
