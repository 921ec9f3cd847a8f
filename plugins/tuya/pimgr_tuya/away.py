"""The plug as Tuya's cloud sees it, asked sparingly: a trial has some 26,000 calls a month (tinytuya pull 219)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from pimgr.api import Context, Finding, Instant, Severity, Unreachable, Unsupported
from pimgr_tuya import PlugConfig
from pimgr_tuya.cloud import Cloud, Cut, Project, Seen
from pimgr_tuya.failure import Failed

BURST = 6
EVERY_S = 300.0
"""After `BURST` looks, one each five minutes: 8,640 a month."""
AHEAD_DAYS = 14
_DAY_S = 86_400.0
_HOUR_S = 3_600.0
_EPOCH_S = 1_700_000_000.0
"""A clock that says less was never set."""
_MARGIN = 1.05
T = TypeVar("T")


class Away:
    """The cloud's side of one plug. Raises Failed."""

    def __init__(self, config: PlugConfig, context: Context) -> None:
        self._config, self._context = config, context
        self._cloud: Cloud | None = None
        self._codes: frozenset[str] = frozenset()
        self._tokens, self._filled = float(BURST), context.now()
        self._due: Instant | None = None
        self._wait_s = 0.0
        self._told: bool | None = None

    async def look(self, patience_s: float) -> Seen:
        """All that the cloud knows of the plug, now."""
        seen = await self._call(patience_s, lambda cloud, cut: cloud.look(self._config.device_id, cut))
        self._codes = frozenset(seen.values)
        return seen

    async def switch(self, dp: str, on: bool, patience_s: float) -> None:
        """Ask it to switch; the first time it is looked at before, for the name of the switch."""
        ends = asyncio.get_running_loop().time() + patience_s
        if not self._codes:
            await self.look(patience_s)
        code, left_s = self.code(dp), max(0.05, ends - asyncio.get_running_loop().time())
        await self._call(left_s, lambda cloud, cut: cloud.switch(self._config.device_id, code, on, cut))
        self._tokens = max(self._tokens, 1.0)  # so that what came of it is seen

    def code(self, dp: str) -> str:
        """What the cloud calls a switch."""
        usual = [f"switch_{dp}", *(["switch"] if dp == "1" else []), *(["switch_led"] if dp in ("1", "20") else [])]
        named = (self._config.cloud_codes or {}).get(dp)
        for code in [named] if named else usual:
            if code in self._codes:
                return code
        known = ", ".join(sorted(self._codes))[:120]
        raise Failed(
            Unsupported,
            f"it has no switch for data point {dp}, only {known}",
            f'set cloud_codes = {{ "{dp}" = "..." }}',
        )

    def may_look(self) -> bool:
        """Whether it may be asked for a reading now; asking is counted."""
        now = self._context.now()
        self._tokens = min(BURST, self._tokens + now.since(self._filled) / EVERY_S)
        self._filled = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    async def glance(self, patience_s: float) -> None:
        """Once a day, see whether it would help: what is wrong with it is told, never raised."""
        now = self._context.now()
        if self._due is not None and now.since(self._due) < self._wait_s:
            return
        self._due, self._wait_s = now, _DAY_S
        try:
            await self.look(patience_s)
        except Failed as failed:
            if failed.kind is Unreachable:
                self._wait_s = _HOUR_S

    # -------------------------------------------------------------------------------------------------------- telling

    def remind(self) -> None:
        """Tell of a trial that ends within two weeks. Tuya's interface doesn't say when: the config does."""
        ends = self._config.trial_ends
        wall = self._context.now().wall
        if ends is None or wall < _EPOCH_S:
            return
        days = (date.fromisoformat(ends) - datetime.fromtimestamp(wall, UTC).date()).days
        self._context.tell("trial", None if days > AHEAD_DAYS else _trial(days))

    def _judge(self, failed: Failed | None) -> None:
        """Tell once what its owner has to mend at Tuya, and once that it is mended."""
        if failed is not None and failed.told:
            text = f"Tuya's cloud can't help with this plug: {failed.fact}"
            self._context.tell("cloud", Finding(severity=Severity.WARNING, text=text, cure=failed.cure))
            self._told = True
        elif failed is None and self._told is not False:
            self._context.tell("cloud", None)
            self._told = False

    # --------------------------------------------------------------------------------------------------------- inside

    async def _call(self, patience_s: float, act: Callable[[Cloud, Cut], T]) -> T:
        """Do it on the connection's thread; its line is cut when the patience ends, or when nobody waits any more."""
        cloud = self._project()
        cut = Cut(patience_s)
        end = asyncio.get_running_loop().call_later(patience_s, cut.now)
        try:
            async with asyncio.timeout(patience_s * _MARGIN):
                result = await self._context.call(act, cloud, cut)
        except TimeoutError:
            raise Failed(Unreachable, f"no answer in {patience_s:.1f} s", "check the house's internet") from None
        except Failed as failed:
            self._judge(failed)
            raise
        finally:
            end.cancel()
            cut.now()
        self._judge(None)
        return result

    def _project(self) -> Cloud:
        if self._cloud is None:
            config, secret = self._config, self._context.secret
            assert config.endpoint is not None
            assert config.cloud_key is not None
            assert config.cloud_secret is not None
            project = Project(config.endpoint, secret(config.cloud_key).strip(), secret(config.cloud_secret).strip())
            self._cloud = Cloud(project)
        return self._cloud


def _trial(days: int) -> Finding:
    when = (
        f"ends in {days} days"
        if days > 1
        else "ends tomorrow"
        if days == 1
        else "ends today"
        if days == 0
        else "is over"
    )
    cure = (
        "at platform.tuya.com, Cloud > Cloud Project > Cloud Services > IoT Core: extend the trial; "
        "then set trial_ends to its new end"
    )
    return Finding(severity=Severity.WARNING, text=f"the trial of the project at Tuya {when}", cure=cure)


def watts(value: Any, unit_w: float) -> float | None:
    """A data point as W; None for what no plug draws."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    most = 25_000.0 / unit_w  # compared as it came: JSON's whole numbers have no end, and floats have
    return value * unit_w if 0.0 <= value <= most else None
