"""A message as a mail: headers that nothing can break out of, and an identity that stays when it is sent again."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256

from pimgr.api import Message, Severity
from pimgr_gmail import MailConfig

_SUBJECT_LENGTH = 200
_TEXT_LENGTH = 100_000
SHORT_LENGTH = 160
"""Of one text message in the GSM alphabet (3GPP TS 23.038)."""
_SPELT = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "€": "EUR", "°": " deg"}
    | dict.fromkeys("\N{EN DASH}\N{EM DASH}", "-")
    | dict.fromkeys("\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}", "'")
    | dict.fromkeys("\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}", '"')
)


def letter(config: MailConfig, message: Message, recipients: tuple[str, ...]) -> EmailMessage:
    """The mail for a message. The same message is the same mail, so that a receiver may drop the second."""
    mail = _envelope(config, message, message.key)
    mail["To"] = ", ".join(recipients)
    mail["Subject"] = one_line(message.subject)
    if message.severity is Severity.CRITICAL:
        mail["Importance"] = "high"
    mail.set_content(plain(message.text), cte="quoted-printable")
    return mail


def short_letter(config: MailConfig, message: Message, recipients: tuple[str, ...]) -> EmailMessage:
    """The same in one line that fits one text message; without a subject, which gateways put in front of it."""
    mail = _envelope(config, message, f"{message.key}/short")
    mail["To"] = ", ".join(recipients)
    mail.set_content(f"{short(message)}\n", cte="7bit")
    return mail


def short(message: Message) -> str:
    """Subject and text in at most 160 characters of plain ASCII: one text message, in any alphabet of a carrier."""
    text = " ".join(plain(message.text).split())
    whole = f"{one_line(message.subject)}: {text}" if text else one_line(message.subject)
    spelt = unicodedata.normalize("NFKD", whole).translate(_SPELT)
    line = "".join(each if " " <= each <= "~" else "" if unicodedata.combining(each) else "?" for each in spelt)
    return line if len(line) <= SHORT_LENGTH else f"{line[: SHORT_LENGTH - 3].rstrip()}..."


def _envelope(config: MailConfig, message: Message, key: str) -> EmailMessage:
    """A mail without recipients and content."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = config.sent_from
    mail["Date"] = format_datetime(datetime.fromtimestamp(message.written, UTC))
    mail["Message-ID"] = message_id(config, key)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answering machine answers it
    return mail


def message_id(config: MailConfig, key: str) -> str:
    """A Message-ID that says nothing but which message it is."""
    digest = sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:40]
    return f"<pimgr.{digest}@{config.sent_from.rpartition('@')[2]}>"


def one_line(text: str) -> str:
    """A subject: one line, without control characters and invisible ones that turn text around.

    Nor with encoded words: Python 3.11.7 decodes "=?utf-8?q?=0d=0aBcc:_x?=" in a value, and writes a new header.
    """
    words = " ".join("".join(each if _visible(each) else " " for each in text).split()).replace("=?", "= ?")
    return words[:_SUBJECT_LENGTH] or "pimgr"


def plain(text: str) -> str:
    """A body: lines of visible characters."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(each if each in "\n\t" or _visible(each) else "?" for each in lines[:_TEXT_LENGTH])
    return kept if kept.endswith("\n") else kept + "\n"


def _visible(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] != "C" and category not in ("Zl", "Zp")
