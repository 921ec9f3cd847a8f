"""A mail server as a provider runs it: TLS from the start or by STARTTLS, a login, and the right to say no.

Built on aiosmtpd. Its certificate is signed by the house's authority (`House.ca_pem`), for "localhost" and 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from pimgr.house.certificates import Identity, self_signed
from pimgr.house.faults import MAIL_FAULTS, Fault, Line
from pimgr.house.house import House
from pimgr.house.kinds import DeviceSpec, ServerKind
from pimgr.house.mails import Mail
from pimgr.house.relay import relay

OK = "250 2.0.0 OK"
TEMPORARY = "451 4.3.0 Temporary problem, try again later"
PERMANENT = "550 5.4.5 Daily user sending limit exceeded"


class MailSpec(DeviceSpec, kw_only=True):
    """A mail server. `refuses`: recipients it does not know. Without a `user` it asks for no login."""

    user: str = "house@example.org"
    password: str = "app-password"  # noqa: S105 - of a house that does not exist
    security: Literal["tls", "starttls", "none"] = "tls"
    refuses: tuple[str, ...] = ()


class MailServer:
    """One mail server."""

    def __init__(self, spec: MailSpec, house: House) -> None:
        self.spec = spec
        self.password = spec.password
        self._house = house
        identity = house.authority.issue("mail.example.org")
        house.identify(spec.id, identity)
        self.tls: ssl.SSLContext = identity.server_context()

    def new_identity(self) -> None:
        """Show a certificate that nobody vouches for, to every connection from now on; not under STARTTLS."""
        self.show(self_signed(self.spec.id))

    def show(self, identity: Identity) -> None:
        """Show this certificate to every connection from now on."""
        self._house.identify(self.spec.id, identity)
        self._house.gate(self.spec.id).tls = identity.server_context()

    async def serve(self, line: Line) -> None:
        """One connection."""
        await relay(line, self._attach)

    async def _attach(self, end: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(self._protocol, end)
        await loop.create_future()  # until the relay ends it

    def _protocol(self) -> SMTP:
        starttls = self.spec.security == "starttls"
        return SMTP(
            self,
            hostname="mail.example.org",
            ident="house in a box",
            tls_context=self.tls if starttls else None,
            require_starttls=starttls,
            auth_require_tls=starttls,  # under TLS from the start it sees no TLS of its own
            authenticator=self._authenticate,
            loop=asyncio.get_running_loop(),
        )

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: object
    ) -> AuthResult:
        right = isinstance(data, LoginPassword) and all(
            secrets.compare_digest(given, wanted.encode())
            for given, wanted in ((data.login, self.spec.user), (data.password, self.password))
        )
        self._note("login", "ok" if right else "refused", "")
        return AuthResult(success=right, handled=False, auth_data=data)

    async def handle_MAIL(  # noqa: N802 - the names that aiosmtpd looks for
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Whether a mail may begin."""
        fault = self._house.gate(self.spec.id).fault
        if fault in MAIL_FAULTS:
            answer = TEMPORARY if fault is Fault.MAIL_TEMPORARY else PERMANENT
            self._note("refused", answer[:3], address)
            return answer
        if self.spec.user and not session.authenticated:
            self._note("refused", "530", address)
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return OK

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Whether a recipient is known."""
        if address in self.spec.refuses:
            self._note("refused", "550", address)
            return "550 5.1.1 The email account that you tried to reach does not exist"
        envelope.rcpt_tos.append(address)
        return OK

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """A mail is here: it is kept."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        mail = Mail(
            sender=envelope.mail_from or "",
            recipients=tuple(str(each) for each in envelope.rcpt_tos),
            raw=content,
            user=self.spec.user if session.authenticated else "",
            tls=self.spec.security == "tls" or session.ssl is not None,
            at=time.time(),
        )
        self._house.mails.append(mail)
        self._note("mail", mail.subject, f"to {', '.join(mail.recipients)}")
        return OK

    def _note(self, what: str, value: str, raw: str) -> None:
        self._house.wire.note(self.spec.id, "", what, value, raw=raw)


def _without_noise(record: logging.LogRecord) -> bool:
    """aiosmtpd 1.4.6 warns of its own `Session.login_data` at every login."""
    return "login_data" not in record.getMessage()


logging.getLogger("mail.log").addFilter(_without_noise)


@asynccontextmanager
async def _serve(spec: MailSpec, house: House) -> AsyncIterator[None]:
    server = MailServer(spec, house)
    house.offer(spec.id, server)
    async with house.listening(spec.id, spec.port, server.serve, server.tls if spec.security == "tls" else None):
        yield


KIND = ServerKind(kind="mail", config=MailSpec, serve=_serve, faults=MAIL_FAULTS, internet=True)
