"""The pytest plugin of pimgr: fixtures for testing plugins, or pimgr itself. Loads nothing until one is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pimgr.testing.context import FakeContext
    from pimgr.testing.world import World


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A scripted house of this test's own; a config names it by `world.name`."""
    from pimgr.testing.world import World

    made = World(request.node.nodeid.replace("/", ":"))
    yield made
    made.close()


@pytest.fixture
def make_context() -> Iterator[Callable[..., FakeContext]]:
    """Makes contexts, with the arguments of `FakeContext`, and ends their threads after the test."""
    from pimgr.testing.context import FakeContext

    made: list[FakeContext] = []

    def make(*args: object, **kwargs: object) -> FakeContext:
        made.append(FakeContext(*args, **kwargs))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for context in made:
        context.close()
