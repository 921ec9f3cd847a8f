"""The supervisor as a process: its memory, how long it takes to get ready, and what of that is imports."""

from __future__ import annotations

import asyncio
import os
import re
import statistics
from collections import Counter
from contextlib import AsyncExitStack

from bench.box import PATIENCE_S, folder
from bench.figures import Figure, spread
from bench.machine import status_mib
from pimgr.demo.full import full
from pimgr.demo.plan import build_house, config_text
from pimgr.demo.stage import Stage
from pimgr.demo.tables import Writer
from pimgr.house import House

PLAN = full(pace=3.5)
"""The full house: every plugin, every kind of device. Only its times are shortened."""
IDLE_S = 5.0
READ_BY_ALL = {
    "gateway": "query",
    "tesla": "query",
    "ev-charger": "query",
    "pool-pump": "query",
    "strip": "query",
    "spa": "query",
    "workshop": "query",
    "nas": "query",
    "sun": "query",
    "office-pc": "query",
    "climate": "query",
    "weather": "query",
    "phone": "message",
    "mail": "mail",
}
"""By device, what its plugin did on the wire, so that all of its libraries are in memory."""
_IMPORT = re.compile(r"^import time:\s*(\d+) \|\s*\d+ \|\s*(\S+)", re.MULTILINE)


async def demo_house(stack: AsyncExitStack) -> tuple[House, Stage]:
    """The rehearsal's house with its config written, and no supervisor yet."""
    path = stack.enter_context(folder("house"))
    house, key = build_house(PLAN, path / "wire.jsonl")
    await stack.enter_async_context(house)
    ca_file = path / "house-ca.pem"
    ca_file.write_text(house.ca_pem, encoding="utf-8")
    stage = Stage(path)
    stack.push_async_callback(stage.close)
    stage.write(config_text(PLAN, house, ca_file), Writer(house, ca_file).secrets(key))
    return house, stage


# ----------------------------------------------------------------------------------------------------------- memory


async def memory(quick: bool) -> list[Figure]:
    """After an outage in which every plugin did all it can: what is resident then stays."""
    seen = []
    for _ in range(1 if quick else 3):
        async with AsyncExitStack() as stack:
            house, stage = await demo_house(stack)
            await stage.start()
            assert stage.process is not None
            await asyncio.sleep(IDLE_S)
            ready = status_mib(stage.process.pid)
            await _outage(house)
            await asyncio.sleep(IDLE_S)
            seen.append((ready, status_mib(stage.process.pid)))
    after = [then["VmRSS"] for _, then in seen]
    return [
        Figure(
            name="memory",
            what="VmRSS of the supervisor with every plugin open, after an outage (worst of n)",
            value=max(after),
            unit="MiB",
            n=len(seen),
            limit=110.0,
            spread=spread(after),
            detail={
                "before_the_outage_mib": spread([ready["VmRSS"] for ready, _ in seen]),
                "peak_mib": spread([then["VmHWM"] for _, then in seen]),
                "of_it_anonymous_mib": spread([then["RssAnon"] for _, then in seen]),
            },
        )
    ]


async def _outage(house: House) -> None:
    """Plugs off, the machine shut down and woken, mails sent, all given back."""
    mark = len(house.wire)
    house.grid_up(False)
    await house.wire.wait_for(lambda e: e.device == "ev-charger" and e.what == "truth", PATIENCE_S, since=mark)
    house.set_charge(PLAN.charge_after)
    await house.wire.wait_for(lambda e: e.device == "nas" and e.what == "shut_down", PATIENCE_S, since=mark)
    up_mark = len(house.wire)
    house.grid_up(True)
    await house.wire.wait_for(lambda e: e.device == "nas" and e.what == "wake", PATIENCE_S, since=up_mark)
    for device, what in READ_BY_ALL.items():
        await house.wire.wait_for(
            lambda e, device=device, what=what: e.device == device and e.what == what,  # type: ignore[misc]
            PATIENCE_S,
        )


# ------------------------------------------------------------------------------------------------------------ start


async def start(quick: bool) -> list[Figure]:
    """Again and again, as after a crash: with a journal, and with libraries in the page cache."""
    async with AsyncExitStack() as stack:
        _, stage = await demo_house(stack)
        await _started(stage)
        took = [await _started(stage) for _ in range(4 if quick else 20)]
        shares = [await _import_share(stage) for _ in range(2 if quick else 6)]
    share = statistics.median(share for share, _ in shares)
    seen = spread(took)
    packages: Counter[str] = sum((packages for _, packages in shares), Counter())
    return [
        Figure(
            name="start",
            what="process start to READY=1 on the notify socket (median)",
            value=seen["median"],
            unit="s",
            n=len(took),
            spread=seen,
            detail={
                "import_share": round(share, 2),
                "imports_ms": {name: round(us / len(shares) / 1e3, 1) for name, us in packages.most_common(12)},
            },
        )
    ]


async def _started(stage: Stage) -> float:
    took = await stage.start()
    await stage.kill()
    return took


async def _import_share(stage: Stage) -> tuple[float, Counter[str]]:
    """What of the time until READY was spent in imports, by the interpreter's own count; and µs by package."""
    before = len(stage.log_text())
    os.environ["PYTHONPROFILEIMPORTTIME"] = "1"
    try:
        took = await stage.start()
    finally:
        del os.environ["PYTHONPROFILEIMPORTTIME"]
    text = stage.log_text()[before:]
    await stage.kill()
    packages: Counter[str] = Counter()
    for us, module in _IMPORT.findall(text):
        packages[module.partition(".")[0]] += int(us)
    return packages.total() / 1e6 / took, packages
