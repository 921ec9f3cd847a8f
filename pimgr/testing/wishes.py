"""What the contract suite wishes of each kind of part, and how it sees that the wish came true."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Coroutine
from typing import Any

from pimgr import api
from pimgr.api import Capability
from pimgr.testing.bench import Bench, run_bounded
from pimgr.testing.subject import Broken

Fits = Callable[[Any], bool]

SETTINGS: tuple[tuple[str, str, tuple[Any, Any]], ...] = (
    ("set_reserve", "reserve", (30.0, 20.0)),
    ("set_mode", "mode", (api.SiteMode.BACKUP, api.SiteMode.SELF_CONSUMPTION)),
    ("set_grid_charging", "grid_charging", (False, True)),
    ("set_storm_watch", "storm_watch", (False, True)),
)
"""A site's commands, where a reading shows their effect, and what is asked for."""


async def _told(call: Coroutine[Any, Any, None], wish: str) -> bool:
    """Give a command to a healthy device; whether it can do it at all."""
    try:
        await call
    except api.Unsupported:
        return False
    except Exception as error:
        raise Broken(f"{wish} raised {error!r}, on a healthy device") from error
    return True


async def _becomes(bench: Bench, read: Callable[[], Coroutine[Any, Any, Any]], fits: Fits) -> Any:
    """The reading once it fits; Broken after the subject's `settle_s`."""
    until = time.monotonic() + bench.subject.settle_s
    while not fits(reading := await read()):
        if time.monotonic() > until:
            raise Broken(f"twice told, it reads {reading}")
        await asyncio.sleep(0.05)
    return reading


def _reads(field: str, wanted: object) -> Fits:
    """Whether a reading shows it in this field, or can't tell."""

    def fits(reading: Any) -> bool:
        found = getattr(reading, field)
        if isinstance(found, float) and isinstance(wanted, float):
            return math.isclose(found, wanted, abs_tol=1e-6)
        return found is None or found == wanted

    return fits


async def _switch(bench: Bench, load: Any) -> None:
    found = (await load.read_load()).on
    for on in (not found, found):
        for _ in range(2):
            await _told(load.switch(on), f"switch({on})")
        await _becomes(bench, load.read_load, _reads("on", on))


async def _control(bench: Bench, site: Any) -> None:
    for name, field, values in SETTINGS:
        for value in values:
            can = [await _told(getattr(site, name)(value), f"{name}({value})") for _ in range(2)]
            if all(can) and hasattr(site, "read_site"):
                await _becomes(bench, site.read_site, _reads(field, value))


async def _grade(bench: Bench, load: Any) -> None:
    found = (await load.read_level()).level
    for level in bench.subject.levels or (0.0, found):
        can = [await _told(load.set_level(level), f"set_level({level})") for _ in range(2)]
        if all(can):
            await _becomes(bench, load.read_level, _reads("level", level))


async def _host(bench: Bench, host: Any) -> None:
    before = await _becomes(bench, host.read_host, lambda reading: reading.up)
    _, error = await run_bounded(host.shut_down("of-another-boot"), 30.0)
    if not isinstance(error, api.Refused | api.Unsupported):
        raise Broken(f"told to shut down only in another boot, it gave {error!r}, not Refused")
    if not (await host.read_host()).up:
        raise Broken("told to shut down only in another boot, it went down")
    if not await _told(host.shut_down(before.boot_id), "shut_down(its boot)"):
        return
    _, error = await run_bounded(host.shut_down(before.boot_id), 30.0)
    if error is not None and not isinstance(error, api.Unreachable | api.Refused):
        raise Broken(f"told to shut down a second time, it raised {error!r}")
    await _becomes(bench, host.read_host, lambda reading: not reading.up)
    if all([await _told(host.wake(), "wake()") for _ in range(2)]):
        old = before.boot_id
        await _becomes(bench, host.read_host, lambda reading: reading.up and (old is None or reading.boot_id != old))


async def _climate(bench: Bench, thermostat: Any) -> None:
    before = await thermostat.read_thermostat()
    wanted = api.Hold(heat=before.hold.heat, cool=before.hold.cool, permanent=True)
    for _ in range(2):
        await _told(thermostat.hold(wanted), "hold(as it is, permanent)")
    points = (wanted.heat, wanted.cool)
    await _becomes(bench, thermostat.read_thermostat, lambda reading: (reading.hold.heat, reading.hold.cool) == points)
    for _ in range(2):
        await _told(thermostat.resume(), "resume()")
    await _becomes(bench, thermostat.read_thermostat, lambda reading: not reading.hold.permanent)


async def _send(bench: Bench, notifier: Any) -> None:
    severity, written = api.Severity.INFO, bench.clock.now().wall
    message = api.Message(key="contract-1", severity=severity, subject="a test", text="two\nlines\n", written=written)
    for _ in range(2):
        await _told(notifier.send(message), "send(the same message)")


WISHES: dict[Capability, Callable[[Bench, Any], Coroutine[Any, Any, None]]] = {
    Capability.LOAD: _switch,
    Capability.SITE_CONTROL: _control,
    Capability.GRADED_LOAD: _grade,
    Capability.HOST: _host,
    Capability.THERMOSTAT: _climate,
    Capability.NOTIFIER: _send,
}
