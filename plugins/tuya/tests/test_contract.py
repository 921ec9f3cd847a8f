"""The contract suite on the Tuya plugin: each version of the protocol, a strip, and a plug with the cloud behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from pimgr_tuya import PLUG

from pimgr.house import Fault, House
from pimgr.testing import ContractSuite, Subject, Trouble, Vendor

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
NO_LIMIT = {Trouble.RATE_LIMITED: "a plug has no words for being asked too often; it is asked once a minute"}


@asynccontextmanager
async def tuya_on_loopback(version: str, switches: int, cloud: bool = False) -> AsyncIterator[Vendor]:
    text = f'version = 1\n[faults]\nslow_s = 0.5\n[[device]]\nid = "plug"\nkind = "tuya"\nversion = "{version}"\n'
    text += f'key = "{KEY}"\nswitches = {switches}\n[[device]]\nid = "cloud"\nkind = "tuya-cloud"\n'
    async with House.from_toml(text) as house:
        plug, project = house.controls("plug"), house.controls("cloud")
        first = plug.device_id
        config: dict[str, Any] = {
            "address": "127.0.0.1", "port": house.port("plug"), "device_id": first, "key": {"secret": "key"},
            "version": version, "switches": max(1, switches),
        }  # fmt: skip
        if cloud:
            config |= {
                "cloud_endpoint": f"http://127.0.0.1:{house.port('cloud')}",
                "cloud_key": {"secret": "id"}, "cloud_secret": {"secret": "secret"},
            }  # fmt: skip

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

        troubles: dict[Trouble, Any] = {trouble: partial(both, fault) for trouble, fault in FAULTS.items()}
        troubles |= {
            Trouble.NONE: heal,
            Trouble.WRONG_CREDENTIALS: wrong,
            Trouble.CHANGED_IDENTITY: plug.new_identity,
        }
        yield Vendor(config=config, troubles=troubles | ({Trouble.RATE_LIMITED: limited} if cloud else {}))


def subject_of(version: str, switches: int = 0, *, cloud: bool = False) -> Subject:
    hangs_up = version in ("3.4", "3.5")
    return Subject(
        plugin="pimgr_tuya",
        device_type=PLUG,
        vendor=partial(tuya_on_loopback, version, switches, cloud),
        secrets=SECRETS if cloud else {"key": KEY},
        wrong_secrets={"key": OTHER_KEY} if hangs_up and not cloud else None,
    )


class TestPlug31(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of("3.1")


class TestPlug33(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of("3.3")


class TestPlug34(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of("3.4")


class TestPlug35(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of("3.5")


class TestStrip(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of("3.3", 3)


class TestPlugWithCloud(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return subject_of("3.4", cloud=True)
