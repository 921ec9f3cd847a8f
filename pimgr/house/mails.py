"""A mail as the house's mail server received it."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage

from pimgr.api import Frozen


class Mail(Frozen):
    """One delivery. `raw`: the message as it came over the wire; `user`: who was logged in; `at`: UTC in s."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    user: str
    tls: bool
    at: float

    @property
    def message(self) -> EmailMessage:
        """The message, parsed."""
        return message_from_bytes(self.raw, policy=policy.default)

    @property
    def headers(self) -> dict[str, str]:
        """Its headers, decoded; of a header that occurs twice, the last."""
        return {name: str(value) for name, value in self.message.items()}

    @property
    def subject(self) -> str:
        return self.headers.get("Subject", "")

    @property
    def text(self) -> str:
        """Its plain text body, with LF line ends; empty where it has none."""
        body = self.message.get_body(("plain",))
        return str(body.get_content()).replace("\r\n", "\n") if body else ""
