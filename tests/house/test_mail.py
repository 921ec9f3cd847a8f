"""The mail server takes mails as a provider does: over TLS, after a login, or with the right kind of no."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from pimgr.house import Fault, House

MAILS = """
version = 1
[faults]
drip_s = 0.05
[[device]]
id = "tls"
kind = "mail"
refuses = ["nobody@example.org"]
[[device]]
id = "starttls"
kind = "mail"
security = "starttls"
"""
USER, PASSWORD = "house@example.org", "app-password"
TEXT = (
    "Subject: =?utf-8?q?Grid_=C3=B6ut?=\r\nTo: you@example.org\r\nMessage-ID: <1@house>\r\n\r\nEverything is off.\r\n"
)


def deliver(house: House, device: str, *, password: str = PASSWORD, to: str = "you@example.org") -> None:
    """Deliver one mail as a client does that trusts the house's authority only. Blocks."""
    trust = ssl.create_default_context(cadata=house.ca_pem)
    port = house.port(device)
    if device == "tls":
        client: smtplib.SMTP = smtplib.SMTP_SSL("localhost", port, context=trust, timeout=1.0)
    else:
        client = smtplib.SMTP("localhost", port, timeout=1.0)
    with client:
        if device == "starttls":
            client.starttls(context=trust)
        if password:
            client.login(USER, password)
        client.sendmail(USER, [to], TEXT)


def scene(device: str, act: Callable[[House], None], **options: Any) -> tuple[House, Exception | None]:
    """What came of one delivery after `act` was done to the house."""

    async def play() -> tuple[House, Exception | None]:
        async with House.from_toml(MAILS) as house:
            act(house)
            try:
                await asyncio.to_thread(deliver, house, device, **options)
            except (smtplib.SMTPException, OSError) as error:
                return house, error
            return house, None

    return asyncio.run(play())


both = pytest.mark.parametrize("device", ["tls", "starttls"])


@both
def test_a_mail_arrives_as_it_was_sent(device: str) -> None:
    house, error = scene(device, lambda _house: None)
    assert error is None
    (mail,) = house.mails
    assert (mail.sender, mail.recipients, mail.user, mail.tls) == (USER, ("you@example.org",), USER, True)
    assert (mail.subject, mail.text) == ("Grid öut", "Everything is off.\n")
    assert mail.headers["Message-ID"] == "<1@house>"
    assert [(entry.what, entry.value) for entry in house.wire] == [("login", "ok"), ("mail", "Grid öut")]


@both
@pytest.mark.parametrize(("fault", "code"), [(Fault.MAIL_TEMPORARY, 451), (Fault.MAIL_PERMANENT, 550)])
def test_it_can_say_later_and_never(device: str, fault: Fault, code: int) -> None:
    house, error = scene(device, lambda house: house.fault(device, fault))
    assert isinstance(error, smtplib.SMTPSenderRefused)
    assert error.smtp_code == code
    assert not house.mails


@both
def test_a_wrong_password_is_535_and_is_not_logged(device: str) -> None:
    house, error = scene(device, lambda _house: None, password="wrong-one")
    assert isinstance(error, smtplib.SMTPAuthenticationError)
    assert error.smtp_code == 535
    assert not [entry for entry in house.wire if "wrong-one" in entry.raw or PASSWORD in entry.raw]


@both
def test_without_a_login_nothing_is_taken(device: str) -> None:
    house, error = scene(device, lambda _house: None, password="")
    assert isinstance(error, smtplib.SMTPSenderRefused)
    assert error.smtp_code == 530
    assert not house.mails


def test_an_unknown_recipient_is_refused() -> None:
    _, error = scene("tls", lambda _house: None, to="nobody@example.org")
    assert isinstance(error, smtplib.SMTPRecipientsRefused)


def test_without_starttls_it_takes_nothing() -> None:
    async def play() -> None:
        async with House.from_toml(MAILS) as house:

            def plain() -> int:
                with smtplib.SMTP("localhost", house.port("starttls"), timeout=1.0) as client:
                    client.ehlo()
                    return client.mail(USER)[0]

            assert await asyncio.to_thread(plain) == 530

    asyncio.run(play())


@both
@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.REFUSING, Fault.CUT, Fault.GARBAGE, Fault.OVERSIZE])
def test_a_faulty_server_takes_nothing(device: str, fault: Fault) -> None:
    house, error = scene(device, lambda house: house.fault(device, fault))
    assert error is not None
    assert not house.mails
