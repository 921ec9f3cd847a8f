"""A thermostat as the Total Connect Comfort portal shows it, and what it does with what the portal sends it.

Field names and their meaning: the fields that AIOSomecomfort 0.0.39 reads (its `device.py`), and a reply of a real
thermostat that its owner published (bradgoodman.com/thermostat). The ends of holds are quarter hours of the local
day, 0 to 95.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from enum import IntEnum
from typing import Annotated, Any, Literal

from msgspec import Meta

from pimgr.api import Config

QUARTER_S = 900
PERIODS = (24, 32, 68, 88)
"""When the owner's schedule changes: 06:00, 08:00, 17:00 and 22:00, as most thermostats come from the factory."""
SWITCH = {"emheat": 0, "heat": 1, "off": 2, "cool": 3, "auto": 4}


class Status(IntEnum):
    """`StatusHeat` and `StatusCool`."""

    SCHEDULE = 0
    TEMPORARY = 1
    PERMANENT = 2


class ThermostatSpec(Config, kw_only=True):
    """One thermostat. `heat`, `cool`: the set points of its schedule; all in its own `unit`."""

    id: Annotated[int, Meta(ge=1)]
    name: str = "HALL"
    unit: Literal["F", "C"] = "F"
    mode: Literal["emheat", "heat", "off", "cool", "auto"] = "cool"
    indoor: float = 74.0
    heat: float = 68.0
    cool: float = 76.0
    heat_limits: tuple[float, float] = (40.0, 90.0)
    cool_limits: tuple[float, float] = (50.0, 99.0)
    deadband: float = 3.0
    holds_until: bool = True
    has_schedule: bool = True


class Stat:
    """One thermostat. All may be set at any time.

    `live`, `lost`: what the portal says of its connection; while it has none its values stay what they were.
    `extra`: fields of `uiData` that are said instead of the true ones, None leaves one out.
    """

    def __init__(self, spec: ThermostatSpec, zone: tzinfo) -> None:
        self.spec, self._zone = spec, zone
        self.mode: str = spec.mode
        self.indoor, self.heat, self.cool = spec.indoor, spec.heat, spec.cool
        self.status = {"Heat": Status.SCHEDULE, "Cool": Status.SCHEDULE}
        self.vacation = False
        self.live, self.lost = True, False
        self.extra: dict[str, Any] = {}
        self._period = {"Heat": 0, "Cool": 0}
        self._ends = {"Heat": 0.0, "Cool": 0.0}
        self._shown: dict[str, Any] | None = None

    @property
    def connected(self) -> bool:
        return self.live and not self.lost

    def person(self, now: float, **set_points: float) -> None:
        """A hand on its buttons: another set point until the schedule changes next."""
        for which, value in set_points.items():
            setattr(self, which, value)
        for which in ("Heat", "Cool"):
            self._begin(which, Status.TEMPORARY, self._next_change(now), now)

    def pass_time(self, now: float) -> None:
        """A hold that ran out gives way to the schedule."""
        for which in ("Heat", "Cool"):
            if self.status[which] is Status.TEMPORARY and now >= self._ends[which]:
                self._resume(which)

    def change(self, wanted: Mapping[str, Any], now: float) -> bool:
        """Do what SubmitControlScreenChanges says; whether it may be done. None leaves a thing as it is.

        A temporary hold without an end is one until a person ends it (bradgoodman.com/thermostat).
        """
        heat = self.heat if wanted.get("HeatSetpoint") is None else float(wanted["HeatSetpoint"])
        cool = self.cool if wanted.get("CoolSetpoint") is None else float(wanted["CoolSetpoint"])
        low, high = self.spec.heat_limits, self.spec.cool_limits
        if not (low[0] <= heat <= low[1] and high[0] <= cool <= high[1] and cool - heat >= self.spec.deadband):
            return False
        self.heat, self.cool = heat, cool
        for which in ("Heat", "Cool"):
            if wanted.get(f"Status{which}") is not None:
                self._begin(which, Status(wanted[f"Status{which}"]), wanted.get(f"{which}NextPeriod"), now)
        if wanted.get("SystemSwitch") is not None:
            self.mode = next(name for name, number in SWITCH.items() if number == wanted["SystemSwitch"])
        return True

    def shown(self, now: float) -> dict[str, Any]:
        """The whole answer to CheckDataSession: without a connection, what was true when it was lost."""
        if self.connected or self._shown is None:
            self.pass_time(now)
            self._shown = self._ui_data(now)
        ui_data = {**self._shown, **self.extra}
        return {
            "success": True,
            "deviceLive": self.live,
            "communicationLost": self.lost,
            "latestData": {
                "uiData": {name: value for name, value in ui_data.items() if value is not None},
                "fanData": {"fanMode": 0, "fanModeAutoAllowed": True, "fanModeOnAllowed": True, "fanIsRunning": False},
                "hasFan": True,
                "canControlHumidification": False,
                "drData": {"CoolSetpLimit": None, "HeatSetpLimit": None, "Phase": -1, "OptOutable": False},
            },
            "alerts": "\r\n\r\n",
        }

    def _ui_data(self, now: float) -> dict[str, Any]:
        spec, change = self.spec, self._next_change(now)
        period = {w: self._period[w] if self.status[w] is Status.TEMPORARY else change for w in ("Heat", "Cool")}
        held = max((self._period[w] for w in ("Heat", "Cool") if self.status[w] is Status.TEMPORARY), default=0)
        return {
            "DispTemperature": self.indoor,
            "HeatSetpoint": self.heat,
            "CoolSetpoint": self.cool,
            "DisplayUnits": spec.unit,
            "StatusHeat": int(self.status["Heat"]),
            "StatusCool": int(self.status["Cool"]),
            "HoldUntilCapable": spec.holds_until,
            "ScheduleCapable": spec.has_schedule,
            "VacationHold": int(self.vacation),
            "DualSetpointStatus": False,
            "HeatNextPeriod": period["Heat"],
            "CoolNextPeriod": period["Cool"],
            "HeatLowerSetptLimit": spec.heat_limits[0],
            "HeatUpperSetptLimit": spec.heat_limits[1],
            "CoolLowerSetptLimit": spec.cool_limits[0],
            "CoolUpperSetptLimit": spec.cool_limits[1],
            "ScheduleHeatSp": spec.heat,
            "ScheduleCoolSp": spec.cool,
            "SwitchAutoAllowed": True,
            "SwitchCoolAllowed": True,
            "SwitchOffAllowed": True,
            "SwitchHeatAllowed": True,
            "SwitchEmergencyHeatAllowed": self.mode == "emheat",
            "SystemSwitchPosition": SWITCH[self.mode],
            "Deadband": spec.deadband,
            "IndoorHumidity": 128.0,
            "DeviceID": spec.id,
            "Commercial": False,
            "DispTemperatureAvailable": True,
            "IndoorHumiditySensorAvailable": False,
            "IndoorHumiditySensorNotFault": True,
            "VacationHoldUntilTime": 0,
            "TemporaryHoldUntilTime": 15 * held,
            "IsInVacationHoldMode": self.vacation,
            "VacationHoldCancelable": True,
            "SetpointChangeAllowed": self.mode != "off",
            "OutdoorTemperatureAvailable": False,
            "OutdoorHumidityAvailable": False,
            "EquipmentOutputStatus": 0,
        }

    def _begin(self, which: str, status: Status, period: int | None, now: float) -> None:
        if status is Status.SCHEDULE:
            self._resume(which)
            return
        if status is Status.TEMPORARY and period is None:
            status = Status.PERMANENT
        self.status[which] = status
        if period is not None:
            self._period[which] = int(period)
            self._ends[which] = self._when(int(period), now)

    def _resume(self, which: str) -> None:
        self.status[which] = Status.SCHEDULE
        setattr(self, which.lower(), getattr(self.spec, which.lower()))

    def _next_change(self, now: float) -> int:
        return min(PERIODS, key=lambda period: self._when(period, now))

    def _when(self, period: int, now: float) -> float:
        """The next time that it is this quarter hour of the local day, UTC in s."""
        today = datetime.fromtimestamp(now, UTC).astimezone(self._zone)
        for days in (0, 1, 2):
            day = today.date() + timedelta(days=days)
            then = datetime(day.year, day.month, day.day, period // 4 % 24, period % 4 * 15, tzinfo=self._zone)
            if then.timestamp() > now:
                return then.timestamp()
        raise ValueError(f"no quarter hour {period}")
