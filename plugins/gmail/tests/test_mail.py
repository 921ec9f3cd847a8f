"""The mail plugin against the mail server of the house in a box: TLS, a login, refusals and faults on loopback."""

from __future__ import annotations

import asyncio
import threading
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiosmtpd.smtp import AuthResult
from pimgr_gmail import MAIL, MailConfig
from pimgr_gmail.letter import one_line, plain
from pimgr_gmail.mail import Mail

from pimgr.api import (
    Deadlines,
    DeviceError,
    Garbled,
    Message,
    Refused,
    Severity,
    Unreachable,
    Unsupported,
)
from pimgr.house import Fault, House
from pimgr.testing import FakeContext

pytestmark = pytest.mark.slow

QUICK = Deadlines(cloud_s=1.5)
USER, PASSWORD = "house@example.org", "app-password"
NEWS = Message(
    key="outage 7/began",
    severity=Severity.CRITICAL,
    subject="The grid is down",
    text="Shed: pool pump, spa.\nBattery: 84 %.\n.\nMünchen\n",
    written=1_790_000_000.25,
)


@dataclass
class Home:
    house: House
    context: FakeContext
    mail: Mail


def a_house(**keys: Any) -> House:
    lines = "".join(f"{key} = {msgspec.json.encode(value).decode()}\n" for key, value in keys.items())
    return House.from_toml(f'version = 1\n[[device]]\nid = "mail"\nkind = "mail"\n{lines}')


@asynccontextmanager
async def home(house: House, folder: Path, *, password: str = PASSWORD, **keys: Any) -> AsyncIterator[Home]:
    """A connection that has not been used yet, to the mail server of an open house."""
    ca = folder / "ca.pem"
    ca.write_text(house.ca_pem)
    context = FakeContext("mail", {"pw": password}, QUICK)
    table: dict[str, Any] = {
        "user": USER,
        "password": {"secret": "pw"},
        "to": ["me@example.com"],
        "host": "127.0.0.1",
        "port": house.port("mail"),
        "ca_file": str(ca),
    }
    try:
        async with MAIL.open(msgspec.convert(table | keys, MailConfig), context) as connection:
            assert isinstance(connection, Mail)
            yield Home(house, context, connection)
    finally:
        context.close()


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


async def failure(call: Awaitable[object]) -> DeviceError:
    """What a call raises: one of the four errors, complete, without the password."""
    with pytest.raises(DeviceError) as caught:
        await call
    error = caught.value
    assert type(error) in (Unreachable, Refused, Garbled, Unsupported)
    assert error.part == "mail"
    assert all((error.wish, error.fact, error.cure))
    assert PASSWORD not in str(error).replace("an app password", "")
    return error


# ---------------------------------------------------------------------------------------------------------- mails


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_message_arrives_whole_over_tls(security: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with a_house(security=security) as house, home(house, tmp_path, security=security) as at:
            await at.mail.send(NEWS)
            (mail,) = house.mails
        assert (mail.tls, mail.user, mail.sender, mail.recipients) == (True, USER, USER, ("me@example.com",))
        assert mail.subject == NEWS.subject
        assert mail.text == NEWS.text
        assert parsedate_to_datetime(mail.headers["Date"]).timestamp() == int(NEWS.written)
        assert mail.headers["Importance"] == "high"

    run(test)


def test_the_same_message_sent_again_is_the_same_mail_to_its_receiver(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_house() as house, home(house, tmp_path) as at:
            other = msgspec.structs.replace(NEWS, key="outage 7/ended")
            for message in (NEWS, NEWS, other):
                await at.mail.send(message)
            first, again, different = [mail.headers["Message-ID"] for mail in house.mails]
            assert first == again != different

    run(test)


@pytest.mark.parametrize(
    "subject",
    ["spa\r\nBcc: everybody@example.org", "spa\nX: y", "\x00\x1b[2Jspa", "spa\u2028Bcc: x@y", "\u202eaps", "s\udcffpa",
     "ü" * 3000, "", "=?utf-8?q?=0d=0aBcc:_x?="],
)  # fmt: skip
def test_a_hostile_name_in_a_subject_stays_in_the_subject(subject: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with a_house() as house, home(house, tmp_path) as at:
            hostile = msgspec.structs.replace(NEWS, subject=subject, text=subject + "\x00\r\n.\r\nQUIT\r\n")
            await at.mail.send(hostile)
            (mail,) = house.mails
        names = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Importance"}
        allowed = names | {
            "Content-Type",
            "Content-Transfer-Encoding",
            "MIME-Version",
            "X-Peer",
            "X-MailFrom",
            "X-RcptTo",
        }
        assert set(mail.headers) <= allowed
        assert mail.recipients == ("me@example.com",)
        assert all(character.isprintable() for character in mail.subject)
        assert mail.text.endswith("\n.\nQUIT\n")

    run(test)


def test_texts_keep_their_letters_and_lose_their_control_characters() -> None:
    assert one_line("  Küche\t\x07 \U0001f50c  ") == "Küche \U0001f50c"
    assert plain("a\r\nb\x1b[31m\tc") == "a\nb?[31m\tc\n"


# --------------------------------------------------------------------------------------------------- fault matrix


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.REFUSING, Unreachable),
        (Fault.SILENT, Unreachable),
        (Fault.DEAD, Unreachable),
        (Fault.DRIPPING, Unreachable),
        (Fault.CUT, Unreachable),
        (Fault.GARBAGE, Garbled),
        (Fault.OVERSIZE, Garbled),
        (Fault.MAIL_TEMPORARY, Unreachable),
        (Fault.MAIL_PERMANENT, Refused),
    ],
)
def test_each_fault_is_one_of_the_four_errors_in_time_and_passes(
    fault: Fault, expected: type[DeviceError], security: str, tmp_path: Path
) -> None:
    async def test() -> None:
        async with a_house(security=security) as house, home(house, tmp_path, security=security) as at:
            house.fault("mail", fault)
            began = time.monotonic()
            assert type(await failure(at.mail.send(NEWS))) is expected
            assert time.monotonic() - began < 2.0
            assert house.mails == []
            house.fault("mail", Fault.NONE)
            await at.mail.send(NEWS)
            assert len(house.mails) == 1

    run(test)


def test_a_dripping_server_holds_no_thread_past_the_deadline(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_house() as house, home(house, tmp_path) as at:
            house.fault("mail", Fault.DRIPPING)
            await failure(at.mail.send(NEWS))
            house.fault("mail", Fault.NONE)
            await at.mail.send(NEWS)
            assert len([each for each in threading.enumerate() if each.name == "pimgr mail"]) == 1

    run(test)


def test_a_wrong_password_is_refused_after_one_try_and_names_the_app_password(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_house() as house, home(house, tmp_path, password="my-own-password") as at:
            error = await failure(at.mail.send(NEWS))
            assert type(error) is Refused
            assert "app password" in error.cure
            assert "my-own-password" not in str(error)
            assert [entry.value for entry in house.wire.of("login")] == ["refused"]

    run(test)


def test_a_certificate_nobody_vouches_for_is_garbled_before_the_password_is_said(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_house() as house:
            async with home(house, tmp_path, ca_file=None) as at:
                error = await failure(at.mail.send(NEWS))
                assert type(error) is Garbled
                assert "ca_file" in error.cure
            async with home(house, tmp_path, host="localhost.localdomain") as at:
                assert type(await failure(at.mail.send(NEWS))) in (Garbled, Unreachable)
            assert house.wire.of("login") == []

    run(test)


def test_without_tls_nothing_is_said(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_house(security="none") as house:
            for security, expected in (("tls", Garbled), ("starttls", Unsupported)):
                async with home(house, tmp_path, security=security) as at:
                    assert type(await failure(at.mail.send(NEWS))) is expected
            assert house.wire.of("login") == []
            assert house.mails == []

    run(test)


def test_recipients_that_are_all_refused_are_refused_and_one_of_them_is_told_by_check(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_house(refuses=["gone@example.com"]) as house:
            async with home(house, tmp_path, to=["gone@example.com"]) as at:
                error = await failure(at.mail.send(NEWS))
                assert type(error) is Refused
                assert "gone@example.com" in error.fact
            async with home(house, tmp_path, to=["gone@example.com", "me@example.com"]) as at:
                await at.mail.send(NEWS)
                assert house.mails[-1].recipients == ("me@example.com",)
                warnings = [each.text for each in await at.mail.check() if each.severity is Severity.WARNING]
                assert ["gone@example.com" in text for text in warnings] == [True]

    run(test)


def test_cancelling_takes_no_second_and_its_thread_ends(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_house() as house, home(house, tmp_path) as at:
            at.context.deadlines = Deadlines(cloud_s=60.0)
            house.fault("mail", Fault.DRIPPING)
            sending = asyncio.create_task(at.mail.send(NEWS))
            async with asyncio.timeout(5.0):
                while not at.mail.busy:  # noqa: ASYNC110 - a thread tells nobody that it has begun
                    await asyncio.sleep(0.01)
            (thread,) = [each for each in threading.enumerate() if each.name == "pimgr mail"]
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                async with asyncio.timeout(1.0):
                    await sending
            await asyncio.get_running_loop().run_in_executor(None, thread.join, 2.0)
            assert not thread.is_alive()

    run(test)


# ---------------------------------------------------------------------------------------------------------- check


def test_check_logs_in_sends_nothing_and_names_gateways_that_carriers_closed(tmp_path: Path) -> None:
    async def test() -> None:
        dead = ["5551234567@tmomail.net", "5551234567@TXT.att.net", "5551234567@mms.att.net"]
        async with a_house() as house, home(house, tmp_path, to=[*dead, "me@example.com"]) as at:
            findings = await at.mail.check()
            assert house.mails == []
            assert findings[0].severity is Severity.INFO
            assert [address in finding.text for address, finding in zip(dead, findings[1:], strict=True)] == [True] * 3
            house.fault("mail", Fault.REFUSING)
            assert (await at.mail.check())[0].severity is Severity.CRITICAL

    run(test)


def test_a_ca_file_that_is_not_there_is_refused_with_its_cure(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_house() as house, home(house, tmp_path, ca_file=str(tmp_path / "none.pem")) as at:
            error = await failure(at.mail.send(NEWS))
            assert type(error) is Refused
            assert "none.pem" in error.fact

    run(test)


@pytest.mark.parametrize(
    "table",
    [
        {"to": []},
        {"to": ["me"]},
        {"to": ["me@example.com\r\nRCPT TO:<x@y>"]},
        {"to": ["a b@example.com"]},
        {"to": ["<me@example.com>"]},
        {"user": "someone"},
        {"sender": "House <house@example.org>"},
        {"security": "none"},
        {"host": "https://smtp.gmail.com"},
        {"port": 0},
        {"cc": []},
    ],
)
def test_a_config_that_can_not_work_is_refused(table: dict[str, object]) -> None:
    good: dict[str, object] = {"user": USER, "password": {"secret": "pw"}, "to": ["me@example.com"]}
    assert msgspec.convert(good, MailConfig).sent_from == USER
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(good | table, MailConfig)


def test_a_server_that_repeats_what_it_heard_gets_no_password_into_a_message(tmp_path: Path) -> None:
    heard = b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()

    def repeat(*_: object) -> AuthResult:
        return AuthResult(success=False, handled=False, message=f"535 5.7.8 AUTH PLAIN {heard}: not {PASSWORD}")

    async def use() -> None:
        async with a_house(user=USER) as house, home(house, tmp_path) as at:
            house.controls("mail")._authenticate = repeat
            error = await failure(at.mail.send(NEWS))
            assert "5.7.8" in error.fact
            assert heard not in str(error)
            assert all(PASSWORD not in each and heard not in each for each in (str(error), repr(error), error.fact))

    run(use)
