"""Messages by ntfy, Pushover, Telegram and a hundred other services, through the library apprise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from pimgr.api import Capability, Config, Connection, Context, DeviceType, Secret, Severity, hookimpl


class UrlConfig(Config):
    """`apprise.url` in the config file.

    `url`: where to, as apprise writes it, such as "ntfy://topic"; it holds passwords, so the whole of it is a secret.
    `least`: the mildest severity that is sent.
    """

    url: Secret
    least: Severity = Severity.INFO


def _provides(_: UrlConfig) -> Mapping[str, frozenset[Capability]]:
    return {"": frozenset({Capability.NOTIFIER})}


def _open(config: UrlConfig, context: Context) -> AbstractAsyncContextManager[Connection]:
    from pimgr_apprise.url import open_url

    return open_url(config, context)


URL = DeviceType(
    name="apprise.url",
    summary="Messages by ntfy, Pushover, Telegram and a hundred other services",
    config=UrlConfig,
    provides=_provides,
    open=_open,
    cloud=True,
)


@hookimpl
def pimgr_device_types() -> Sequence[DeviceType[Any]]:
    """The device types of this plugin."""
    return (URL,)
