"""What breaks around the decisions: plugins, disk, mail. It is told, and the house is protected all the same."""

from __future__ import annotations

import asyncio
import errno
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pimgr.api import Capability, Context, Grid, LoadReading, Message, Refused, Severity, Unreachable, hookimpl
from pimgr.journal import read_state
from pimgr.stall import Hang, remember
from pimgr.testing import Fault
from tests.run.rig import TIERS, Box, config, plugin, table, virtually
from tests.shell.rig import Odd

WITH_WELL = TIERS.replace('"pump", ', '"well", "pump", ')


def well(kind: str = "odd.plug") -> str:
    return config("WORLD", table("well", kind), tiers=WITH_WELL)


# ------------------------------------------------------------------------------------------------------------ plugins


def _raising_hook() -> Any:
    def pimgr_device_types() -> Any:
        raise RuntimeError("boom \x1b[31m")

    return SimpleNamespace(pimgr_device_types=hookimpl(pimgr_device_types))


class _NoModule(ModuleType):
    """As a plugin whose import failed half way: it has no hook."""


@pytest.mark.parametrize("broken", [_raising_hook(), _NoModule("nothing"), None, SimpleNamespace(pimgr_device_types=3)])
def test_a_plugin_that_does_not_load_is_told_and_the_rest_protects(tmp_path: Path, broken: Any) -> None:
    async def main() -> None:
        box = Box(tmp_path, plugins={"odd": broken})
        box.write(well())
        async with box.on():
            await box.outage()
            line = next(c for c in box.view().connections if c.id == "well")
            assert line.health == "not loaded"
            assert line.reason
            assert "well" in box.trouble()
            await box.until(lambda: any("config" in mail for mail in box.mails()))

    virtually(main())


@pytest.mark.parametrize("error", [RuntimeError("boom"), SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError()])
def test_a_plugin_whose_open_raises_is_told_and_the_rest_protects(tmp_path: Path, error: BaseException) -> None:
    async def main() -> None:
        odd = Odd()

        async def opening(_context: Context) -> None:
            raise error

        odd.opening = opening
        box = Box(tmp_path, plugins={"odd": plugin(odd.type(floor_s=0.1))})
        box.write(well())
        async with box.on():
            await box.outage()
            line = next(c for c in box.view().connections if c.id == "well")
            assert line.health == "lost"
            assert "its plugin failed" in line.reason

    virtually(main())


def test_a_plugin_that_hung_the_box_twice_is_left_out_and_told_but_never_that_of_the_grid(tmp_path: Path) -> None:
    async def main() -> None:
        odd = Odd()
        box = Box(tmp_path, plugins={"odd": plugin(odd.type(floor_s=0.1))})
        box.write(well())
        for name in ("odd", "scripted"):
            for _ in range(2):
                remember(box.state, Hang(name, box.clock.now().wall, "plug.py:7"))
        async with box.on():
            await box.outage()
            assert odd.opens == 0
            assert "plug.py:7" in box.trouble()
            line = next(c for c in box.view().connections if c.id == "well")
            assert line.health == "not loaded"
            await box.until(lambda: "The plugin odd is left out" in box.mails())
            assert not [m for m in box.mails() if "scripted" in m]
        await asyncio.sleep(7200.0)
        async with box.on():
            await box.until(lambda: "well" in box.claims(), 30.0)
            assert odd.opens == 1
            await box.until(lambda: "Over: The plugin odd is left out" in box.mails())

    virtually(main())


@pytest.mark.parametrize("what", ["policy", "journal"])
def test_a_decision_that_raises_ends_the_process_with_everything_owed_on_record(tmp_path: Path, what: str) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        await box.start()
        await box.outage()
        if what == "policy":
            box.supervisor.loop.swap(None)  # type: ignore[arg-type]
        else:
            box.supervisor.loop.wiring.commit = None  # type: ignore[assignment]
            box.world.person("pump", True)
        assert await box.running == 70
        await box.journal.close()
        assert {claim.part for claim in read_state(box.state).claims} == {"pump", "boiler"}

    virtually(main())


def test_devices_whose_names_are_not_resolved_delay_nothing_else(tmp_path: Path) -> None:
    """Real time: each of 12 plugins hangs in a look-up on the thread that the host gave it."""

    async def main() -> None:
        async def read(context: Context) -> Any:
            await context.call(time.sleep, 4.0)
            return LoadReading(at=context.now(), source="slow", on=True)

        odd = Odd(read=read)
        box = Box(tmp_path, plugins={"odd": plugin(odd.type(floor_s=0.1))})
        names = [f"slow-{n}" for n in range(12)]
        tiers = TIERS.replace('"pump", ', '"pump", ' + "".join(f'"{name}", ' for name in names))
        grid = 'sources = ["gateway"]\npoll = "100ms"\nconfirm = "0s"'
        box.write(config("WORLD", *(table(name, "odd.plug") for name in names), tiers=tiers, grid=grid))
        async with box.on():
            await asyncio.sleep(0.3)
            assert odd.opens == 12
            assert await box.outage() < 1.0

    asyncio.run(main())


# -------------------------------------------------------------------------------------------------------------- disk


class Disk:
    """Fails while `full` is set."""

    full = False

    def __call__(self) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_stops_no_shedding_is_told_and_heals(tmp_path: Path) -> None:
    async def main() -> None:
        disk, box = Disk(), Box(tmp_path)
        async with box.on(disk):
            await asyncio.sleep(10.0)
            disk.full = True
            assert await box.outage() < 10.0
            assert "No space left" in box.trouble()
            await box.until(lambda: "The memory card does not take what pimgr writes" in box.mails())
            await asyncio.sleep(600.0)
            disk.full = False
            await box.until(lambda: box.trouble() == "", 40.0)
            assert [claim.part for claim in read_state(box.state).claims] == ["pump", "boiler"]
            await box.until(lambda: "Over: The memory card does not take what pimgr writes" in box.mails(), 120.0)
            assert len([m for m in box.mails() if "memory card" in m]) == 2

    virtually(main())


def test_started_on_a_full_disk_it_says_so_and_protects(tmp_path: Path) -> None:
    async def main() -> None:
        disk, box = Disk(), Box(tmp_path)
        disk.full = True
        async with box.on(disk):
            await box.outage()
            assert "memory card" in box.trouble()
            await box.until(lambda: any("memory card" in mail for mail in box.mails()), 120.0)

    virtually(main())


def test_a_token_that_the_disk_does_not_take_fails_no_device_and_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        disk, box = Disk(), Box(tmp_path)
        seen: list[Any] = []

        async def read(context: Context) -> Any:
            await context.store.put("token", "rotated")
            seen.append(context.store.get("token"))
            return LoadReading(at=context.now(), source="well", on=False)

        box.plugins["odd"] = plugin(Odd(read=read).type(floor_s=0.1))
        box.write(well())
        async with box.on(disk):
            disk.full = True
            await asyncio.sleep(100.0)
            assert seen[-1] == "rotated"
            assert next(c for c in box.view().connections if c.id == "well").health == "ok"
            assert "what it keeps (token) is in memory only" in box.trouble()
            disk.full = False
            await box.until(lambda: box.trouble() == "", 100.0)

    virtually(main())


# -------------------------------------------------------------------------------------------------------------- mail


def test_mails_of_an_outage_arrive_once_and_in_order_after_the_mail_server_is_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with Box(tmp_path).on() as box:
            box.world.fault("mail", Fault.UNREACHABLE)
            await box.outage()
            box.world.set_charge(40.0)
            await box.until(lambda: box.taken("heater"))
            box.world.set_grid(Grid.UP)
            await box.until(lambda: not box.claims(), 500.0)
            await asyncio.sleep(3600.0)
            assert box.mails() == []
            box.world.fault("mail", Fault.NONE)
            await box.until(lambda: len(box.mails()) >= 4, 1900.0)
            await asyncio.sleep(600.0)
            assert [m.split(":")[0] for m in box.mails()] == [
                "The grid is down",
                "Battery at 40 %",
                "The grid is back",
                "Everything was given back",
            ]

    virtually(main())


def test_mail_that_waits_survives_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        async with box.on():
            box.world.fault("mail", Fault.UNREACHABLE)
            await box.outage()
        box.world.fault("mail", Fault.NONE)
        async with box.on():
            await box.until(lambda: box.turns() == ["The grid is down"])
            await asyncio.sleep(600.0)
            assert box.turns() == ["The grid is down", "Off as planned"]

    virtually(main())


def test_a_refused_password_is_told_and_keeps_nothing_from_protecting(tmp_path: Path) -> None:
    async def main() -> None:
        async with Box(tmp_path).on() as box:
            box.world.set_password("mail", "another")
            assert await box.outage() < 10.0
            await box.until(lambda: next(c for c in box.view().connections if c.id == "mail").health == "lost")
            assert "wrong password" in next(c for c in box.view().connections if c.id == "mail").reason
            box.world.set_grid(Grid.UP)
            await box.until(lambda: not box.claims(), 400.0)

    virtually(main())


def test_one_mailbox_that_is_gone_keeps_nothing_from_the_other(tmp_path: Path) -> None:
    async def main() -> None:
        dead, tries = Odd(), list[str]()

        async def send(_context: Context, message: Message) -> None:
            tries.append(message.subject.split(":")[0])
            raise Unreachable("post", "to be told", "no answer")

        box = Box(tmp_path, plugins={"odd": plugin(_notifier(dead, send))})
        box.write(config("WORLD", table("a-post", "odd.post")))
        async with box.on():
            await box.outage()
            box.world.set_charge(40.0)
            await box.until(lambda: len(box.mails()) == 2, 60.0)
            box.world.set_grid(Grid.UP)
            await box.until(lambda: len(box.mails()) == 4, 500.0)
            await asyncio.sleep(3600.0)
            assert len(box.mails()) == 4, "each once, though the other still waits"
            assert len(await box.journal.pending_mail()) == 4
            assert set(tries) == {"The grid is down"}, "in order: the first one first"
            assert 5 <= len(tries) <= 15, "ever more rarely"

    virtually(main())


def test_a_message_that_is_refused_again_and_again_holds_up_no_other(tmp_path: Path) -> None:
    async def main() -> None:
        tries, taken, picky = list[str](), list[str](), [True]

        async def send(_context: Context, message: Message) -> None:
            tries.append(message.subject.split(":")[0])
            if picky and tries[-1] == "The grid is down":
                raise Refused("post", "to be told", "no such recipient")
            taken.append(tries[-1])

        box = Box(tmp_path, plugins={"odd": plugin(_notifier(Odd(), send))})
        box.write(config("WORLD", table("post", "odd.post"), mail=False))
        async with box.on():
            await box.outage()
            box.world.set_charge(40.0)
            await box.until(lambda: tries.count("The grid is down") == 2, 60.0)
            assert taken == [], "it may be taken the next time, and the order is kept"
            off = ["Battery at 40 %", "Everything is off that may go off"]
            await box.until(lambda: taken == off, 400.0)
            assert tries.count("The grid is down") == 3
            box.world.set_grid(Grid.UP)
            await box.until(lambda: taken[2:] == ["The grid is back", "Everything was given back"], 500.0)
            await asyncio.sleep(7200.0)
            assert 5 <= tries.count("The grid is down") <= 12, "offered again, ever more rarely"
            assert len(taken) == 4
            picky.clear()
            await box.until(lambda: taken[4:] == ["The grid is down"], 2000.0)

    virtually(main())


def test_mail_waits_while_the_plugin_that_carries_it_is_broken(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path, plugins={"odd": _raising_hook()})
        box.write(config("WORLD", table("post", "odd.post"), mail=False))
        async with box.on():
            await box.outage()
            await asyncio.sleep(600.0)
            waiting = [mail.message.subject for mail in await box.journal.pending_mail()]
            assert any(subject.startswith("The grid is down") for subject in waiting)

    virtually(main())


def _notifier(odd: Odd, send: Any) -> Any:
    from contextlib import asynccontextmanager

    class Part:
        def __init__(self, context: Context) -> None:
            self.context = context

        async def send(self, message: Message) -> None:
            await send(self.context, message)

    @asynccontextmanager
    async def opens(_config: Any, context: Context) -> Any:
        yield SimpleNamespace(parts={"": Part(context)})

    return odd.type(name="odd.post", provides=lambda _config: {"": frozenset({Capability.NOTIFIER})}, open=opens)


# -------------------------------------------------------------------------------------------------------------- grid


def test_a_grid_that_nobody_hears_is_told_after_three_minutes_and_once_each_way(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        async with box.on():
            box.world.fault("gateway", Fault.UNREACHABLE)
            await asyncio.sleep(170.0)
            assert box.trouble() == ""
            await box.until(lambda: "The grid can't be seen" in box.trouble(), 30.0)
            assert "NOT noticed" in box.trouble()
            assert "gateway: " in box.trouble()
            await asyncio.sleep(600.0)
        async with box.on():
            await asyncio.sleep(300.0)
            assert box.mails() == ["The grid can't be seen"], "once, also across a restart"
            assert box.world.messages()[0].severity is Severity.CRITICAL
            box.world.fault("gateway", Fault.NONE)
            await box.until(lambda: "Over: The grid can't be seen" in box.mails(), 400.0)
            assert box.trouble() == ""

    virtually(main())


def test_a_grid_that_never_answered_since_the_start_is_told_after_three_minutes(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        box.world.fault("gateway", Fault.UNREACHABLE)
        async with box.on():
            await asyncio.sleep(170.0)
            assert box.trouble() == ""
            await box.until(lambda: "The grid can't be seen" in box.mails(), 60.0)

    virtually(main())
