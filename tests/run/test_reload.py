"""A config that changes while pimgr runs, and one that is wrong when it starts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pimgr import api
from pimgr.api import Capability, Context, Grid, LoadReading
from pimgr.testing import Fault
from tests.run.rig import TIERS, Box, config, plugin, table, virtually
from tests.shell.rig import Odd

LOAD = frozenset({Capability.LOAD})


class Port(api.Config):
    port: int = 0


def test_an_invalid_file_is_refused_with_its_errors_and_the_old_one_stays(tmp_path: Path) -> None:
    async def main() -> None:
        async with Box(tmp_path).on() as box:
            before = box.view().config
            box.write(config("WORLD").replace("below = 50", "below = 500").replace('"at once"', '"at once"\nspeed = 3'))
            reply = await box.reload()
            assert not reply.ok
            assert "speed" in reply.text
            assert "500" in reply.text
            assert "stays in force" in reply.text
            await asyncio.sleep(20.0)
            assert box.view().config == before
            await box.outage()

    virtually(main())


def test_an_invalid_file_at_start_runs_the_last_valid_one_says_so_and_mails_once(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        async with box.on():
            pass
        good = box.file.read_text()
        box.file.write_text("version = 1\n[grid]\nsources = [1]\n")
        for _ in range(3):
            async with box.on():
                await asyncio.sleep(10.0)
                assert "The config needs attention" in box.trouble()
        async with box.on():
            await box.outage()
        assert [m for m in box.mails() if "config" in m] == ["The config needs attention"], "once, not at each start"
        box.file.write_text(good)
        async with box.on():
            await asyncio.sleep(10.0)
            assert box.trouble() == ""
        assert "Over: The config needs attention" in box.mails()

    virtually(main())


def test_a_load_that_comes_into_a_tier_is_shed_and_one_that_leaves_it_is_given_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with Box(tmp_path).on() as box:
            await box.outage()
            fan = table("fan", "scripted.load", world="WORLD")
            box.write(config("WORLD", fan, tiers=TIERS.replace('"pump"', '"fan"')))
            reply = await box.reload()
            assert reply.ok, reply.text
            await box.until(lambda: box.taken("fan", "boiler") and "pump" not in box.claims())
            assert box.wishes("pump") == ["off", "on"]
            assert box.wishes("boiler") == ["off"]

    virtually(main())


def test_a_part_that_leaves_the_config_is_still_owed_and_given_back_over_its_open_connection(tmp_path: Path) -> None:
    async def main() -> None:
        odd = Odd()
        box = Box(tmp_path, plugins={"odd": plugin(odd.type(floor_s=0.1))})
        with_odd = config("WORLD", table("well", "odd.plug"), tiers=TIERS.replace('"pump", ', '"pump", "well", '))
        state, switched = {"on": True}, list[bool]()

        async def read(context: Context) -> LoadReading:
            return LoadReading(at=context.now(), source="well", on=state["on"])

        async def switch(_context: Context, on: bool) -> None:
            state["on"] = on
            switched.append(on)

        odd.read, odd.switch = read, switch
        box.write(with_odd)
        async with box.on():
            await box.outage()
            await box.until(lambda: box.taken("well"))
            box.write(config("WORLD"))
            box.world.set_grid(Grid.UP)
            assert (await box.reload()).ok
            assert "well" in box.claims()
            await box.until(lambda: not box.claims(), 400.0)
            assert state["on"]
            assert switched == [False, True]
            assert odd.opens == 1, "its connection stayed open"

    virtually(main())


def test_a_reload_disturbs_no_connection_that_did_not_change(tmp_path: Path) -> None:
    async def main() -> None:
        same, changed = Odd(), Odd()

        def provides(_config: object) -> dict[str, frozenset[Capability]]:
            return {"": LOAD}

        plugins = {
            "odd": plugin(same.type(floor_s=0.1)),
            "port": plugin(changed.type(name="port.plug", config=Port, provides=provides, floor_s=0.1)),
        }
        box = Box(tmp_path, plugins=plugins)
        box.write(config("WORLD", table("well", "odd.plug"), table("fan", "port.plug", port=1)))
        async with box.on():
            await asyncio.sleep(40.0)
            assert (same.opens, changed.opens) == (1, 1)
            box.write(config("WORLD", table("well", "odd.plug"), table("fan", "port.plug", port=2)))
            assert (await box.reload()).ok
            await asyncio.sleep(40.0)
            assert (same.opens, same.closes) == (1, 0)
            assert (changed.opens, changed.closes) == (2, 1)
            polling = 'sources = ["gateway"]\npoll = "3s"'
            box.write(config("WORLD", table("well", "odd.plug"), table("fan", "port.plug", port=2), grid=polling))
            assert (await box.reload()).ok
            await asyncio.sleep(40.0)
            assert (same.opens, changed.opens) == (1, 2), "another rate for the grid concerns the gateway only"

    virtually(main())


def test_what_the_device_of_before_said_does_not_hold_for_the_one_that_is_called_so_now(tmp_path: Path) -> None:
    async def main() -> None:
        there = [True]

        async def read(context: Context) -> LoadReading:
            if not there:
                raise api.Unreachable("well", "a reading", "no answer")
            return LoadReading(at=context.now(), source="well", on=True)

        odd = Odd(read=read)
        box = Box(tmp_path, plugins={"port": plugin(odd.type(name="port.plug", config=Port, floor_s=0.1))})
        tiers = TIERS.replace('"pump", ', '"pump", "well", ')
        box.write(config("WORLD", table("well", "port.plug", port=1), tiers=tiers))
        async with box.on():
            await asyncio.sleep(10.0)
            there.clear()
            box.write(config("WORLD", table("well", "port.plug", port=2), tiers=tiers))
            assert (await box.reload()).ok
            await box.outage()
            await asyncio.sleep(30.0)
            assert "well" not in box.claims(), "how the new one stood before was never read"

    virtually(main())


def test_a_request_that_comes_while_its_connection_is_being_changed_is_answered_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        state = {"on": True}

        async def read(context: Context) -> LoadReading:
            return LoadReading(at=context.now(), source="well", on=state["on"])

        async def switch(_context: Context, on: bool) -> None:
            state["on"] = on

        async def closing(_context: Context) -> None:
            await asyncio.sleep(1.9)

        odd = Odd(read=read, switch=switch, closing=closing)
        box = Box(tmp_path, plugins={"port": plugin(odd.type(name="port.plug", config=Port, floor_s=0.1))})
        tiers = TIERS.replace('"pump", ', '"pump", "well", ')
        grid = 'sources = ["gateway"]\nconfirm = "0s"'
        box.write(config("WORLD", table("well", "port.plug", port=1), tiers=tiers, grid=grid))
        async with box.on():
            await asyncio.sleep(10.1)
            box.write(config("WORLD", table("well", "port.plug", port=2), tiers=tiers, grid=grid))
            box.world.set_grid(Grid.DOWN)
            assert (await box.reload()).ok
            assert "well" in box.claims()
            claim = next(c for c in box.supervisor.loop.state.claims if c.part == "well")
            assert claim.progress.accepted is not None, "it knows that nobody was asked"
            await box.until(lambda: box.taken("well"), 30.0)

    virtually(main())


def test_what_was_taken_from_a_device_is_given_back_to_it_though_its_name_is_anothers_now(tmp_path: Path) -> None:
    async def main() -> None:
        switched: list[tuple[int, bool]] = []
        state = {1: True, 2: True}

        @asynccontextmanager
        async def opens(config: Port, context: Context) -> AsyncIterator[Any]:
            class Part:
                async def read_load(self) -> LoadReading:
                    return LoadReading(at=context.now(), source="well", on=state[config.port])

                async def switch(self, on: bool) -> None:
                    state[config.port] = on
                    switched.append((config.port, on))

            yield SimpleNamespace(parts={"": Part()})

        box = Box(
            tmp_path, plugins={"port": plugin(Odd().type(name="port.plug", config=Port, open=opens, floor_s=0.1))}
        )
        tiers = TIERS.replace('"pump", ', '"pump", "well", ')
        box.write(config("WORLD", table("well", "port.plug", port=1), tiers=tiers))
        async with box.on():
            await box.outage()
            await box.until(lambda: box.taken("well"))
            box.write(config("WORLD", table("well", "port.plug", port=2), tiers=tiers))
            assert (await box.reload()).ok
            await asyncio.sleep(20.0)
            assert "well changed in the config while well is owed" in box.trouble()
            box.world.set_grid(Grid.UP)
            await box.until(lambda: not box.claims(), 400.0)
            assert switched == [(1, False), (1, True)]
            await box.until(lambda: box.trouble() == "", 60.0)
            await box.outage()
            await box.until(lambda: box.taken("well"))
            assert switched[2:] == [(2, False)], "from now on the new one"

    virtually(main())


def test_several_reloads_at_once_come_one_after_the_other(tmp_path: Path) -> None:
    async def main() -> None:
        async def closing(_context: Context) -> None:
            await asyncio.sleep(1.0)

        odd = Odd(closing=closing)
        box = Box(tmp_path, plugins={"port": plugin(odd.type(name="port.plug", config=Port, floor_s=0.1))})
        box.write(config("WORLD", table("well", "port.plug", port=1)))
        async with box.on():
            await asyncio.sleep(10.0)
            box.write(config("WORLD", table("well", "port.plug", port=2)))
            replies = await asyncio.gather(*(box.reload() for _ in range(5)))
            assert all(reply.ok for reply in replies)
            await asyncio.sleep(10.0)
            assert (odd.opens, odd.closes) == (2, 1), "closed and opened by the first, left alone by the others"

    virtually(main())


def test_a_mail_in_mid_sending_is_not_lost_by_a_reload(tmp_path: Path) -> None:
    async def main() -> None:
        box = Box(tmp_path)
        box.write(config("WORLD", mail=False) + table("mail", "scripted.notifier", world="WORLD"))
        async with box.on():
            box.world.fault("mail", Fault.SLOW, seconds=10.0)
            await box.outage()
            await asyncio.sleep(3.0)
            assert box.mails() == []
            box.write(config("WORLD", mail=False) + table("post", "scripted.notifier", world="WORLD"))
            assert (await box.reload()).ok
            await box.until(lambda: box.turns() == ["The grid is down", "Off as planned"], 120.0)

    virtually(main())


def test_a_disk_that_does_not_keep_the_new_config_does_not_stop_the_reload(tmp_path: Path) -> None:
    async def main() -> None:
        async with Box(tmp_path).on() as box:
            kept = box.state / "last-valid.toml"
            kept.unlink()
            kept.mkdir()
            box.write(config("WORLD", tiers=TIERS.replace("below = 50", "below = 60")))
            assert (await box.reload()).ok
            await asyncio.sleep(10.0)
            assert "could not be kept" in box.trouble()
            box.world.set_charge(55.0)
            await box.outage()
            await box.until(lambda: box.taken("heater"))

    virtually(main())
