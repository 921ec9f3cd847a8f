"""The plugin loads, and offers no device type that does not work yet."""

import pimgr_weather

from pimgr.api import plugin_manager


def test_it_loads_and_promises_nothing_yet() -> None:
    manager = plugin_manager()
    manager.register(pimgr_weather)
    assert manager.hook.pimgr_device_types() == [()]
