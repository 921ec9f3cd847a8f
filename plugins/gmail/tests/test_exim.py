"""The mail plugin against a real mail server: Exim, with TLS and a login, delivering into a mailbox."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pimgr_gmail import MAIL, MailConfig
from pimgr_gmail.mail import Mail

from pimgr.api import Deadlines, Message, Refused, Severity
from pimgr.testing import FakeContext

sys.path.insert(0, str(Path(__file__).parent))
from exim import EXIM, PASSWORD, USER, Exim, exim

pytestmark = [
    pytest.mark.slow,
    # In CI it is installed; a run there that finds none must fail, not skip.
    pytest.mark.skipif(
        not os.access(EXIM, os.X_OK) and "CI" not in os.environ, reason="Exim is not installed (exim4-daemon-light)"
    ),
]

NEWS = Message(
    key="outage 7/began",
    severity=Severity.CRITICAL,
    subject="The grid is down in München",
    text="Shed: pool pump.\n.\nFrom here on: 84 %.\n" + "x" * 1200 + "\n",
    written=1_790_000_000.0,
)


@asynccontextmanager
async def account(server: Exim, **keys: Any) -> AsyncIterator[Mail]:
    password = keys.pop("pw", PASSWORD)
    context = FakeContext("mail", {"pw": password}, Deadlines(cloud_s=10.0))
    security = keys.pop("security", "tls")
    table: dict[str, Any] = {
        "user": USER,
        "password": {"secret": "pw"},
        "to": ["me@example.com"],
        "host": "127.0.0.1",
        "port": server.tls if security == "tls" else server.starttls,
        "security": security,
        "ca_file": str(server.ca),
    }
    try:
        async with MAIL.open(msgspec.convert(table | keys, MailConfig), context) as connection:
            assert isinstance(connection, Mail)
            yield connection
    finally:
        context.close()


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_mail_lies_whole_in_a_real_mailbox(security: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with exim(tmp_path) as server, account(server, security=security, short_to=["sms@example.com"]) as mail:
            await mail.send(NEWS)
            long, short = sorted(await server.mails(2), key=lambda each: len(each.as_bytes()), reverse=True)
            assert str(make_header(decode_header(long["Subject"]))) == NEWS.subject
            body = long.get_payload(decode=True)
            assert isinstance(body, bytes)
            assert body.decode().rstrip("\n") == NEWS.text.rstrip("\n")
            assert (long["Envelope-to"], short["Envelope-to"]) == ("me@example.com", "sms@example.com")
            assert short.get_payload().startswith("The grid is down in Munchen: Shed: pool pump.")
            assert "esmtpsa" in long["Received"]
            assert "X=TLS1." in server.log

    asyncio.run(main())


def test_a_real_server_that_refuses_the_password_is_told_so(tmp_path: Path) -> None:
    async def main() -> None:
        async with exim(tmp_path) as server, account(server, pw="wrong") as mail:
            with pytest.raises(Refused, match="refused the user or the password"):
                await mail.send(NEWS)
            assert "wrong" not in server.log

    asyncio.run(main())


def test_a_real_server_that_knows_one_of_two_recipients_mails_him(tmp_path: Path) -> None:
    async def main() -> None:
        async with exim(tmp_path) as server:
            async with account(server, to=["nobody@example.com", "me@example.com"]) as mail:
                await mail.send(NEWS)
                (one,) = await server.mails(1)
                assert one["Envelope-to"] == "me@example.com"
                assert any("nobody@example.com" in finding.text for finding in await mail.check())
            async with account(server, to=["nobody@example.com"]) as mail:
                with pytest.raises(Refused, match="no such mailbox here"):
                    await mail.send(NEWS)

    asyncio.run(main())


def test_a_hostile_name_adds_no_header_and_no_recipient_at_a_real_server(tmp_path: Path) -> None:
    hostile = "pump\r\nBcc: victim@example.net\r\n\r\n=?utf-8?q?=0d=0aBcc:_x@example.net?= \u202egnp.exe \ud800 \x00"

    async def main() -> None:
        async with exim(tmp_path) as server, account(server, short_to=["sms@example.com"]) as mail:
            await mail.send(msgspec.structs.replace(NEWS, subject=hostile, text=f"{hostile}\r\n.\r\nRCPT TO:<x@y>\r\n"))
            both = await server.mails(2)
            assert sorted(str(each["Envelope-to"]) for each in both) == ["me@example.com", "sms@example.com"]
            assert all(each["Bcc"] is None for each in both)
            assert "victim" not in "".join(line for line in server.log.splitlines() if "=>" in line)

    asyncio.run(main())
