"""The house in a box: physics, servers on loopback, a timeline, and the log of everything that was said to it.

house = House.from_toml(Path("evening.toml"))
async with house:
    house.grid_up(False)
    await house.wire.wait_for(lambda entry: entry.what == "switch", 5.0)
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pimgr.house.certificates import Authority, Identity
from pimgr.house.faults import Fault
from pimgr.house.gate import Gate, Handler
from pimgr.house.kinds import LoadSpec, find_kind
from pimgr.house.mails import Mail
from pimgr.house.sight import HouseState
from pimgr.house.spec import HouseSpec, SpecError, part_name, read_spec, wrong_names
from pimgr.house.timeline import play
from pimgr.house.wire import WireLog
from pimgr.house.world import World

HEARTBEAT_S = 0.25
"""Real seconds between two looks at the house, so that an empty battery is noticed when nobody asks."""


class House:
    """A house to rehearse with. Everything listens on 127.0.0.1 only, while the house is entered.

    It belongs to the event loop that entered it: call its methods there, not from another thread.
    """

    def __init__(self, spec: HouseSpec) -> None:
        """Raises SpecError where the spec names what isn't in it."""
        if errors := wrong_names(spec):
            raise SpecError(errors)
        self.spec = spec
        self.wire = WireLog(Path(spec.log) if spec.log else None)
        self.mails: list[Mail] = []
        self.say = ""
        """The caption of the timeline."""
        self._started_s = time.monotonic()
        self._gates = {each.id: Gate(each.id, spec.faults, spec.seed) for each in spec.device}
        self._ports: dict[tuple[str, str], int] = {}
        self._identities: dict[str, Identity] = {}
        self._authority: Authority | None = None
        self._extras: dict[str, Any] = {}
        self._stack = AsyncExitStack()
        self.world = World(spec, _loads(spec), lambda: self.clock_s, self.wire)
        self.world.dark_changed = self._dark_changed
        for each in spec.device:
            self._gates[each.id].set_fault(each.fault)

    @classmethod
    def from_toml(cls, source: Path | str) -> Self:
        """The house of a scenario, by path or by text. Raises SpecError with everything that is wrong with it."""
        return cls(read_spec(source))

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.callback(self.wire.close)
            stack.callback(self.world.close)
            for each in self.spec.device:
                await stack.enter_async_context(find_kind(each.kind).serve(each, self))
            heart = asyncio.create_task(self._beat(), name="house heartbeat")
            stack.push_async_callback(_cancelled, heart)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    # ------------------------------------------------------------------------------------------------------- looking

    @property
    def clock_s(self) -> float:
        """House seconds since the house was made."""
        return self.real_s() * self.spec.speed

    def real_s(self) -> float:
        """Real seconds since the house was made."""
        return time.monotonic() - self._started_s

    def port(self, device: str, which: str = "") -> int:
        """The TCP port of a device, or another one by its name ("wake"). Raises KeyError where it has none (yet)."""
        return self._ports[device, which]

    def is_on(self, part: str) -> bool:
        """Whether the relay of "pool-pump" or "strip/3" is on, in truth."""
        return self.world.load(part).on

    def host_up(self, device: str) -> bool:
        """Whether the machine still answers, in truth: it is up or shutting down."""
        return self.world.machine(device).up

    def host_boot_id(self, device: str) -> str:
        """The boot id of the machine's latest boot."""
        return self.world.machine(device).boot_id

    def state(self) -> HouseState:
        """The whole house now."""
        flows = self.world.flows()
        return HouseState(
            clock_s=self.clock_s,
            grid=self.world.status,
            connected=self.world.connected,
            dark=flows.dark,
            charge=self.world.charge(),
            stored_wh=self.world.energy().stored_wh,
            grid_w=flows.grid_w,
            battery_w=flows.battery_w,
            solar_w=flows.solar_w,
            load_w=flows.load_w,
            loads=self.world.loads(),
            hosts=self.world.hosts(),
            faults={name: gate.fault for name, gate in self._gates.items()},
            mails=len(self.mails),
            say=self.say,
        )

    def fingerprint(self, device: str) -> str:
        """SHA-256 of the certificate that a device shows, in lower-case hex."""
        return self._identities[device].fingerprint

    def pem(self, device: str) -> str:
        """Key and certificate of a device, to be given to the next house so that a pinned fingerprint stays."""
        return self._identities[device].pem

    @property
    def authority(self) -> Authority:
        """The house's certificate authority, made when it is first asked for."""
        if self._authority is None:
            self._authority = Authority(f"{self.spec.name} authority")
        return self._authority

    @property
    def ca_pem(self) -> str:
        """The certificate that vouches for the mail server."""
        return self.authority.pem

    def ssh_host_key(self, device: str) -> str:
        """The public host key of an SSH host, as a line "ssh-ed25519 AAAA..."."""
        return str(self._extras[device].host_key)

    # -------------------------------------------------------------------------------------------------------- acting

    def set_grid(self, status: str) -> None:
        """The gateway says `status` from now on, whatever word that is."""
        self.world.set_grid(status)

    def grid_up(self, up: bool) -> None:
        """The utility goes, or comes back by way of the scenario's passing states."""
        self.world.grid_up(up)

    def set_charge(self, percent: float) -> None:
        """The battery holds `percent`, as the vendor's app shows it."""
        self.world.set_charge(percent)

    def fault(self, device: str, fault: Fault) -> None:
        """A device misbehaves like this from now on. Raises KeyError (no such device) or ValueError (it can't)."""
        kind = next(each.kind for each in self.spec.device if each.id == device) if device in self._gates else ""
        if not kind:
            raise KeyError(device)
        if fault.own and fault not in find_kind(kind).faults:
            raise ValueError(f"{device}: {kind} has no fault {fault}")
        self.wire.note(device, "", "fault", fault)
        self._gates[device].set_fault(fault)

    def internet_up(self, up: bool, looks: Fault = Fault.DEAD) -> None:
        """The line to the world goes, or comes back; meanwhile every server in the internet `looks` like this."""
        self.wire.note("house", "internet", "truth", "up" if up else "down")
        for each in self.spec.device:
            if find_kind(each.kind).internet:
                self._gates[each.id].set_power(Fault.NONE if up else looks)

    def gateway_answers(self, status: int | None, device: str | None = None) -> None:
        """Gateways (one, or all) answer every call with this HTTP status; None is back to normal."""
        fault = Fault.NONE if status is None else Fault(f"http-{status}")
        for name in self._named(device, "gateway"):
            self.fault(name, fault)

    def gateway_says(self, path: str, body: bytes | None, device: str | None = None) -> None:
        """Gateways answer a path ("/api/system_status/soe") with these very bytes; None is back to normal."""
        for name in self._named(device, "gateway"):
            self._extras[name].says(path, body)

    def expire_sessions(self, device: str | None = None) -> None:
        """Gateways forget who is logged in."""
        for name in self._named(device, "gateway"):
            self._extras[name].expire_sessions()

    def meters_broken(self, broken: bool, device: str | None = None) -> None:
        """The meters call fails, and nothing else."""
        for name in self._named(device, "gateway"):
            self._extras[name].meters_broken = broken

    def authorize(self, device: str, public_key: str) -> None:
        """An SSH host lets one more key in: a line "ssh-ed25519 AAAA..."."""
        self._extras[device].authorize(public_key)

    def new_identity(self, device: str) -> None:
        """A gateway shows another certificate, an SSH host another key, to every connection from now on."""
        self._extras[device].new_identity()

    def switch_by_person(self, part: str, on: bool) -> None:
        """A hand on the button. Raises KeyError where nothing of this name is switched."""
        self.world.load(part)
        device, _, key = part.partition("/")
        self.wire.note(device, key, "person", "on" if on else "off")
        self.world.switch(part, on)

    async def play(self, pace: float = 1.0) -> None:
        """Play the timeline of the scenario to its end, `pace` times as fast."""
        await play(self, pace)

    # --------------------------------------------------------------------------------------------------- for servers

    @asynccontextmanager
    async def listening(
        self, device: str, port: int, handler: Handler, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[Gate]:
        """The TCP port of a device, with its faults; each connection is for `handler`. Raises OSError if taken."""
        gate = self._gates[device]
        try:
            self._ports[device, ""] = await gate.open(port, handler, tls)
            yield gate
        finally:
            await gate.close()

    def gate(self, device: str) -> Gate:
        """What stands between a device and its clients."""
        return self._gates[device]

    def name_port(self, device: str, which: str, port: int) -> None:
        """Tell `House.port` of another port of a device."""
        self._ports[device, which] = port

    def identify(self, device: str, identity: Identity) -> None:
        """Tell `House.fingerprint` and `House.pem` of a device's certificate."""
        self._identities[device] = identity

    def offer(self, device: str, extra: Any) -> None:
        """A server's own controls, for `House.new_identity` and its like, and for tests of its author."""
        self._extras[device] = extra

    def controls(self, device: str) -> Any:
        """What the server of a device offered."""
        return self._extras[device]

    # -------------------------------------------------------------------------------------------------------- inside

    def _named(self, device: str | None, kind: str) -> list[str]:
        return [each.id for each in self.spec.device if each.kind == kind and device in (None, each.id)]

    def _dark_changed(self, dark: bool) -> None:
        """Without light, plugs are gone too; the gateway has its own power, and machines tell for themselves."""
        for each in self.spec.device:
            if find_kind(each.kind).mains:
                self._gates[each.id].set_power(Fault.DEAD if dark else Fault.NONE)

    async def _beat(self) -> None:
        while True:
            self.world.pass_time()
            await asyncio.sleep(HEARTBEAT_S)


def _loads(spec: HouseSpec) -> Mapping[str, LoadSpec]:
    return {
        part_name(device.id, part): load
        for device in spec.device
        for part, load in find_kind(device.kind).loads(device).items()
    }


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
