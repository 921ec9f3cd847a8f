"""Python's SMTP client, blocking, with what it lacks: an end to replies without end, and a hand that can hang up."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import time
from typing import IO

from pimgr_gmail import MailConfig

_MOST_BYTES = 64 * 1024
"""A server says a few kB in a whole session."""
_LONGEST_LINE = 8192


class TooMuchError(Exception):
    """The server says more than any mail server does."""


class _BoundedReader:
    """Reads lines until `_MOST_BYTES` have come in all: smtplib collects a reply of many lines without a limit."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left = _MOST_BYTES

    def readline(self, limit: int) -> bytes:
        line = self._file.readline(limit)
        self._left -= len(line)
        if self._left < 0 or len(line) > _LONGEST_LINE:
            raise TooMuchError
        return line

    def close(self) -> None:
        self._file.close()


class Smtp(smtplib.SMTP):
    """One session, encrypted before anything is said, that `hang_up` ends from any thread.

    A time-out of a socket doesn't end a reply that drips, so whoever owns the deadline hangs up.
    """

    def __init__(self, config: MailConfig, deadline_s: float) -> None:
        self._config = config
        self._deadline_s = deadline_s
        self._line: socket.socket | None = None
        self._hung_up = False
        self._tls = tls_context(config)
        # a name of its own would be looked up by DNS, and be told to everybody in the mail's headers
        super().__init__(local_hostname="localhost", timeout=max(0.001, deadline_s - time.monotonic()))
        self._host = config.host  # what STARTTLS checks the certificate for; only a constructor that connects sets it

    def begin(self) -> None:
        """Connect, encrypt, greet. Raises OSError, ssl.SSLError and smtplib's own errors."""
        code, words = self.connect(self._config.host, self._config.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, words)
        if self._config.security == "starttls":
            self.starttls(context=self._tls)
        self.ehlo_or_helo_if_needed()

    def log_in(self, password: str) -> None:
        """Log in once. `login` would try a wrong password again by each other way, and count as several attacks."""
        if "PLAIN" in str(self.esmtp_features.get("auth", "")).upper().split():
            self.user, self.password = self._config.user, password
            self.auth("PLAIN", self.auth_plain)
        else:
            self.login(self._config.user, password)

    def hang_up(self) -> None:
        """End it at once, from any thread; whoever waits for a reply gets an error."""
        self._hung_up = True
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        super().close()
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _BoundedReader(self.sock.makefile("rb"))
        return super().getreply()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """The connection, of which a second handle is kept for `hang_up`: TLS takes the first one over."""
        plain = socket.create_connection((host, port), timeout)
        try:
            self._line = plain.dup()
            if self._hung_up:
                raise TimeoutError
            if self._config.security == "tls":
                return self._tls.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise
        return plain


def tls_context(config: MailConfig) -> ssl.SSLContext:
    """Certificates are checked, always. Raises OSError where `ca_file` can't be read."""
    context = ssl.create_default_context(cafile=config.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
