"""What the portal says of one thermostat, every value looked at before it is believed, in the thermostat's own unit.

Source of the fields: AIOSomecomfort 0.0.39, `device.py`, and a reply of a real thermostat that its owner published
(bradgoodman.com/thermostat).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pimgr.api import Garbled, ThermostatMode
from pimgr.units import Celsius, finite_and_in_range

MODES = {
    0: ThermostatMode.HEAT,  # emergency heat
    1: ThermostatMode.HEAT,
    2: ThermostatMode.OFF,
    3: ThermostatMode.COOL,
    4: ThermostatMode.AUTO,
    5: ThermostatMode.AUTO,
}
"""`SystemSwitchPosition`."""
SCHEDULE, TEMPORARY, PERMANENT = 0, 1, 2
"""`StatusHeat` and `StatusCool`."""
_QUARTERS = 96


class BadField(Exception):
    """A field that can't be right: its name and what it said."""


@dataclass(frozen=True)
class Side:
    """Heating or cooling: its set point, limits, status, and the quarter hour of the day at which a hold ends."""

    point: float
    low: float
    high: float
    status: int
    quarter: int | None


@dataclass(frozen=True)
class State:
    """One thermostat now. Temperatures in its own unit; `step` is what its set points move by."""

    fahrenheit: bool
    indoor: float
    mode: ThermostatMode
    heat: Side
    cool: Side
    deadband: float
    vacation: bool
    settable: bool
    holds_until: bool
    has_schedule: bool

    @property
    def step(self) -> float:
        return 1.0 if self.fahrenheit else 0.5

    @property
    def unit(self) -> str:
        return "°F" if self.fahrenheit else "°C"

    @property
    def in_force(self) -> tuple[Side, ...]:
        """The sides that the mode uses."""
        match self.mode:
            case ThermostatMode.HEAT:
                return (self.heat,)
            case ThermostatMode.COOL:
                return (self.cool,)
            case ThermostatMode.AUTO | ThermostatMode.OFF:
                return (self.heat, self.cool)

    def celsius(self, own: float) -> Celsius:
        """A temperature of this thermostat in the house's unit."""
        return Celsius((own - 32.0) / 1.8 if self.fahrenheit else own)

    def own(self, celsius: float) -> float:
        """A temperature of the house in this thermostat's unit, not yet rounded."""
        return celsius * 1.8 + 32.0 if self.fahrenheit else celsius


def state_of(part: str, wish: str, reply: Any, device: int) -> State | None:
    """The state; None where the portal has no contact with the thermostat, whose old values it then repeats.

    Raises Garbled, naming the field that can't be right.
    """
    try:
        whole = _table(reply, "the answer")
        if not _flag(whole, "deviceLive") or _flag(whole, "communicationLost"):
            return None
        if not whole.get("success"):
            raise BadField("success = false")
        return _state(_table(_table(whole.get("latestData"), "latestData").get("uiData"), "uiData"), device)
    except BadField as bad:
        raise Garbled(part, wish, f"the portal answered {bad}", "if it lasts, please report it") from None


def _state(ui: Mapping[str, Any], device: int) -> State:
    if ui.get("DeviceID") != device:
        raise BadField(f"DeviceID = {str(ui.get('DeviceID'))[:20]}, for another thermostat")
    unit, position = ui.get("DisplayUnits", ui.get("DisplayedUnits")), ui.get("SystemSwitchPosition")
    if unit not in ("F", "C"):
        raise BadField(f"DisplayUnits = {str(unit)[:20]!r}")
    if type(position) is not int or position not in MODES:
        raise BadField(f"SystemSwitchPosition = {str(position)[:20]!r}")
    if ui.get("DispTemperatureAvailable") is False:
        raise BadField("no room temperature (DispTemperatureAvailable = false)")
    span = (-20.0, 120.0) if unit == "F" else (-30.0, 50.0)
    return State(
        fahrenheit=unit == "F",
        indoor=_number(ui, "DispTemperature", span),
        mode=MODES[position],
        heat=_side(ui, "Heat", span),
        cool=_side(ui, "Cool", span),
        deadband=_number(ui, "Deadband", (0.0, 20.0)),
        vacation=bool(ui.get("IsInVacationHoldMode")),
        settable=ui.get("SetpointChangeAllowed") is not False,
        holds_until=ui.get("HoldUntilCapable") is not False,
        has_schedule=ui.get("ScheduleCapable") is not False,
    )


def _side(ui: Mapping[str, Any], which: str, span: tuple[float, float]) -> Side:
    status = ui.get(f"Status{which}")
    if type(status) is not int or status not in (SCHEDULE, TEMPORARY, PERMANENT):
        raise BadField(f"Status{which} = {str(status)[:20]!r}")
    return Side(
        point=_number(ui, f"{which}Setpoint", span),
        low=_number(ui, f"{which}LowerSetptLimit", span),
        high=_number(ui, f"{which}UpperSetptLimit", span),
        status=status,
        quarter=_end(ui, which) if status == TEMPORARY else None,
    )


def _end(ui: Mapping[str, Any], which: str) -> int:
    """The quarter hour at which a temporary hold ends; `TemporaryHoldUntilTime` has it in minutes of the day."""
    quarter, minutes = ui.get(f"{which}NextPeriod"), ui.get("TemporaryHoldUntilTime")
    if type(quarter) is int and 0 <= quarter <= _QUARTERS:
        return quarter % _QUARTERS
    if quarter is None and type(minutes) is int and 0 < minutes <= 15 * _QUARTERS:
        return minutes // 15 % _QUARTERS
    raise BadField(f"{which}NextPeriod = {str(quarter)[:20]!r}")


def _table(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadField(f"{name} = {str(value)[:20]!r}")
    return value


def _flag(table: Mapping[str, Any], name: str) -> bool:
    value = table.get(name)
    if not isinstance(value, bool):
        raise BadField(f"{name} = {str(value)[:20]!r}")
    return value


def _number(ui: Mapping[str, Any], name: str, span: tuple[float, float]) -> float:
    value = ui.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not finite_and_in_range(value, *span):
        raise BadField(f"{name} = {str(value)[:20]!r}")
    return float(value)
