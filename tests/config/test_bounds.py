"""A file without end is neither read whole nor taken for a config or a secret."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pimgr import api, config
from pimgr.config import Secrets
from tests.config.house import PLUGINS, VALID, changed

HUGE = 256 * 1024 * 1024


@pytest.fixture
def huge(tmp_path: Path) -> Path:
    """Zeros that take no room on the disk."""
    path = tmp_path / "huge"
    path.touch(mode=0o600)
    os.truncate(path, HUGE)
    return path


@pytest.fixture
def most_held() -> Iterator[Callable[[], int]]:
    """The most memory, in bytes, that was held at once."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def test_of_a_config_without_end_only_the_beginning_is_read(huge: Path, most_held: Callable[[], int]) -> None:
    with pytest.raises(config.ConfigErrors):
        config.load(huge, PLUGINS)
    assert most_held() < HUGE / 4


def test_of_a_secret_without_end_only_the_beginning_is_read(huge: Path, most_held: Callable[[], int]) -> None:
    with pytest.raises(api.Refused, match="too large"):
        Secrets(huge.parent, None).text(api.Secret(huge.name))
    assert most_held() < HUGE / 4


def test_a_valid_config_that_is_far_too_long_is_refused_as_that() -> None:
    with pytest.raises(config.ConfigErrors, match="at most 1048576"):
        config.parse(VALID + "# nothing\n" * 200_000, "pimgr.toml", PLUGINS)


def test_a_number_of_any_size_is_told_and_never_a_crash() -> None:
    huge = "9" * 400
    with pytest.raises(config.ConfigErrors) as caught:
        config.parse(changed(("below = 50", f"below = {huge}")), "pimgr.toml", PLUGINS)
    assert "a very large number" in str(caught.value)
