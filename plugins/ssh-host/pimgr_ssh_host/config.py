"""What the config file says of a machine that is reached over SSH."""

from __future__ import annotations

import ipaddress
import re
from enum import StrEnum
from typing import ClassVar

from pimgr.api import Config, Secret
from pimgr_ssh_host.keys import host_key_blob
from pimgr_ssh_host.wake import is_mac

_NAME = re.compile(r"[^\s/@:]+")
_LONGEST_COMMAND = 1000


class Transport(StrEnum):
    """Which program speaks SSH for us."""

    PARAMIKO = "paramiko"
    """The library; it knows nothing that is weak, such as SHA-1."""
    OPENSSH = "openssh"
    """The system's `ssh`, which still speaks with servers that know SHA-1 only."""


class SshConfig(Config, kw_only=True):
    """What every machine over SSH has in the config.

    `key`: private key in OpenSSH's format, without a passphrase. `host_key`: the machine's public key, one line of
    `ssh-keyscan` without the name; no other is accepted. Absent, the first one seen is remembered. `mac`: for waking;
    the magic packet goes to `wake_address`.
    """

    COMMANDS: ClassVar[tuple[str, ...]] = ("shutdown_command",)
    """Keys that hold a command line."""

    address: str
    user: str
    key: Secret
    host_key: str | None = None
    port: int = 22
    transport: Transport = Transport.PARAMIKO
    mac: str | None = None
    wake_address: str = "255.255.255.255"
    wake_port: int = 9

    def __post_init__(self) -> None:
        if (not _NAME.fullmatch(self.address) or self.address.startswith("-")) and not is_ip(self.address):
            raise ValueError(f'address {self.address!r}: write "192.0.2.20" or a name; a port has its own key')
        if not _NAME.fullmatch(self.user) or self.user.startswith("-"):
            raise ValueError(f"user {self.user!r}: write a user of that machine")
        for name, port in (("port", self.port), ("wake_port", self.wake_port)):
            if not 1 <= port <= 65535:
                raise ValueError(f"{name} {port}: 1 to 65535")
        if self.host_key is not None and host_key_blob(self.host_key) is None:
            raise ValueError('host_key: write "ssh-ed25519 AAAA...", from ssh-keyscan or /etc/ssh/ssh_host_*_key.pub')
        if self.mac is not None and not is_mac(self.mac):
            raise ValueError(f'mac {self.mac!r}: write "02:00:00:00:00:01"')
        if not is_ip(self.wake_address):
            raise ValueError(f"wake_address {self.wake_address!r}: write an IP address, such as 192.0.2.255")
        for name in self.COMMANDS:
            check_command(name, getattr(self, name, None))


class LinuxConfig(SshConfig, kw_only=True):
    """`ssh-host.linux` in the config file. `forced_command`: the key runs docs/plugins/ssh-host.md's script only."""

    shutdown_command: str = "sudo -n shutdown -h now"
    forced_command: bool = False


class SolarisConfig(SshConfig, kw_only=True):
    """`ssh-host.solaris` in the config file."""

    shutdown_command: str = "pfexec /usr/sbin/shutdown -y -i5 -g0"
    forced_command: bool = False


class CustomConfig(SshConfig, kw_only=True):
    """`ssh-host.custom` in the config file: a machine that is told what to do in its own words.

    `boot_id_command`: writes one line that stays until the machine boots again. `check_command`: ends well if the
    shutdown is allowed, and changes nothing.
    """

    COMMANDS: ClassVar[tuple[str, ...]] = ("shutdown_command", "boot_id_command", "check_command")

    shutdown_command: str
    boot_id_command: str | None = None
    check_command: str | None = None


def check_command(name: str, command: str | None) -> None:
    """Raise ValueError unless this is None or one line that can be sent as a command."""
    if command is None:
        return
    if not command.strip() or not command.isprintable() or len(command) > _LONGEST_COMMAND:
        raise ValueError(f"{name}: write one line, such as sudo -n shutdown -h now")


def is_ip(text: str) -> bool:
    """Whether this is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
