"""This distribution's entry points are found as if it were installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from house_on_loopback import as_installed


@pytest.fixture(scope="session", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        site = as_installed(tmp_path_factory.mktemp("site"))
        patch.syspath_prepend(str(site))
        yield site
