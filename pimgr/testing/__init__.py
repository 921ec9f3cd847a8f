"""What a plugin author tests with: contract suites, scripted devices, a stand-in context, virtual time.

The suites need pytest and are imported when first asked for; everything else runs without it.
"""

from __future__ import annotations

from pimgr.testing.context import FakeContext, FakeStore
from pimgr.testing.time import FakeClock, VirtualLoop, run_virtual
from pimgr.testing.world import Command, Fault, World, world_named

__all__ = [
    "Command",
    "FakeClock",
    "FakeContext",
    "FakeStore",
    "Fault",
    "VirtualLoop",
    "World",
    "run_virtual",
    "world_named",
]
