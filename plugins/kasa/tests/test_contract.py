"""The contract suite on the Kasa plugin: a plug, and a strip."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from pimgr_kasa import PLUG

from pimgr.house import Fault, House
from pimgr.testing import ContractSuite, Subject, Trouble, Vendor

pytestmark = pytest.mark.slow


@asynccontextmanager
async def kasa_on_loopback(outlets: int) -> AsyncIterator[Vendor]:
    async with House.from_toml(f'version = 1\n[[device]]\nid = "load"\nkind = "kasa"\noutlets = {outlets}\n') as house:
        yield Vendor(
            config={"address": "127.0.0.1", "port": house.port("load"), "outlets": outlets},
            troubles={
                Trouble.NONE: lambda: house.fault("load", Fault.NONE),
                Trouble.UNREACHABLE: lambda: house.fault("load", Fault.REFUSING),
                Trouble.SILENT: lambda: house.fault("load", Fault.SILENT),
                Trouble.GARBAGE: lambda: house.fault("load", Fault.GARBAGE),
            },
        )


class TestPlug(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return Subject(plugin="pimgr_kasa", device_type=PLUG, vendor=partial(kasa_on_loopback, 0))


class TestStrip(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return Subject(plugin="pimgr_kasa", device_type=PLUG, vendor=partial(kasa_on_loopback, 3))
