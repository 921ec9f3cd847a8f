"""The contract suite and the fault matrix on the Kasa plugin: plugs and strips, in each protocol and each login."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec
import pytest
from pimgr_kasa import PLUG

from pimgr.api import Deadlines
from pimgr.house import Fault, House
from pimgr.house.kasa import Plug
from pimgr.testing import ContractSuite, FaultMatrixSuite, Subject, Trouble, Vendor

pytestmark = pytest.mark.slow

ACCOUNT = ("someone@example.org", "the-right-one")
FAULTS = {
    Trouble.UNREACHABLE: Fault.REFUSING,
    Trouble.SILENT: Fault.SILENT,
    Trouble.GARBAGE: Fault.GARBAGE,
    Trouble.DRIPPING: Fault.DRIPPING,
    Trouble.CUT: Fault.CUT,
    Trouble.OVERSIZE: Fault.OVERSIZE,
    Trouble.SLOW: Fault.SLOW,
}
SPARED = {
    Trouble.WRONG_CREDENTIALS: "the legacy protocol has no login",
    Trouble.RATE_LIMITED: "the legacy protocol has no word for being asked too often",
}
REQUESTS = {
    (0, "legacy"): 2,
    (2, "legacy"): 4,
    (0, "klap1"): 4,
    (0, "klap2"): 4,
    (0, "smart"): 7,
    (2, "smart"): 7,
}
"""Of a first reading: two for a login, sysinfo, an update, the watts of each outlet; SMART asks for each alone."""
CLOSED_PORT = 1
"""On loopback, where nobody listens."""
DEADLINE_S = 0.6
SLOW_S = 0.3
"""All requests of a reading together."""


def well_again(house: House, identity: tuple[str, str]) -> None:
    plug: Plug = house.controls("load")
    plug.device_id, plug.mac = identity
    if plug.door is not None:
        plug.door.belong_to(*ACCOUNT)
    plug.refuses = 0
    house.fault("load", Fault.NONE)


def belong_to_another(plug: Plug) -> None:
    assert plug.door is not None
    plug.door.belong_to("somebody@example.org", "else")
    plug.door.expire_sessions()


@asynccontextmanager
async def kasa_on_loopback(outlets: int, protocol: str) -> AsyncIterator[Vendor]:
    talk = 'protocol = "klap2"\ndialect = "smart"' if protocol == "smart" else f'protocol = "{protocol}"'
    scenario = f"""
    version = 1
    [[device]]
    id = "load"
    kind = "kasa"
    outlets = {outlets}
    {talk}
    username = "{ACCOUNT[0]}"
    password = "{ACCOUNT[1]}"
    """
    async with House.from_toml(scenario) as house:
        plug: Plug = house.controls("load")
        slow_s = SLOW_S / REQUESTS[outlets, protocol]
        house.gate("load").times = msgspec.structs.replace(house.spec.faults, slow_s=slow_s)
        troubles: dict[Trouble, Callable[[], object]] = {
            trouble: partial(house.fault, "load", fault) for trouble, fault in FAULTS.items()
        }
        troubles[Trouble.NONE] = partial(well_again, house, (plug.device_id, plug.mac))
        troubles[Trouble.CHANGED_IDENTITY] = plug.new_identity
        config: dict[str, Any] = {"address": "127.0.0.1", "outlets": outlets}
        if protocol == "legacy":
            config |= {"port": house.port("load"), "klap_port": CLOSED_PORT}
        else:
            troubles[Trouble.WRONG_CREDENTIALS] = partial(belong_to_another, plug)
            troubles[Trouble.RATE_LIMITED] = partial(setattr, plug, "refuses", 429)
            login = {"username": {"secret": "user"}, "password": {"secret": "pw"}}
            config |= {"klap_port": house.port("load"), "port": CLOSED_PORT, **login}
        yield Vendor(config=config, troubles=troubles)


def subject_of(outlets: int, protocol: str) -> Subject:
    legacy = protocol == "legacy"
    return Subject(
        plugin="pimgr_kasa",
        device_type=PLUG,
        vendor=partial(kasa_on_loopback, outlets, protocol),
        secrets={} if legacy else {"user": ACCOUNT[0], "pw": ACCOUNT[1]},
        wrong_secrets=None if legacy else {"user": ACCOUNT[0], "pw": "the-wrong-one"},
        deadlines=Deadlines(read_s=DEADLINE_S, switch_s=DEADLINE_S),
        spared=SPARED if legacy else {},
    )


class TestPlug(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of(0, "legacy")


class TestStrip(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of(2, "legacy")


class TestPlugByKlap1(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of(0, "klap1")


class TestPlugByKlap2(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of(0, "klap2")


class TestPlugBySmart(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of(0, "smart")


class TestPlugInTrouble(FaultMatrixSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of(0, "legacy")


class TestStripInTrouble(FaultMatrixSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of(2, "legacy")


class TestPlugByKlap1InTrouble(FaultMatrixSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of(0, "klap1")


class TestPlugByKlap2InTrouble(FaultMatrixSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of(0, "klap2")


class TestStripBySmartInTrouble(FaultMatrixSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of(2, "smart")
