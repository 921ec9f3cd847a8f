"""What a mail server or the way to it did, as one of pimgr's four errors."""

from __future__ import annotations

import smtplib
import socket
import ssl
from base64 import b64encode
from dataclasses import dataclass, field

from pimgr.api import DeviceError, Garbled, Refused, Unreachable, Unsupported
from pimgr_gmail.letter import one_line
from pimgr_gmail.smtp import TooMuchError

_APP = "with Gmail, make an app password (Google account, Security, 2-Step Verification, App passwords) and store that"
_INTERNET = "check this box's internet connection"
_SERVER = "check host, port and security in the config"


@dataclass(frozen=True)
class Wanted:
    """What was asked of whom, for the message. `secrets`: what is kept out of it if a server repeats what it heard."""

    part: str
    wish: str
    where: str
    deadline_s: float
    secrets: tuple[str, ...] = field(default=(), repr=False)


def spellings(user: str, password: str) -> tuple[str, ...]:
    """How a password is said to a server: as it is, and in base64 (RFC 4616 PLAIN, and LOGIN). Longest first."""
    said = (f"\0{user}\0{password}", password)
    return (*(b64encode(each.encode("utf-8", "replace")).decode() for each in said), password)


def as_device_error(wanted: Wanted, error: Exception) -> DeviceError:
    """The error of ours that says what happened."""
    match error:
        case DeviceError():
            return error
        case smtplib.SMTPAuthenticationError() if error.smtp_code >= 500:
            fact = f"it refused the user or the password ({_words(wanted, error)})"
            return Refused(wanted.part, wanted.wish, fact, _APP)
        case smtplib.SMTPRecipientsRefused():
            return _recipients(wanted, error)
        case smtplib.SMTPNotSupportedError():
            return Unsupported(wanted.part, wanted.wish, f"it can't do what is needed ({error})", _SERVER)
        case smtplib.SMTPResponseException():
            return _reply(wanted, error)
    return _line(wanted, error)


def _line(wanted: Wanted, error: Exception) -> DeviceError:
    """What went wrong below the mail: names, connections, TLS, endless replies."""
    kind: type[DeviceError] = Unreachable
    match error:
        case TimeoutError():
            fact, cure = f"no answer in {wanted.deadline_s:.0f} s ({wanted.where})", _INTERNET
        case smtplib.SMTPServerDisconnected() | ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            fact, cure = f"the connection broke ({wanted.where})", _INTERNET
        case socket.gaierror():
            fact, cure = f"no server was found by the name in {wanted.where}", _INTERNET
        case ssl.SSLCertVerificationError():
            kind, fact = Garbled, f"its certificate is not vouched for ({one_line(error.verify_message)})"
            cure = "check host; for a server with a certificate of its own, set ca_file"
        case ssl.SSLError():
            kind, fact, cure = Garbled, f"it speaks no proper TLS ({wanted.where})", _SERVER
        case OSError():
            fact = f"no connection to {wanted.where} ({error.strerror or type(error).__name__})"
            cure = _INTERNET
        case TooMuchError():
            kind, fact, cure = Garbled, "it says far too much", _SERVER
        case _:
            kind, fact, cure = Garbled, f"it answered what no mail server says ({type(error).__name__})", _SERVER
    return kind(wanted.part, wanted.wish, fact, cure)


def _reply(wanted: Wanted, error: smtplib.SMTPResponseException) -> DeviceError:
    """By RFC 5321: 4xx passes by itself, 5xx doesn't; anything else is no reply."""
    part, wish = wanted.part, wanted.wish
    if 400 <= error.smtp_code < 500:
        return Unreachable(part, wish, f"it can't now ({_words(wanted, error)})", "it passes by itself")
    if 500 <= error.smtp_code < 600:
        fact, cure = f"it said no ({_words(wanted, error)})", "ask the mail provider what this answer means"
        return Refused(part, wish, fact, cure)
    return Garbled(part, wish, "it doesn't speak SMTP", _SERVER)


def _recipients(wanted: Wanted, error: smtplib.SMTPRecipientsRefused) -> DeviceError:
    names = ", ".join(sorted(error.recipients))
    replies = error.recipients.values()
    fact = f"it takes no mail for {names} ({'; '.join(sorted({_said(wanted, *reply) for reply in replies}))})"
    if all(400 <= code < 500 for code, _ in replies):
        return Unreachable(wanted.part, wanted.wish, fact, "it passes by itself")
    return Refused(wanted.part, wanted.wish, fact, "check the addresses in `to`")


def _words(wanted: Wanted, error: smtplib.SMTPResponseException) -> str:
    return _said(wanted, error.smtp_code, error.smtp_error)


def _said(wanted: Wanted, code: int, words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    for secret in filter(None, wanted.secrets):
        text = text.replace(secret, "...")
    return f"{code} {one_line(text)[:120]}"
