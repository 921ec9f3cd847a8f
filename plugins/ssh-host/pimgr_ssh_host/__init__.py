"""Linux machines: shut down cleanly over SSH, woken by a magic packet."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from pimgr.api import Capability, Config, Connection, Context, DeviceType, Secret, hookimpl

_MAC = re.compile(r"[0-9a-f]{2}([:-]?)([0-9a-f]{2}\1){4}[0-9a-f]{2}", re.IGNORECASE)
_NAME = re.compile(r"[^\s/@:]+")
HOST_KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")


class LinuxConfig(Config):
    """`ssh-host.linux` in the config file.

    `key`: private key in OpenSSH's format, without a passphrase. `host_key`: the machine's public key, one line of
    `ssh-keyscan` without the name; no other is accepted. `mac`: for waking; the magic packet goes to `wake_address`.
    """

    address: str
    user: str
    key: Secret
    host_key: str
    port: int = 22
    mac: str | None = None
    wake_address: str = "255.255.255.255"
    wake_port: int = 9
    shutdown_command: str = "sudo -n shutdown -h now"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.address) and not _is_ip(self.address):
            raise ValueError(f'address {self.address!r}: write "192.0.2.20" or a name; a port has its own key')
        if not _NAME.fullmatch(self.user):
            raise ValueError(f"user {self.user!r}: write a user of that machine")
        for name, port in (("port", self.port), ("wake_port", self.wake_port)):
            if not 1 <= port <= 65535:
                raise ValueError(f"{name} {port}: 1 to 65535")
        if host_key_blob(self.host_key) is None:
            raise ValueError('host_key: write "ssh-ed25519 AAAA...", from ssh-keyscan or /etc/ssh/ssh_host_*_key.pub')
        if self.mac is not None and not _MAC.fullmatch(self.mac):
            raise ValueError(f'mac {self.mac!r}: write "02:00:00:00:00:01"')
        if not _is_ip(self.wake_address):
            raise ValueError(f"wake_address {self.wake_address!r}: write an IP address, such as 192.0.2.255")
        if not self.shutdown_command.strip() or not self.shutdown_command.isprintable():
            raise ValueError("shutdown_command: write one line, such as sudo -n shutdown -h now")


def host_key_blob(line: str) -> bytes | None:
    """The key of a line "ssh-ed25519 AAAA... comment" in wire format; None where it isn't one."""
    words = line.split()
    if len(words) < 2 or words[0] not in HOST_KEY_TYPES:
        return None
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        return None
    name = words[0].encode()
    return blob if blob.startswith(len(name).to_bytes(4, "big") + name) and len(blob) > len(name) + 4 else None


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _provides(_: LinuxConfig) -> Mapping[str, frozenset[Capability]]:
    return {"": frozenset({Capability.HOST})}


def _open(config: LinuxConfig, context: Context) -> AbstractAsyncContextManager[Connection]:
    from pimgr_ssh_host.host import open_host  # brings paramiko in, so only once it is opened

    return open_host(config, context)


LINUX = DeviceType(
    name="ssh-host.linux",
    summary="Linux machine, shut down over SSH and woken over the network",
    config=LinuxConfig,
    provides=_provides,
    open=_open,
    vendor_modules=("paramiko",),
)


@hookimpl
def pimgr_device_types() -> Sequence[DeviceType[Any]]:
    """The device types of this plugin."""
    return (LINUX,)
