"""How a server gets into the house: one `ServerKind` per sort of device, built in or from another distribution.

A distribution adds a sort of device by an entry point in the group ``pimgr.house``. Its name is the kind as written in
a scenario, ``kind = "thermostat"``; its value is a `ServerKind`. The built-in servers come the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

from msgspec import Meta

from pimgr.api import Config
from pimgr.house.faults import Fault

if TYPE_CHECKING:
    from pimgr.house.house import House

GROUP = "pimgr.house"

Port = Annotated[int, Meta(ge=0, le=65535)]
"""A TCP or UDP port on loopback; 0 means any free one."""
Power = Annotated[float, Meta(ge=0.0, le=1e6)]
"""W."""
Seconds = Annotated[float, Meta(ge=0.0, le=1e6)]


class DeviceSpec(Config, kw_only=True):
    """What every device of a scenario has. `fault`: how it misbehaves from the start."""

    id: Annotated[str, Meta(min_length=1, pattern="^[^/]+$")]
    kind: str
    port: Port = 0
    fault: Fault = Fault.NONE


class LoadSpec(Config):
    """Something that draws power where a device switches it."""

    watts: float
    on: bool = True


SpecT = TypeVar("SpecT", bound=DeviceSpec)


def _no_loads(_config: Any) -> Mapping[str, LoadSpec]:
    return {}


@dataclass(frozen=True, kw_only=True)
class ServerKind(Generic[SpecT]):
    """One sort of device in the house."""

    kind: str
    """As written in a scenario."""
    config: type[SpecT]
    """Its keys in a scenario; a `DeviceSpec` with more fields."""
    serve: Callable[[SpecT, House], AbstractAsyncContextManager[None]]
    """Serves until it is left. Opens its ports by `House.listening` and tells what it hears to `House.wire`."""
    loads: Callable[[SpecT], Mapping[str, LoadSpec]] = _no_loads
    """What it switches, by part: "" is the device itself, "3" the third outlet."""
    faults: frozenset[Fault] = frozenset()
    """The answers of its own that it can give, beyond the faults that every device has."""
    mains: bool = False
    """Without light it is gone, as a plug is; a gateway has its own power, a machine tells for itself."""
    internet: bool = False
    """It stands in the internet, not in the house: `House.internet_up` takes all of these away at once."""


BUILT_IN = {
    name: EntryPoint(name, f"pimgr.house.{module}:KIND", GROUP)
    for name, module in {
        "gateway": "gateway",
        "honeywell": "honeywell",
        "kasa": "kasa",
        "mail": "mail",
        "ntfy": "ntfy",
        "peer": "peer",
        "ssh": "ssh",
        "tesla": "tesla",
        "tuya": "tuya",
        "tuya-cloud": "tuya_cloud",
        "weather": "weather",
    }.items()
}


def kind_names() -> list[str]:
    """Every kind that a scenario may name here."""
    return sorted({*BUILT_IN, *(entry.name for entry in entry_points(group=GROUP))})


def find_kind(name: str) -> ServerKind[Any]:
    """The kind of this name. Raises LookupError where no distribution offers it; only the named one is imported."""
    entries = [BUILT_IN[name]] if name in BUILT_IN else [*entry_points(group=GROUP, name=name)]
    if not entries:
        raise LookupError(name)
    found: ServerKind[Any] = entries[0].load()
    return found
