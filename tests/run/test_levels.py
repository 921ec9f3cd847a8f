"""A car that charges: lowered in an outage, given back to its level, also by the process that starts after a kill."""

from __future__ import annotations

from pathlib import Path

from pimgr.api import Grid
from pimgr.replay import replay
from tests.run.rig import TIERS, Box, config, table, virtually

WITH_CAR = TIERS.replace('"pump", ', '"car", "pump", ')


def garage(folder: Path) -> Box:
    box = Box(folder)
    car = table("car", "scripted.charger", world="WORLD")
    box.write(
        config("WORLD", car, "[loads.car]\nshed_to = 6\n", tiers=WITH_CAR, grid='sources = ["gateway"]\nsettle = "10s"')
    )
    return box


def test_a_charger_is_lowered_and_given_back_to_the_level_that_was_read(tmp_path: Path) -> None:
    async def main() -> None:
        box = garage(tmp_path)
        async with box.on():
            await box.until(lambda: any(p.part == "car" and p.state == "at 10" for p in box.view().parts))
            await box.outage()
            await box.until(lambda: box.taken("car"))
            assert box.wishes("car") == ["level 6.0"]
        async with box.on():
            assert box.taken("car"), "a restart forgets nothing"
            box.world.set_grid(Grid.UP)
            await box.until(lambda: not box.claims(), 120.0)
            assert box.wishes("car") == ["level 6.0", "level 10.0"]
            assert next(p for p in box.view().parts if p.part == "car").state == "at 10"
        last = replay(box.state, 0).seq
        results = [replay(box.state, n) for n in range(1, last + 1)]
        assert all(result.same for result in results)
        assert any("car to be at 6" in line for result in results for line in result.lines)

    virtually(main())
