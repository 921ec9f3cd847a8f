"""Who gets which mail: by severity, whole or as one line, and nobody at a gateway that closed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pimgr_gmail import MAIL, MailConfig
from pimgr_gmail.gateways import GATEWAYS, KNOWN
from pimgr_gmail.letter import SHORT_LENGTH, short
from pimgr_gmail.mail import Mail

from pimgr.api import Deadlines, Message, Refused, Secret, Severity, Unreachable
from pimgr.house import Fault, House
from pimgr.testing import FakeContext, FakeStore

HOUSE = 'version = 1\n[[device]]\nid = "mail"\nkind = "mail"\nrefuses = ["pager@example.com"]\n'
LISTS = {
    "to": ["all@example.com"],
    "warning_to": ["warned@example.com", "all@example.com"],
    "critical_to": ["alarmed@example.com"],
    "short_to": ["5551234567@sms.example.com"],
}


def news(severity: Severity, **keys: Any) -> Message:
    usual = {"key": f"news {severity}", "subject": "The grid is down", "text": "Shed: pool pump.\nBattery: 84 %.\n"}
    return Message(severity=severity, written=1_790_000_000.0, **(usual | keys))


def config(house: House | None, folder: Path, **keys: Any) -> MailConfig:
    ca = folder / "ca.pem"
    table: dict[str, Any] = {"user": "house@example.org", "password": {"secret": "pw"}, "host": "127.0.0.1"}
    if house is not None:
        ca.write_text(house.ca_pem)
        table |= {"port": house.port("mail"), "ca_file": str(ca)}
    return msgspec.convert(table | keys, MailConfig)


async def sent(folder: Path, *messages: Message, **keys: Any) -> list[tuple[tuple[str, ...], str, str]]:
    """Recipients, subject and text of every mail that arrived."""
    async with House.from_toml(HOUSE) as house:
        context = FakeContext("mail", {"pw": "app-password"}, Deadlines(cloud_s=3.0))
        async with MAIL.open(config(house, folder, **keys), context) as connection:
            assert isinstance(connection, Mail)
            for message in messages:
                await connection.send(message)
        context.close()
        return [(mail.recipients, mail.subject, mail.text) for mail in house.mails]


# --------------------------------------------------------------------------------------------------- by severity


@pytest.mark.slow
@pytest.mark.parametrize(
    ("severity", "whole"),
    [
        (Severity.INFO, ("all@example.com",)),
        (Severity.WARNING, ("all@example.com", "warned@example.com")),
        (Severity.CRITICAL, ("all@example.com", "warned@example.com", "alarmed@example.com")),
    ],
)
def test_each_severity_has_its_recipients_and_nobody_gets_two(
    severity: Severity, whole: tuple[str, ...], tmp_path: Path
) -> None:
    mails = asyncio.run(sent(tmp_path, news(severity), **LISTS))
    assert mails[0] == (whole, "The grid is down", "Shed: pool pump.\nBattery: 84 %.\n")
    shorts = [(("5551234567@sms.example.com",), "", "The grid is down: Shed: pool pump. Battery: 84 %.\n")]
    assert mails[1:] == (shorts if severity is Severity.CRITICAL else [])


@pytest.mark.slow
def test_a_message_that_nobody_wants_is_done_without_a_mail(tmp_path: Path) -> None:
    assert asyncio.run(sent(tmp_path, news(Severity.INFO), critical_to=["alarmed@example.com"])) == []


@pytest.mark.slow
def test_the_short_form_can_begin_with_warnings(tmp_path: Path) -> None:
    mails = asyncio.run(
        sent(tmp_path, news(Severity.INFO), news(Severity.WARNING), short_to=["a@example.com"], short_from="warning")
    )
    assert [recipients for recipients, _, _ in mails] == [("a@example.com",)]


@pytest.mark.slow
def test_the_form_that_was_taken_is_not_sent_again_with_the_other_also_after_a_restart(tmp_path: Path) -> None:
    store = FakeStore()

    async def once(house: House, message: Message) -> None:
        context = FakeContext("mail", {"pw": "app-password"}, Deadlines(cloud_s=3.0), store=store)
        own = config(house, tmp_path, to=["all@example.com"], short_to=["pager@example.com"])
        try:
            async with MAIL.open(own, context) as connection:
                assert isinstance(connection, Mail)
                await connection.send(message)
        finally:
            context.close()

    async def main() -> None:
        async with House.from_toml(HOUSE) as house:
            for _ in range(3):
                with pytest.raises(Refused, match=r"pager@example\.com"):
                    await once(house, news(Severity.CRITICAL))
            assert [mail.recipients for mail in house.mails] == [("all@example.com",)]
            with pytest.raises(Refused):
                await once(house, news(Severity.CRITICAL, key="another"))
            assert len(house.mails) == 2
            house.fault("mail", Fault.MAIL_TEMPORARY)
            with pytest.raises(Unreachable):
                await once(house, news(Severity.CRITICAL, key="a third"))

    asyncio.run(main())


# ------------------------------------------------------------------------------------------------- the short form


@given(st.text(max_size=300), st.text(max_size=2000))
def test_the_short_form_is_one_line_of_plain_characters_that_fits_one_text_message(subject: str, text: str) -> None:
    line = short(news(Severity.CRITICAL, subject=subject, text=text))
    assert 0 < len(line) <= SHORT_LENGTH
    assert all(" " <= each <= "~" for each in line)


def test_a_long_message_is_cut_to_one_text_message() -> None:
    line = short(news(Severity.CRITICAL, subject="The grid is down", text="pool pump, " * 50))
    assert len(line) <= SHORT_LENGTH
    assert line.endswith("...")


def test_the_short_form_spells_what_a_phone_may_not_show() -> None:
    quoted = "\N{LEFT DOUBLE QUOTATION MARK}Süd\N{RIGHT DOUBLE QUOTATION MARK}"
    line = short(news(Severity.CRITICAL, subject=f"Straße {quoted} \N{EN DASH} 21°", text=""))
    assert line == 'Strasse "Sud" - 21 deg'


# ------------------------------------------------------------------------------------------- gateways that closed


@pytest.mark.slow
def test_nothing_is_sent_to_a_gateway_that_closed_and_the_others_get_it(tmp_path: Path) -> None:
    mails = asyncio.run(sent(tmp_path, news(Severity.INFO), to=["5551234567@TXT.att.net", "all@example.com"]))
    assert [recipients for recipients, _, _ in mails] == [("all@example.com",)]


@pytest.mark.slow
def test_a_mail_for_closed_gateways_only_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"closed; .*ntfy"):
        asyncio.run(sent(tmp_path, news(Severity.CRITICAL), short_to=["5551234567@tmomail.net"]))


def test_a_closed_gateway_is_told_from_one_that_closes_later(tmp_path: Path) -> None:
    own = config(None, tmp_path, to=["1@tmomail.net", "me@example.com"], short_to=["2@vtext.com"])
    assert MAIL.advise is not None
    gone, later = MAIL.advise(own)
    assert gone.severity is Severity.CRITICAL
    assert "1@tmomail.net" in gone.text
    assert "31 December 2024" in gone.text
    assert later.severity is Severity.WARNING
    assert "Verizon closes its mail-to-text service vtext.com on 31 March 2027" in later.text
    assert "ntfy" in gone.cure


def test_the_table_of_gateways_is_dated_and_names_its_sources() -> None:
    assert all(gateway.source and gateway.carrier for gateway in GATEWAYS.values())
    assert {g.domain for g in GATEWAYS.values() if g.closes > KNOWN} == {"vtext.com", "vzwpix.com"}


def test_a_config_needs_somebody_to_mail_to() -> None:
    with pytest.raises(ValueError, match="at least one address"):
        MailConfig(user="a@example.org", password=Secret("pw"))
