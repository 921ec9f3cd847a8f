"""The account and its thermostats. Each is read by a question of its own: the portal has none for several.

The library's client is used, and not its `Device`: that one keeps what it read and computes writes from it, sets one
set point at a time, and asks for humidifiers as well.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiosomecomfort import AIOSomeComfort

from pimgr.api import Context, DeviceError, Finding, Hold, Instant, Parts, Severity, ThermostatReading, Unreachable
from pimgr_honeywell import AccountConfig
from pimgr_honeywell.holds import Asked, hold_of, resume_of, settings_of
from pimgr_honeywell.session import Session
from pimgr_honeywell.state import State, state_of


@asynccontextmanager
async def open_account(config: AccountConfig, context: Context) -> AsyncIterator[Account]:
    """An account that logs in with its first question."""
    account = Account(config, context)
    try:
        yield account
    finally:
        await account.close()


class Account:
    """One account of the portal; its parts are its thermostats."""

    def __init__(self, config: AccountConfig, context: Context) -> None:
        self._config, self._context = config, context
        self._session = Session(config, context)
        self.thermostats = {
            name: Thermostat(f"{context.connection}/{name}", number, self)
            for name, number in config.thermostats.items()
        }
        self.parts: Parts = dict(self.thermostats)
        self.session = self._session

    async def close(self) -> None:
        await self._session.close()

    def asked(self, part: str, now: Instant) -> Asked:
        """For a hold of this part."""
        return Asked(part, now, self._config.zone)

    def now(self) -> Instant:
        return self._context.now()

    async def check(self) -> list[Finding]:
        """The login, which thermostats the account has, and one reading of each that is configured."""
        part = self._context.connection
        try:
            known = await self._session.ask(part, "its thermostats", _names)
        except DeviceError as error:
            return [Finding(severity=Severity.CRITICAL, text=str(error), cure=error.cure)]
        findings = [await each.finding(known) for each in self.thermostats.values()]
        others = sorted(set(known) - set(self._config.thermostats.values()))
        if others:
            told = ", ".join(f"{number} ({known[number]})" for number in others)
            findings.append(Finding(severity=Severity.INFO, text=f"the account also has {told}"))
        return findings


class Thermostat:
    """One thermostat of the account."""

    def __init__(self, part: str, number: int, account: Account) -> None:
        self._part, self._number, self._account = part, number, account

    async def read_thermostat(self) -> ThermostatReading:
        """What it is set to and how warm it is, asked for now. Source: GET /portal/Device/CheckDataSession/ID.

        Raises Unreachable where the portal has lost contact: what it then repeats are old values.
        """

        async def question(client: AIOSomeComfort) -> ThermostatReading:
            at = self._account.now()
            state = await self._state(client, "a reading")
            return ThermostatReading(
                at=at,
                source="portal",
                indoor=state.celsius(state.indoor),
                mode=state.mode,
                hold=hold_of(state, self._account.asked(self._part, at)),
            )

        return await self._account.session.ask(self._part, "a reading", question)

    async def hold(self, wanted: Hold) -> None:
        """Ask for set points until a quarter hour of the day (rounded up), for good, or for the owner's schedule.

        Its unit, limits and mode are read first. The house goes back to its schedule by itself, whatever becomes of
        pimgr. Source: POST /portal/Device/SubmitControlScreenChanges.
        """

        async def question(client: AIOSomeComfort) -> None:
            state = await self._state(client, "a hold")
            settings = settings_of(wanted, state, self._account.asked(self._part, self._account.now()))
            await client.set_thermostat_settings(self._number, settings)

        await self._account.session.ask(self._part, "a hold", question)

    async def resume(self) -> None:
        """Ask it to follow the owner's schedule."""

        async def question(client: AIOSomeComfort) -> None:
            state = await self._state(client, "its schedule")
            settings = resume_of(state, self._account.asked(self._part, self._account.now()))
            await client.set_thermostat_settings(self._number, settings)

        await self._account.session.ask(self._part, "its schedule", question)

    async def finding(self, known: dict[int, str]) -> Finding:
        """How it is, for a person who looks."""
        if self._number not in known:
            has = ", ".join(f"{number} ({name})" for number, name in known.items()) or "none"
            text = f"{self._part}: the account has no thermostat {self._number}"
            return Finding(severity=Severity.CRITICAL, text=text, cure=f"it has: {has}")
        try:
            reading = await self.read_thermostat()
        except DeviceError as error:
            return Finding(severity=Severity.CRITICAL, text=str(error), cure=error.cure)
        text = f"{self._part} is {known[self._number]!r}: {reading.indoor:.1f} °C, {reading.mode}"
        return Finding(severity=Severity.INFO, text=text)

    async def _state(self, client: AIOSomeComfort, wish: str) -> State:
        reply: Any = await client.get_thermostat_data(self._number)
        state = state_of(self._part, wish, reply, self._number)
        if state is None:
            fact = "the portal has lost contact with the thermostat, and repeats old values"
            raise Unreachable(self._part, wish, fact, "check the thermostat's Wi-Fi and its power")
        return state


async def _names(client: AIOSomeComfort) -> dict[int, str]:
    """The account's thermostats by id, with the owner's names made harmless."""
    await client.discover()
    devices = {
        number: device
        for location in client.locations_by_id.values()
        for number, device in location.devices_by_id.items()
        if type(number) is int
    }
    return {number: "".join(c for c in str(each.name) if c.isprintable())[:40] for number, each in devices.items()}
