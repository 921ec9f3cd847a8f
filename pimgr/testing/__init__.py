"""What a plugin author tests with: the contract suite, scripted devices, a stand-in context, virtual time.

The suite needs pytest and is imported when first asked for; everything else runs without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pimgr.testing.context import FakeContext, FakeStore
from pimgr.testing.subject import METHODS, Broken, NotApplicable, Subject, Trouble, Vendor
from pimgr.testing.time import FakeClock, VirtualLoop, run_virtual
from pimgr.testing.world import Command, Fault, World, world_named

if TYPE_CHECKING:
    from pimgr.testing.contract import RULES, ContractSuite, run_rule
    from pimgr.testing.matrix import FaultMatrixSuite, run_trouble

__all__ = [
    "METHODS",
    "RULES",
    "Broken",
    "Command",
    "ContractSuite",
    "FakeClock",
    "FakeContext",
    "FakeStore",
    "Fault",
    "FaultMatrixSuite",
    "NotApplicable",
    "Subject",
    "Trouble",
    "Vendor",
    "VirtualLoop",
    "World",
    "run_rule",
    "run_trouble",
    "run_virtual",
    "world_named",
]


def __getattr__(name: str) -> Any:
    if name in ("RULES", "ContractSuite", "run_rule"):
        from pimgr.testing import contract

        return getattr(contract, name)
    if name in ("FaultMatrixSuite", "run_trouble"):
        from pimgr.testing import matrix

        return getattr(matrix, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
