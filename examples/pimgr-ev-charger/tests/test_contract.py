"""Every rule of pimgr's contract, and every trouble, on the charger."""

from __future__ import annotations

import pytest
from house_on_loopback import vendor
from pimgr_ev_charger import CHARGER

from pimgr.testing import ContractSuite, FaultMatrixSuite, Subject


@pytest.fixture
def subject() -> Subject:
    return Subject(
        plugin="pimgr_ev_charger",
        device_type=CHARGER,
        vendor=vendor,
        levels=(0.0, 6.0, 10.0, 16.0),
        unsupported=(("", "set_level", (3.0,)), ("", "set_level", (7.5,)), ("", "set_level", (40.0,))),
    )


class TestContract(ContractSuite):
    """What `pimgr.api` asks of a plugin."""


class TestFaults(FaultMatrixSuite):
    """In each trouble the right one of the four errors, in time, and nothing left behind."""
