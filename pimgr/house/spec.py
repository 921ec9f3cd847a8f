"""A scenario: the house and the timeline that is played to it, from TOML, with every error at once.

version = 1
speed = 60.0                      # house seconds per second: a battery falls within a demo minute
base_load_w = 300.0

[[device]]
id = "pool-pump"
kind = "kasa"
watts = 1100.0

[[at]]
t = 5.0                           # s after `House.play`
grid = "SystemIslandedActive"
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec
import tomli
from msgspec import Meta, field

from pimgr.api import Config
from pimgr.house.faults import Fault, FaultTimes
from pimgr.house.kinds import DeviceSpec, Power, Seconds, find_kind, kind_names
from pimgr.house.physics import Battery
from pimgr.text import did_you_mean

VERSION = 1
CONNECTED = "SystemGridConnected"
ISLANDED = "SystemIslandedActive"


class SpecError(ValueError):
    """A scenario that can't be played. `errors` names each key and what is wrong with it."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(self.errors))


class GridSpec(Config):
    """The utility. `returning`: what the gateway says, `return_s` long in all, before the grid is connected again.

    Observed on real systems: about 21 s from the grid's return to the connection (FIELD-NOTES); the default is quicker.
    """

    status: str = CONNECTED
    returning: tuple[str, ...] = ("SystemIslandedReady", "SystemTransitionToGrid")
    return_s: Seconds = 2.0


class Moment(Config, kw_only=True):
    """What happens `t` s after `House.play`; all keys but `t` may be left out.

    `fault`: by device; `person`: hands on switches, by part ("strip/3"); `say`: a caption for whoever watches.
    """

    t: Seconds
    grid: str = ""
    charge: Annotated[float, Meta(ge=0.0, le=100.0)] | None = None
    solar_w: Power | None = None
    base_load_w: Power | None = None
    fault: dict[str, Fault] = field(default_factory=dict)
    person: dict[str, bool] = field(default_factory=dict)
    meters_broken: bool | None = None
    expire_sessions: bool = False
    internet: bool | None = None
    say: str = ""


class HouseSpec(Config, kw_only=True):
    """A house and its timeline. `charge` as the vendor's app shows it; `log`: a file for the wire log, JSON lines."""

    version: int = VERSION
    name: str = "house"
    speed: Annotated[float, Meta(gt=0.0, le=100_000.0)] = 1.0
    base_load_w: Power = 300.0
    solar_w: Power = 0.0
    charge: Annotated[float, Meta(ge=0.0, le=100.0)] = 84.0
    seed: int = 0
    log: str = ""
    battery: Battery = Battery()
    grid: GridSpec = GridSpec()
    faults: FaultTimes = FaultTimes()
    device: tuple[DeviceSpec, ...] = ()
    at: tuple[Moment, ...] = ()


def read_spec(source: Path | str) -> HouseSpec:
    """The scenario in a file, or in a text of TOML. Raises SpecError with everything that is wrong with it."""
    text = source.read_text() if isinstance(source, Path) else source
    try:
        table = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise SpecError([f"not TOML: {error}"]) from error
    if table.get("version") != VERSION:
        raise SpecError([f"version: is {table.get('version')!r}, must be {VERSION}"])
    errors: list[str] = []
    devices = _devices(table.pop("device", []), errors)
    moments = _structs(Moment, table.pop("at", []), "at", errors)
    spec = _struct(HouseSpec, table, "", errors)
    if spec is not None:
        spec = msgspec.structs.replace(spec, device=tuple(devices), at=tuple(moments))
        errors += wrong_names(spec)
    if errors or spec is None:
        raise SpecError(errors)
    return spec


def wrong_names(spec: HouseSpec) -> list[str]:
    """Ids used twice, and moments that name what isn't in the house."""
    ids = [device.id for device in spec.device]
    parts = part_names(spec)
    errors = [
        f"device.{name}: id is used {ids.count(name)} times" for name in sorted({i for i in ids if ids.count(i) > 1})
    ]
    for number, moment in enumerate(spec.at):
        errors += [
            f"at[{number}].fault.{name}: no such device{_meant(name, ids)}" for name in moment.fault if name not in ids
        ]
        errors += [
            f"at[{number}].person.{name}: no such part{_meant(name, parts)}"
            for name in moment.person
            if name not in parts
        ]
    return errors


def part_names(spec: HouseSpec) -> list[str]:
    """Every part that switches something: "pool-pump", "strip/3"."""
    return [part_name(device.id, part) for device in spec.device for part in find_kind(device.kind).loads(device)]


def part_name(device: str, part: str) -> str:
    """How a part is called in the house."""
    return f"{device}/{part}" if part else device


def _devices(tables: Any, errors: list[str]) -> list[DeviceSpec]:
    """The devices, each by the config of its kind."""
    found: list[DeviceSpec] = []
    for number, table in enumerate(_tables(tables, "device", errors)):
        path = f"device[{number}]" if not table.get("id") else f"device.{table['id']}"
        kind = table.get("kind")
        try:
            config = find_kind(str(kind)).config
        except LookupError:
            errors.append(f"{path}.kind: {kind!r} is not one of {', '.join(kind_names())}")
            continue
        except ImportError as error:
            errors.append(f"{path}.kind: {kind!r} needs a library that is missing ({error}); install pimgr[house]")
            continue
        if (device := _struct(config, table, path, errors)) is not None:
            found.append(device)
    return found


StructT = TypeVar("StructT", bound=msgspec.Struct)


def _tables(value: Any, path: str, errors: list[str]) -> list[Mapping[str, Any]]:
    if isinstance(value, list) and all(isinstance(each, dict) for each in value):
        return value
    errors.append(f"{path}: must be a list of tables, written [[{path}]]")
    return []


def _structs(cls: type[StructT], tables: Any, path: str, errors: list[str]) -> list[StructT]:
    each = (
        _struct(cls, table, f"{path}[{number}]", errors) for number, table in enumerate(_tables(tables, path, errors))
    )
    return [struct for struct in each if struct is not None]


def _struct(cls: type[StructT], table: Any, path: str, errors: list[str]) -> StructT | None:
    """One table as a struct, field by field (`msgspec.convert` stops at its first error); None if any was wrong."""
    if not isinstance(table, dict):
        errors.append(f"{path}: must be a table")
        return None
    before = len(errors)
    fields = {each.encode_name: each for each in msgspec.structs.fields(cls)}
    dot = f"{path}." if path else ""
    errors += [f"{dot}{key}: unknown key{_meant(key, fields)}" for key in table if key not in fields]
    values: dict[str, Any] = {}
    for key, each in fields.items():
        if key in table:
            values[each.name] = _value(each.type, table[key], f"{dot}{key}", errors)
        elif each.required:
            errors.append(f"{dot}{key}: missing")
    if len(errors) > before:
        return None
    try:
        return cls(**values)
    except ValueError as error:
        errors.append(f"{dot}{error}")
        return None


def _value(kind: Any, value: Any, path: str, errors: list[str]) -> Any:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(kind, value, path, errors)
    if (
        get_origin(kind) is tuple
        and isinstance(element := get_args(kind)[0], type)
        and issubclass(element, msgspec.Struct)
    ):
        return tuple(_structs(element, value, path, errors))
    if isinstance(value, float) and not math.isfinite(value):  # msgspec lets NaN pass every bound
        errors.append(f"{path}: {value} is not a number")
        return None
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        errors.append(f"{path}: {value!r}: {error}")
        return None


def _meant(key: str, known: Iterable[str]) -> str:
    near = did_you_mean(key, known)
    return f"; {near}" if near else ""
