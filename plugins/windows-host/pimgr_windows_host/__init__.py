"""Windows machines that are shut down over the network, and woken by a magic packet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from pimgr.api import Capability, Connection, Context, DeviceType, hookimpl
from pimgr_windows_host.config import RpcConfig, SshWindowsConfig


def _provides(_: RpcConfig | SshWindowsConfig) -> Mapping[str, frozenset[Capability]]:
    return {"": frozenset({Capability.HOST})}


def _open_rpc(config: RpcConfig, context: Context) -> AbstractAsyncContextManager[Connection]:
    from pimgr_windows_host.rpc import open_rpc  # only once it is opened

    return open_rpc(config, context)


def _open_ssh(config: SshWindowsConfig, context: Context) -> AbstractAsyncContextManager[Connection]:
    from pimgr_windows_host.ssh import open_ssh

    return open_ssh(config, context)


RPC = DeviceType(
    name="windows-host.rpc",
    summary="Windows machine, shut down by its own remote shutdown and woken over the network",
    config=RpcConfig,
    provides=_provides,
    open=_open_rpc,
    calls_off=True,
)
SSH = DeviceType(
    name="windows-host.ssh",
    summary="Windows machine with the OpenSSH server, shut down over SSH and woken over the network",
    config=SshWindowsConfig,
    provides=_provides,
    open=_open_ssh,
    calls_off=True,
    vendor_modules=("paramiko",),
)


@hookimpl
def pimgr_device_types() -> Sequence[DeviceType[Any]]:
    """The device types of this plugin."""
    return RPC, SSH
