"""The plug as it is met at home: with which version and which key, and whether it may be looked at."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from typing import Any, TypeVar

from pimgr.api import Context, Finding, Refused, Severity, Unreachable, Unsupported
from pimgr_tuya import PlugConfig
from pimgr_tuya.failure import Failed
from pimgr_tuya.local import Line, Target, look, tell, usable

VERSIONS = ("3.3", "3.4", "3.5", "3.1")
"""In which order they are tried; 3.1 last, since some of those plugs are switched by being asked."""
TRY_S = 1.3
LEAST_S = 0.3
DOUBTS = 3
"""So many failures that a wrong version explains make the known version doubtful: firmware changes it by itself."""
TOGGLES = 4
"""So many looks, each with another state than the one before and nobody switching, are no accident."""
_MARGIN = 1.15
T = TypeVar("T")


class AtHome:
    """The plug on the home network. Raises Failed."""

    def __init__(self, config: PlugConfig, context: Context) -> None:
        self._config, self._context = config, context
        self._next = 0
        self._doubts = 0
        self._device22 = False
        self._seen: dict[str, Any] = {}
        self._flips = 0

    # ------------------------------------------------------------------------------------------------------ asking it

    async def look(self, patience_s: float) -> dict[str, Any]:
        """Its data points, from the plug itself."""
        if self._toggles:
            raise self._toggled()
        dps = await self._tried(patience_s, look)
        if self.version == "3.1":
            await self._watch(dps)
        return dps

    async def switch(self, dp: str, on: bool, patience_s: float) -> None:
        """Ask the plug itself."""
        self._seen, self._flips = {}, 0
        await self._tried(patience_s, lambda line: tell(line, dp, on))

    async def _tried(self, patience_s: float, act: Callable[[Line], T]) -> T:
        """Do it, with each version that comes into question while there is time."""
        versions = self._versions()
        ends_s = time.monotonic() + patience_s
        failed: Failed | None = None
        for version in versions:
            left_s = ends_s - time.monotonic()
            if failed is not None and left_s < LEAST_S:
                break
            try:
                result = await self._once(act, version, left_s if len(versions) == 1 else min(left_s, TRY_S))
            except Failed as error:
                failed = error
                if not error.doubt:
                    break
                self._next += 1
                self._doubts += 1
            else:
                await self._proven(version)
                return result
        assert failed is not None
        if len(versions) > 1 and failed.doubt:
            fact = f"{failed.fact}; so far it was understood in none of the versions {', '.join(VERSIONS)}"
            raise Failed(failed.kind, fact, failed.cure, doubt=True)
        raise failed

    async def _once(self, act: Callable[[Line], T], version: str, patience_s: float) -> T:
        """One try, on the connection's thread; its line is cut when nobody waits for it any more."""
        config = self._config
        where = (config.device_id, config.address, config.port)
        target = Target(*where, self.key, version, tuple(config.dps.values()), self._device22)
        line = Line(target, patience_s)
        try:
            async with asyncio.timeout(patience_s * _MARGIN):
                result = await self._context.call(act, line)
        except TimeoutError:
            fact = f"no answer in {patience_s:.1f} s ({config.address}:{config.port})"
            raise Failed(
                Unreachable, fact, "check its power and Wi-Fi, and the name of it if `address` is one"
            ) from None
        finally:
            line.drop()
        self._device22 = self._device22 or line.found_out
        return result

    # --------------------------------------------------------------------------------------------------------- version

    @property
    def version(self) -> str:
        """The version that it is known to speak; "" where none is."""
        if self._config.version != "auto":
            return self._config.version
        known = self._context.store.get("version")
        return known if known in VERSIONS else ""

    def _versions(self) -> tuple[str, ...]:
        if self.version and (self._config.version != "auto" or self._doubts < DOUBTS):
            return (self.version,)
        start = self._next % len(VERSIONS)
        return VERSIONS[start:] + VERSIONS[:start]

    async def _proven(self, version: str) -> None:
        self._doubts = 0
        if version != self.version:
            await self._context.store.put("version", version)
            self._next = VERSIONS.index(version)

    # ------------------------------------------------------------------------------------------------------------- key

    @property
    def key(self) -> str:
        """The local key: the config's, or a newer one from the cloud. Raises Failed for what can't be one."""
        given = self._context.secret(self._config.key).strip()
        kept = self._context.store.get("key")
        if isinstance(kept, dict) and kept.get("for") == _mark(given) and isinstance(kept.get("key"), str):
            return str(kept["key"])
        if not usable(given):
            cure = f'put it into the secret "{self._config.key.secret}" anew, without quotes or a line feed in it'
            raise Failed(Refused, f"the local key has {len(given)} characters instead of 16", cure)
        return given

    async def adopt(self, key: str) -> bool:
        """Use the cloud's key from now on, if it is another one; whether it is."""
        given = self._context.secret(self._config.key).strip()
        if not usable(key) or key == (self.key if usable(given) else given):
            return False
        await self._context.store.put("key", {"for": _mark(given), "key": key})
        self._context.record("the plug has a new local key, by Tuya's cloud: it is used from now on")
        return True

    def remind(self) -> None:
        """Tell what its owner has to put into the config, as long as it isn't there."""
        self._tell_of_key()
        failed = self._toggled() if self._toggles else None
        text = "" if failed is None else failed.fact
        finding = None if failed is None else Finding(severity=Severity.WARNING, text=text, cure=failed.cure)
        self._context.tell("toggles", finding)

    def _tell_of_key(self) -> None:
        """A key of the cloud's that is in use is told as long as the config has another one."""
        kept = self._context.store.get("key")
        given = self._context.secret(self._config.key).strip()
        old = isinstance(kept, dict) and kept.get("for") == _mark(given) and kept.get("key") != given
        text = "the plug was paired again, so its local key has changed; pimgr uses the new one from Tuya's cloud"
        cure = f'put the new key into the secret "{self._config.key.secret}", as docs/plugins/tuya.md shows'
        finding = Finding(severity=Severity.WARNING, text=text, cure=cure) if old else None
        self._context.tell("key", finding)

    # ------------------------------------------------------------------------------------------ plugs that looks switch

    async def _watch(self, dps: dict[str, Any]) -> None:
        """Notice a plug that each look switches, as some old 3.1 ones do (tinytuya#13)."""
        states = {dp: dps.get(dp) for dp in self._config.dps.values()}
        flipped = bool(self._seen) and all(states[dp] is (not self._seen[dp]) for dp in states)
        self._flips = self._flips + 1 if flipped else 0
        self._seen = states
        if self._flips >= TOGGLES:
            await self._context.store.put("toggles", True)
            self.remind()
            raise self._toggled()

    @property
    def _toggles(self) -> bool:
        """Whether it was found to be switched by looks, and its owner doesn't know yet."""
        return self._context.store.get("toggles") is True and not self._config.quiet

    def _toggled(self) -> Failed:
        fact = "each look at it switches it, as with some old plugs of version 3.1: it isn't asked any more"
        cure = "set quiet = true, with the cloud_ keys; or replace the plug"
        return Failed(Unsupported, fact, cure)


def _mark(key: str) -> str:
    """Tells one config's key from another's, without holding it."""
    return hashlib.sha256(f"pimgr tuya {key}".encode()).hexdigest()[:16]
