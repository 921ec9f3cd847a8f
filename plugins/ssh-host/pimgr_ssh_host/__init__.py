"""Machines that are shut down cleanly over SSH, and woken by a magic packet: Linux, Solaris, and others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from pimgr.api import Capability, Connection, Context, DeviceType, hookimpl
from pimgr_ssh_host.config import CustomConfig, LinuxConfig, SolarisConfig, SshConfig


def _provides(_: SshConfig) -> Mapping[str, frozenset[Capability]]:
    return {"": frozenset({Capability.HOST})}


def _open_linux(config: LinuxConfig, context: Context) -> AbstractAsyncContextManager[Connection]:
    from pimgr_ssh_host import host, systems  # only once it is opened

    return host.open_host(config, context, systems.linux(config))


def _open_solaris(config: SolarisConfig, context: Context) -> AbstractAsyncContextManager[Connection]:
    from pimgr_ssh_host import host, systems

    return host.open_host(config, context, systems.solaris(config))


def _open_custom(config: CustomConfig, context: Context) -> AbstractAsyncContextManager[Connection]:
    from pimgr_ssh_host import host, systems

    return host.open_host(config, context, systems.custom(config))


LINUX = DeviceType(
    name="ssh-host.linux",
    summary="Linux machine, shut down over SSH and woken over the network",
    config=LinuxConfig,
    provides=_provides,
    open=_open_linux,
    vendor_modules=("paramiko",),
)
SOLARIS = DeviceType(
    name="ssh-host.solaris",
    summary="Solaris or illumos machine, shut down over SSH and woken over the network",
    config=SolarisConfig,
    provides=_provides,
    open=_open_solaris,
    vendor_modules=("paramiko",),
)
CUSTOM = DeviceType(
    name="ssh-host.custom",
    summary="Any machine with an SSH server, with commands of your own (FreeBSD, macOS, a NAS)",
    config=CustomConfig,
    provides=_provides,
    open=_open_custom,
    vendor_modules=("paramiko",),
)


@hookimpl
def pimgr_device_types() -> Sequence[DeviceType[Any]]:
    """The device types of this plugin."""
    return LINUX, SOLARIS, CUSTOM
