"""Device types of a simulated house: they say what a thing draws and when, and are never opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

from msgspec import Meta

from pimgr import api
from pimgr.api import Capability, Config

Power = Annotated[float, Meta(ge=0.0, le=100_000.0)]
NAME = "sim"


class Gateway(Config, kw_only=True):
    """Battery and sun: `power_w` both ways, `solar_w` of the panels, `base_w` the mean of what no plug switches.

    `surge`: times its power that the battery bears for ten seconds. Source: Tesla, Powerwall 2 datasheet (5 and 7 kW).
    """

    power_w: Power = 10_000.0
    solar_w: Power = 8_000.0
    base_w: Power = 550.0
    surge: Annotated[float, Meta(ge=1.0, le=5.0)] = 1.4


class Plug(Config, kw_only=True):
    """`use`: one of `pimgr.simulate.uses.USES`; `outlets`: of a strip, each drawing `watts`."""

    watts: Power = 60.0
    use: str = "always"
    outlets: Annotated[int, Meta(ge=0, le=24)] = 0


class Host(Config, kw_only=True):
    """A machine: how long it takes to shut down and to start."""

    watts: Power = 60.0
    shutdown_s: Annotated[float, Meta(ge=0.0, le=3600.0)] = 25.0
    boot_s: Annotated[float, Meta(ge=0.0, le=3600.0)] = 60.0


class Charger(Config, kw_only=True):
    """A car's charger: `amps` at `volts` while it charges."""

    amps: Annotated[float, Meta(ge=0.0, le=200.0)] = 32.0
    volts: Annotated[float, Meta(ge=100.0, le=500.0)] = 240.0
    use: str = "car"


class Thermostat(Config, kw_only=True):
    """`watts`: of its heat pump; `feeder`: the plug or contactor through which that is fed, if any. Degrees in C."""

    watts: Power = 3_000.0
    feeder: str = ""
    cool: float = 23.5
    heat: float = 19.5


class Nothing(Config, kw_only=True):
    """No setting."""


@asynccontextmanager
async def _open(config: Config, context: api.Context) -> AsyncIterator[api.Connection]:
    raise api.Unsupported(context.connection, "open", "it exists in simulations only", "use a real device type")
    yield  # type: ignore[unreachable]  # what makes it a generator


def _type(name: str, summary: str, config: type[Config], *can: Capability) -> api.DeviceType[Any]:
    def provides(config: Config) -> Mapping[str, frozenset[Capability]]:
        outlets = config.outlets if isinstance(config, Plug) else 0
        return {key: frozenset(can) for key in [str(n) for n in range(1, outlets + 1)] or [""]}

    return api.DeviceType(name=f"{NAME}.{name}", summary=summary, config=config, provides=provides, open=_open)


@api.hookimpl
def pimgr_device_types() -> Sequence[api.DeviceType[Any]]:
    """What stands in a simulated house."""
    return (
        _type(
            "gateway",
            "A simulated battery with its gateway",
            Gateway,
            Capability.GRID_SOURCE,
            Capability.SITE_METER,
            Capability.SITE_CONTROL,
        ),
        _type("plug", "A simulated plug", Plug, Capability.LOAD),
        _type("host", "A simulated machine", Host, Capability.HOST),
        _type("charger", "A simulated charger", Charger, Capability.GRADED_LOAD),
        _type("thermostat", "A simulated thermostat", Thermostat, Capability.THERMOSTAT),
        _type("forecast", "A simulated forecast", Nothing, Capability.FORECAST),
        _type("mail", "A simulated letterbox", Nothing, Capability.NOTIFIER),
    )
