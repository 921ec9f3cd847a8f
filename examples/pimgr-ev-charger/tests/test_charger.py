"""What a charger's owner expects."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib.metadata import entry_points
from typing import Any

import msgspec
import pytest
from house_on_loopback import HOUSE, charger
from pimgr_ev_charger import CHARGER, ChargerConfig

from pimgr.api import GROUP, Garbled, Refused, Severity
from pimgr.house import Fault, House
from pimgr.testing import FakeContext

OFF, NEUTRAL, ON = 1, 0, 2
Scene = Callable[[House, Any], Awaitable[None]]


def play(scene: Scene, text: str = HOUSE, **config: object) -> None:
    """A scene with a house and an open charger."""

    async def main() -> None:
        async with charger(text) as (house, table):
            typed = msgspec.convert({**table, **config}, ChargerConfig)
            context = FakeContext("car")
            async with CHARGER.open(typed, context) as opened:
                await scene(house, opened)
            context.close()

    asyncio.run(main())


def writes(house: House) -> list[str]:
    """What was set, as it was said."""
    return [entry.raw for entry in house.wire if entry.what == "switch"]


def test_the_house_draws_what_the_car_may_draw() -> None:
    async def scene(house: House, car: Any) -> None:
        before_w = house.world.flows().load_w
        await car.set_level(6.0)
        assert house.world.flows().load_w - before_w == pytest.approx((6 - 16) * 230.0)
        reading = await car.read_level()
        assert (reading.level, reading.power_w) == (6.0, 6 * 230.0)
        await car.set_level(0.0)
        reading = await car.read_level()
        assert (reading.level, reading.power_w) == (0.0, 0.0)

    play(scene)


@pytest.mark.parametrize("found", [NEUTRAL, ON])
def test_an_owner_who_charges_in_any_case_does_so_again_afterwards(found: int) -> None:
    async def scene(house: House, car: Any) -> None:
        for level in (0.0, 0.0, 16.0):
            await car.set_level(level)
        assert house.controls("car").keys["frc"] == found
        house.controls("car").keys["frc"] = NEUTRAL
        await car.set_level(0.0)
        await car.set_level(16.0)
        assert house.controls("car").keys["frc"] == NEUTRAL, "what was so the time before last is no reason"

    play(scene, f"{HOUSE}frc = {found}\n")


def test_nothing_is_written_that_is_so_already() -> None:
    async def scene(house: House, car: Any) -> None:
        await car.set_level(16.0)
        assert writes(house) == []
        await car.set_level(10.0)
        await car.set_level(10.0)
        await car.set_level(0.0)
        await car.set_level(0.0)
        assert writes(house) == ["amp=10", "frc=1"]

    play(scene)


def test_more_than_the_installation_may_draw_is_refused_and_not_sent() -> None:
    async def scene(house: House, car: Any) -> None:
        with pytest.raises(Refused, match="its installation may draw 16 A at most"):
            await car.set_level(20.0)
        assert writes(house) == []

    play(scene, f"{HOUSE}ama = 16\n")


def test_another_charger_at_its_address_is_told_nothing() -> None:
    async def scene(house: House, car: Any) -> None:
        house.new_identity("car")
        with pytest.raises(Garbled, match="another charger"):
            await car.set_level(6.0)
        assert writes(house) == []

    play(scene)


def test_a_charger_without_the_local_api_is_told_from_a_wrong_address() -> None:
    async def scene(house: House, car: Any) -> None:
        house.fault("car", Fault.HTTP_404)
        with pytest.raises(Refused, match="switch on the local HTTP API v2"):
            await car.read_level()
        house.fault("car", Fault.HTTP_401)
        (finding,) = await car.check()
        assert finding.severity is Severity.CRITICAL
        assert "password of its web interface" in finding.cure

    play(scene)


def test_a_model_that_lacks_one_of_the_keys_is_still_read() -> None:
    """It then answers 400, with all the others. Source: goecharger/go-eCharger-API-v2#312."""

    async def scene(house: House, car: Any) -> None:
        reading = await car.read_level()
        assert (reading.level, reading.power_w) == (16.0, None)

    play(scene, f'{HOUSE}lacks = ["nrg"]\n')


@pytest.mark.parametrize("nonsense", ["16", 16.5, True, None, -1, 33])
def test_a_current_that_is_none_is_not_believed(nonsense: object) -> None:
    async def scene(house: House, car: Any) -> None:
        house.controls("car").keys["amp"] = nonsense
        with pytest.raises(Garbled, match="as its amp"):
            await car.read_level()

    play(scene)


def test_check_tells_how_to_be_sure_of_it() -> None:
    async def scene(house: House, car: Any) -> None:
        (finding,) = await car.check()
        assert finding.severity is Severity.INFO
        assert 'add serial = "012345"' in finding.cure
        assert writes(house) == []

    play(scene, serial=None)


@pytest.mark.parametrize(
    ("table", "told"), [({"address": "charger.lan"}, "an IP address"), ({"address": "::1", "port": 0}, "1 to 65535")]
)
def test_a_config_that_cannot_work_is_refused(table: dict[str, object], told: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=told):
        msgspec.convert(table, ChargerConfig)


def test_pimgr_finds_it_by_its_entry_point() -> None:
    (entry,) = entry_points(group=GROUP, name="ev-charger")
    assert entry.load().pimgr_device_types() == (CHARGER,)
