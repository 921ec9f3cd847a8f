"""The contract suite and the fault matrix on the Tuya plugin: each version of the protocol, and a plug with a cloud."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec
import pytest
from pimgr_tuya import PLUG

from pimgr.api import Deadlines, Garbled, Refused, Unreachable
from pimgr.house import Fault, House
from pimgr.testing import ContractSuite, FaultMatrixSuite, Subject, Trouble, Vendor

pytestmark = pytest.mark.slow

KEY, OTHER_KEY = "0123456789abcdef", "fedcba9876543210"
SECRETS = {"key": KEY, "id": "p8nrhsq5tkcbd9wfm7ax", "secret": "c0ffee5ec2e7c0ffee5ec2e7c0ffee5e"}
FAULTS = {
    Trouble.UNREACHABLE: Fault.REFUSING,
    Trouble.SILENT: Fault.SILENT,
    Trouble.GARBAGE: Fault.GARBAGE,
    Trouble.DRIPPING: Fault.DRIPPING,
    Trouble.CUT: Fault.CUT,
    Trouble.OVERSIZE: Fault.OVERSIZE,
    Trouble.SLOW: Fault.SLOW,
}
NO_WORD = "a plug has no word for being asked too often"
EXPECTED = {
    "3.1": {Trouble.CHANGED_IDENTITY: (Garbled, Unreachable)},  # asked, it knows its id; told, it keeps silent
    "3.3": {Trouble.CHANGED_IDENTITY: (Unreachable,), Trouble.WRONG_CREDENTIALS: (Unreachable,)},  # it keeps silent
    "3.4": {Trouble.CHANGED_IDENTITY: (Refused,)},  # another plug has another key, and hangs up on ours
    "3.5": {Trouble.CHANGED_IDENTITY: (Refused,)},
}
SPARED = {
    "3.1": {Trouble.WRONG_CREDENTIALS: "a 3.1 plug is read without a key; what a command meets, test_plug.py tests"}
}
FRAMES = {"3.1": 1, "3.3": 1, "3.4": 2, "3.5": 2}
"""How many frames a plug says until it is read: from 3.4 on there is the agreement on a key before."""
DEADLINE_S = 0.6


@asynccontextmanager
async def tuya_on_loopback(version: str, switches: int, cloud: bool = False) -> AsyncIterator[Vendor]:
    text = f'version = 1\n[[device]]\nid = "plug"\nkind = "tuya"\nversion = "{version}"\nkey = "{KEY}"\n'
    text += f'switches = {switches}\n[[device]]\nid = "cloud"\nkind = "tuya-cloud"\n'
    async with House.from_toml(text) as house:
        plug, project = house.controls("plug"), house.controls("cloud")
        slow_s = DEADLINE_S * (0.35 if cloud else 0.5) / FRAMES[version]
        for device in ("plug", "cloud"):
            house.gate(device).times = msgspec.structs.replace(house.spec.faults, slow_s=slow_s)
        first = plug.device_id
        config: dict[str, Any] = {"address": "127.0.0.1", "port": house.port("plug"), "device_id": first}
        config |= {"key": {"secret": "key"}, "version": version, "switches": max(1, switches)}
        if cloud:
            config |= {"cloud_endpoint": f"http://127.0.0.1:{house.port('cloud')}"}
            config |= {"cloud_key": {"secret": "id"}, "cloud_secret": {"secret": "secret"}}

        def both(fault: Fault) -> None:
            house.fault("plug", fault)
            house.fault("cloud", fault)

        def heal() -> None:
            both(Fault.NONE)
            plug.device_id, plug.key, project.secret = first, KEY, SECRETS["secret"]

        def wrong() -> None:
            plug.key, project.secret = OTHER_KEY, "another"

        def limited() -> None:
            house.fault("plug", Fault.SILENT)
            house.fault("cloud", Fault.HTTP_429)

        troubles: dict[Trouble, Callable[[], object]] = {t: partial(both, fault) for t, fault in FAULTS.items()}
        troubles |= {Trouble.NONE: heal, Trouble.CHANGED_IDENTITY: plug.new_identity}
        if version not in SPARED:
            troubles[Trouble.WRONG_CREDENTIALS] = wrong
        if cloud:
            troubles[Trouble.RATE_LIMITED] = limited
        yield Vendor(config=config, troubles=troubles)


def subject_of(version: str, switches: int = 0, *, cloud: bool = False) -> Subject:
    """`cloud`: the troubles are the plug's and the cloud's at once, and what is raised is the plug's own."""
    return Subject(
        plugin="pimgr_tuya",
        device_type=PLUG,
        vendor=partial(tuya_on_loopback, version, switches, cloud),
        secrets=SECRETS if cloud else {"key": KEY},
        wrong_secrets={"key": OTHER_KEY} if version in ("3.4", "3.5") and not cloud else None,
        deadlines=Deadlines(read_s=DEADLINE_S, switch_s=DEADLINE_S, cloud_s=DEADLINE_S),
        faults=EXPECTED[version] | ({Trouble.RATE_LIMITED: (Unreachable,)} if cloud else {}),
        spared=SPARED.get(version, {}) | ({} if cloud else {Trouble.RATE_LIMITED: NO_WORD}),
    )


class _Plug31:
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of("3.1")


class _Strip33:
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of("3.3", 2)


class _Plug34:
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of("3.4")


class _Plug35:
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of("3.5")


class _PlugWithCloud:
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of("3.4", cloud=True)


class TestPlug31(_Plug31, ContractSuite):
    pass


class TestPlug31InTrouble(_Plug31, FaultMatrixSuite):
    pass


class TestStrip33(_Strip33, ContractSuite):
    pass


class TestStrip33InTrouble(_Strip33, FaultMatrixSuite):
    pass


class TestPlug34(_Plug34, ContractSuite):
    pass


class TestPlug34InTrouble(_Plug34, FaultMatrixSuite):
    pass


class TestPlug35(_Plug35, ContractSuite):
    pass


class TestPlug35InTrouble(_Plug35, FaultMatrixSuite):
    pass


class TestPlugWithCloud(_PlugWithCloud, ContractSuite):
    pass


class TestPlugWithCloudInTrouble(_PlugWithCloud, FaultMatrixSuite):
    pass
