"""The scripted devices, read no more often than real ones may be.

A scripted device answers at once, so one that a decision waits for would be read on and on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pimgr import api
from pimgr.testing.scripted import DEVICE_TYPES

FLOOR_S = 1.0


@api.hookimpl
def pimgr_device_types() -> Sequence[api.DeviceType[Any]]:
    """Those of `pimgr.testing.scripted`. The gateway stays as fast as a config wants it."""
    return [t if t.name == "scripted.gateway" else replace(t, floor_s=FLOOR_S) for t in DEVICE_TYPES]
