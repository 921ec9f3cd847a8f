"""Messages by apprise: no device type yet, they come in a later version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pimgr.api import DeviceType, hookimpl


@hookimpl
def pimgr_device_types() -> Sequence[DeviceType[Any]]:
    """The device types of this plugin: none yet."""
    return ()
