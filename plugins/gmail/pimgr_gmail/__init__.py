"""Mail by Gmail, or by any mail server that speaks TLS."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

from pimgr.api import Capability, Config, Connection, Context, DeviceType, Secret, hookimpl

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=^_`{|}~-]+@[A-Za-z0-9.-]+")
"""What goes between < and > in an envelope, without quoting. That it exists is for the server to say."""
_HOST = re.compile(r"[^\s/@:]+")


class MailConfig(Config):
    """`gmail.mail` in the config file.

    `password`: with Gmail an app password, not the account's. `to`: who gets the mails. `sender`: absent, `user`.
    `security`: "tls" from the first byte (port 465) or "starttls" (port 587); without TLS nothing is ever sent.
    `ca_file`: certificates that vouch for the server, where the system's own don't.
    """

    user: str
    password: Secret
    to: tuple[str, ...]
    sender: str | None = None
    host: str = "smtp.gmail.com"
    port: int = 465
    security: Literal["tls", "starttls"] = "tls"
    ca_file: str | None = None

    def __post_init__(self) -> None:
        if not self.to:
            raise ValueError("to: name at least one address")
        for address in (*self.to, self.sent_from):
            if not _ADDRESS.fullmatch(address):
                raise ValueError(f'{address!r}: write an address such as "someone@example.org"')
        if not self.user.isprintable() or not self.user:
            raise ValueError(f"user {self.user!r}: write the mail account's user name")
        if not _HOST.fullmatch(self.host):
            raise ValueError(f'host {self.host!r}: write "smtp.gmail.com"; a port has its own key')
        if not 1 <= self.port <= 65535:
            raise ValueError(f"port {self.port}: 1 to 65535")

    @property
    def sent_from(self) -> str:
        """The address that mails come from."""
        return self.sender if self.sender is not None else self.user


def _provides(_: MailConfig) -> Mapping[str, frozenset[Capability]]:
    return {"": frozenset({Capability.NOTIFIER})}


def _open(config: MailConfig, context: Context) -> AbstractAsyncContextManager[Connection]:
    from pimgr_gmail.mail import open_mail

    return open_mail(config, context)


MAIL = DeviceType(
    name="gmail.mail",
    summary="Mail by Gmail, or by any mail server with TLS",
    config=MailConfig,
    provides=_provides,
    open=_open,
    vendor_modules=("smtplib",),
    cloud=True,
)


@hookimpl
def pimgr_device_types() -> Sequence[DeviceType[Any]]:
    """The device types of this plugin."""
    return (MAIL,)
