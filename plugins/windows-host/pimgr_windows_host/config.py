"""What the config file says of a Windows machine."""

from __future__ import annotations

import re

from pimgr_ssh_host.config import SshConfig, is_ip
from pimgr_ssh_host.wake import is_mac

from pimgr.api import Config, Secret

MESSAGE = "The power is out, and the battery is low. This computer shuts down to be safe."
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_NAME = re.compile(r"[^\x00-\x1f\"/\\\[\]:;|=,+*?<>@\x7f]{1,104}")
"""Of users and domains. Source: Microsoft, "User Name Formats" and the sAMAccountName limits."""
_LONGEST_MESSAGE = 512


class RpcConfig(Config, kw_only=True):
    """`windows-host.rpc` in the config file.

    `user`, `password`: an account of that machine that may shut it down from afar; `domain`: empty for one of its own.
    `warning`: seconds from the request to the shutdown, while its user sees `message`, and pimgr can still call it off
    if the power comes back. `mac`: for waking; the magic packet goes to `wake_address`.
    """

    address: str
    user: str
    password: Secret
    domain: str = ""
    port: int = 445
    warning: int = 30
    message: str = MESSAGE
    mac: str | None = None
    wake_address: str = "255.255.255.255"
    wake_port: int = 9

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.address):
            raise ValueError(f'address {self.address!r}: write "192.0.2.30" or a name; a port has its own key')
        if not _NAME.fullmatch(self.user) or (self.domain and not _NAME.fullmatch(self.domain)):
            raise ValueError(f"user {self.user!r}: write the account's name; its domain, if any, has a key of its own")
        for name, port in (("port", self.port), ("wake_port", self.wake_port)):
            if not 1 <= port <= 65535:
                raise ValueError(f"{name} {port}: 1 to 65535")
        if self.mac is not None and not is_mac(self.mac):
            raise ValueError(f'mac {self.mac!r}: write "02:00:00:00:00:01"')
        if not is_ip(self.wake_address):
            raise ValueError(f"wake_address {self.wake_address!r}: write an IP address, such as 192.0.2.255")
        check_warning(self.warning, self.message)


class SshWindowsConfig(SshConfig, kw_only=True):
    """`windows-host.ssh` in the config file: the OpenSSH server that Windows 10 and 11 bring along.

    `warning` and `message`: as with `windows-host.rpc`.
    """

    warning: int = 30
    message: str = MESSAGE

    def __post_init__(self) -> None:
        super().__post_init__()
        check_warning(self.warning, self.message)


def check_warning(warning: int, message: str) -> None:
    """Raise ValueError unless these can be told to a Windows machine, in whichever shell."""
    if not 0 <= warning <= 600:
        raise ValueError(f"warning {warning}: 0 to 600 seconds")
    if not message.isprintable() or len(message) > _LONGEST_MESSAGE or re.search(r"[\"'`%^&|<>$!]", message):
        raise ValueError("message: one line of at most 512 characters, without quotes and signs that a shell reads")
