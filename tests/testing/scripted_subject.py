"""Scripted devices as subjects of the contract suite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pimgr import api
from pimgr.testing import Fault, Subject, Trouble, Vendor, World
from pimgr.testing.bench import CONNECTION
from pimgr.testing.scripted import DEVICE_TYPES

PASSWORD = "the-right-password"
TYPES = {device_type.name: device_type for device_type in DEVICE_TYPES}
QUICK = api.Deadlines(read_s=0.1, switch_s=0.1, cloud_s=0.1, shut_down_s=0.1)
FAULTS = {
    Trouble.NONE: Fault.NONE,
    Trouble.UNREACHABLE: Fault.UNREACHABLE,
    Trouble.SILENT: Fault.HANG,
    Trouble.GARBAGE: Fault.GARBLED,
}


def scripted(
    kind: str,
    device_type: api.DeviceType[Any] | None = None,
    *,
    plugin: str = "pimgr.testing.scripted",
    commands: bool = True,
    unsupported: tuple[tuple[str, str, tuple[Any, ...]], ...] = (),
    **config: object,
) -> Subject:
    """A scripted device with a password; `device_type`: a broken one instead."""
    return Subject(
        plugin=plugin,
        device_type=device_type or TYPES[f"scripted.{kind}"],
        vendor=lambda: _house(config),
        secrets={"pw": PASSWORD},
        wrong_secrets={"pw": "a-wrong-password"},
        deadlines=QUICK,
        commands=commands,
        unsupported=unsupported,
        settle_s=0.2,
    )


@asynccontextmanager
async def _house(config: Mapping[str, object]) -> AsyncIterator[Vendor]:
    world = World("contract")
    world.set_password(CONNECTION, PASSWORD)
    world.set_power(grid_w=1200.0, solar_w=0.0, battery_w=-300.0, load_w=900.0)
    troubles = {trouble: _doing(world, fault) for trouble, fault in FAULTS.items()}
    yield Vendor(config={"world": "contract", "password": {"secret": "pw"}, **config}, troubles=troubles)
    world.close()


def _doing(world: World, fault: Fault) -> Any:
    return lambda: world.fault(CONNECTION, fault)
