"""Mail by Gmail, or by any mail server that speaks TLS."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

from pimgr.api import Capability, Config, Connection, Context, DeviceType, Finding, Secret, Severity, hookimpl

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=^_`{|}~-]+@[A-Za-z0-9.-]+")
"""What goes between < and > in an envelope, without quoting. That it exists is for the server to say."""
_RANK = {severity: rank for rank, severity in enumerate(Severity)}
_HOST = re.compile(r"[^\s/@:]+")


class MailConfig(Config):
    """`gmail.mail` in the config file.

    `password`: with Gmail an app password, not the account's. `to`: who gets every mail; `warning_to`, `critical_to`:
    who gets those of that severity and above; `short_to`: who gets one line of at most 160 characters, from the
    severity `short_from` up, for services that make a text message of it. `sender`: absent, `user`.
    `security`: "tls" from the first byte (port 465) or "starttls" (port 587); without TLS nothing is ever sent.
    `ca_file`: certificates that vouch for the server, where the system's own don't.
    """

    user: str
    password: Secret
    to: tuple[str, ...] = ()
    warning_to: tuple[str, ...] = ()
    critical_to: tuple[str, ...] = ()
    short_to: tuple[str, ...] = ()
    short_from: Severity = Severity.CRITICAL
    sender: str | None = None
    host: str = "smtp.gmail.com"
    port: int = 465
    security: Literal["tls", "starttls"] = "tls"
    ca_file: str | None = None

    def __post_init__(self) -> None:
        if not self.addresses:
            raise ValueError("to: name at least one address (or warning_to, critical_to, short_to)")
        for address in (*self.addresses, self.sent_from):
            if not _ADDRESS.fullmatch(address):
                raise ValueError(f'{address!r}: write an address such as "someone@example.org"')
        if not self.user.isprintable() or not self.user:
            raise ValueError(f"user {self.user!r}: write the mail account's user name")
        if not _HOST.fullmatch(self.host):
            raise ValueError(f'host {self.host!r}: write "smtp.gmail.com"; a port has its own key')
        if not 1 <= self.port <= 65535:
            raise ValueError(f"port {self.port}: 1 to 65535")

    @property
    def addresses(self) -> tuple[str, ...]:
        """Everybody who may get a mail, each once."""
        return tuple(dict.fromkeys((*self.to, *self.warning_to, *self.critical_to, *self.short_to)))

    def recipients(self, severity: Severity) -> tuple[str, ...]:
        """Who gets the whole message."""
        chosen = self.to
        if severity is not Severity.INFO:
            chosen += self.warning_to
        if severity is Severity.CRITICAL:
            chosen += self.critical_to
        return tuple(dict.fromkeys(chosen))

    def short_recipients(self, severity: Severity) -> tuple[str, ...]:
        """Who gets the one line."""
        return self.short_to if _RANK[severity] >= _RANK[self.short_from] else ()

    @property
    def sent_from(self) -> str:
        """The address that mails come from."""
        return self.sender if self.sender is not None else self.user


def _provides(_: MailConfig) -> Mapping[str, frozenset[Capability]]:
    return {"": frozenset({Capability.NOTIFIER})}


def _open(config: MailConfig, context: Context) -> AbstractAsyncContextManager[Connection]:
    from pimgr_gmail.mail import open_mail

    return open_mail(config, context)


def _advise(config: MailConfig) -> Sequence[Finding]:
    from pimgr_gmail.gateways import INSTEAD, gateway_of

    known = [(address, gateway_of(address)) for address in config.addresses]
    return [
        Finding(
            severity=Severity.CRITICAL if gateway.closed else Severity.WARNING,
            text=f"mail to {address} reaches no phone: {gateway.fact}" if gateway.closed else gateway.fact,
            cure=INSTEAD,
        )
        for address, gateway in known
        if gateway
    ]


MAIL = DeviceType(
    name="gmail.mail",
    summary="Mail by Gmail, or by any mail server with TLS",
    config=MailConfig,
    provides=_provides,
    open=_open,
    vendor_modules=("smtplib",),
    cloud=True,
    advise=_advise,
)


@hookimpl
def pimgr_device_types() -> Sequence[DeviceType[Any]]:
    """The device types of this plugin."""
    return (MAIL,)
