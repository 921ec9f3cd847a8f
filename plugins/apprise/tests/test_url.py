"""apprise.url against a server of ntfy on loopback: what arrives, what goes wrong, and what is never said."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pimgr_apprise import URL, UrlConfig
from pimgr_apprise.url import Url

from pimgr.api import Deadlines, DeviceError, Garbled, Message, Refused, Secret, Severity, Unreachable, Unsupported
from pimgr.house import Fault, House
from pimgr.house.faults import FaultTimes
from pimgr.testing import FakeContext

pytestmark = pytest.mark.slow

TOKEN = "tk_agQdq7mVBoFD37zQVN29RhuMzNIz2"
TOPIC = "our-house-7f3a"
HOUSE = f'version = 1\n[[device]]\nid = "push"\nkind = "ntfy"\ntoken = "{TOKEN}"\n'
NEWS = Message(
    key="outage 7/began",
    severity=Severity.CRITICAL,
    subject="The grid is down",
    text="Shed: pool pump.\nBattery: 84 %.\n",
    written=1_790_000_000.0,
)


@asynccontextmanager
async def push(
    url: str = "", deadline_s: float = 4.0, **keys: Severity
) -> AsyncIterator[tuple[House, Url, FakeContext]]:
    async with House.from_toml(HOUSE) as house:
        url = url or f"ntfy://{TOKEN}@127.0.0.1:{{port}}/{TOPIC}"
        context = FakeContext("push", {"url": url.format(port=house.port("push"))}, Deadlines(cloud_s=deadline_s))
        async with URL.open(UrlConfig(url=Secret("url"), **keys), context) as connection:
            assert isinstance(connection, Url)
            yield house, connection, context
        context.close()


def arrived(house: House) -> list[tuple[str, str]]:
    return [(entry.value, entry.raw) for entry in house.wire.of("message", "push")]


async def failure(url: Url) -> DeviceError:
    with pytest.raises(DeviceError) as caught:
        await url.send(NEWS)
    error = caught.value
    assert all((error.wish, error.fact, error.cure))
    assert not any(secret in str(error) for secret in (TOKEN, TOPIC, "127.0.0.1"))
    return error


def test_a_message_arrives_with_its_title_and_text() -> None:
    async def main() -> None:
        async with push() as (house, url, _):
            await url.send(NEWS)
            assert arrived(house) == [("The grid is down", "Shed: pool pump.\nBattery: 84 %.")]

    asyncio.run(main())


def test_nothing_that_lies_in_the_working_folder_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sudo pimgr check --connect` in somebody's folder must not run that one's code, nor hand it the URL."""
    (tmp_path / "apprise.py").write_text("open('ran', 'w').close()\n")
    monkeypatch.chdir(tmp_path)

    async def main() -> None:
        async with push() as (_, url, _context):
            assert [finding.severity for finding in await url.check()] == [Severity.INFO]

    asyncio.run(main())
    assert not (tmp_path / "ran").exists()


def test_milder_messages_than_wanted_are_not_sent() -> None:
    async def main() -> None:
        async with push(least=Severity.WARNING) as (house, url, _):
            for severity in Severity:
                await url.send(Message(key=severity, severity=severity, subject=severity, text="", written=0.0))
            assert [title for title, _ in arrived(house)] == ["warning", "critical"]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault.HTTP_401, Refused, "does not know this user, token or topic (401 Unauthorized)"),
        (Fault.HTTP_429, Refused, "asked too often (429"),
        (Fault.HTTP_503, Unreachable, "can't now (503"),
        (Fault.REFUSING, Unreachable, "no connection to Ntfy"),
        (Fault.CUT, Unreachable, "broke"),
        (Fault.GARBAGE, Garbled, "no such service says"),
        (Fault.OVERSIZE, Garbled, "says far too much"),
    ],
)
def test_each_failure_is_told_apart_and_names_no_secret(fault: Fault, kind: type[DeviceError], words: str) -> None:
    async def main() -> None:
        async with push() as (house, url, _):
            house.fault("push", fault)
            error = await failure(url)
            assert type(error) is kind
            assert words.lower() in error.fact.lower()

    asyncio.run(main())


def test_a_service_that_takes_its_time_is_waited_for_longer_than_apprise_would() -> None:
    async def main() -> None:
        async with push(deadline_s=9.0) as (house, url, _):
            house.gate("push").times = FaultTimes(slow_s=4.5)
            house.fault("push", Fault.SLOW)
            await url.send(NEWS)
            assert len(arrived(house)) == 1

    asyncio.run(main())


def test_a_text_without_end_is_cut() -> None:
    async def main() -> None:
        async with push() as (house, url, _):
            await url.send(Message(key="k", severity=Severity.INFO, subject="s" * 9000, text="t" * 90000, written=0.0))
            ((title, text),) = arrived(house)
            assert (len(title), len(text)) == (120, 1500)

    asyncio.run(main())


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.DRIPPING])
def test_a_service_that_keeps_us_waiting_is_left_and_its_process_is_gone(fault: Fault) -> None:
    async def main() -> None:
        async with push() as (house, url, _):
            house.fault("push", fault)
            began = time.monotonic()
            assert type(await failure(url)) is Unreachable
            assert time.monotonic() - began < 4.0
            assert couriers() == []

    asyncio.run(main())


def test_closing_ends_a_courier_on_its_way() -> None:
    async def main() -> None:
        async with push() as (house, url, _):
            house.fault("push", Fault.SILENT)
            sending = asyncio.ensure_future(url.send(NEWS))
            async with asyncio.timeout(10.0):
                while not couriers():  # noqa: ASYNC110 - another process's start
                    await asyncio.sleep(0.01)
            began = time.monotonic()
            await url.close()
            with pytest.raises(Unreachable, match="closed"):
                await sending
            assert time.monotonic() - began < 1.0
            assert couriers() == []

    asyncio.run(main())


def test_the_url_is_in_no_argument_and_in_no_environment_of_a_process(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        caplog.set_level(logging.DEBUG)
        async with push() as (house, url, context):
            house.fault("push", Fault.SILENT)
            sending = asyncio.ensure_future(url.send(NEWS))
            async with asyncio.timeout(10.0):
                while not couriers():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            for process in couriers():
                for name in ("cmdline", "environ"):
                    assert TOKEN.encode() not in (process / name).read_bytes()
            sending.cancel()
            await asyncio.wait({sending})
            assert TOKEN not in caplog.text + context.store.texts()

    asyncio.run(main())


def couriers() -> list[Path]:
    """Processes of our couriers that live."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes()
            state, parent = (process / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if b"pimgr_apprise.courier" in line and state != "Z" and int(parent) == os.getpid():
            found.append(process)
    return found


def test_a_hostile_name_arrives_as_harmless_text() -> None:
    hostile = "pump\r\n\x1b[2J\u202egnp <b>*x*</b> \ud800 &amp; \x00"

    async def main() -> None:
        async with push() as (house, url, _):
            await url.send(Message(key="k", severity=Severity.INFO, subject=hostile, text=hostile, written=0.0))
            ((title, text),) = arrived(house)
            assert title == "pump [2J gnp <b>*x*</b> &amp;"
            assert "\x1b" not in text
            assert "<b>*x*</b>" in text

    asyncio.run(main())


def test_a_url_that_apprise_does_not_know_is_told_by_the_check_and_by_sending() -> None:
    async def main() -> None:
        async with push("nosuch://secret-token@host") as (_, url, _):
            (finding,) = await url.check()
            assert finding.severity is Severity.CRITICAL
            with pytest.raises(Unsupported, match="does not understand") as caught:
                await url.send(NEWS)
            assert "secret-token" not in str(caught.value)
        async with push() as (house, url, _):
            (finding,) = await url.check()
            assert (finding.severity, arrived(house)) == (Severity.INFO, [])
            assert "ntfy" in finding.text.lower()

    asyncio.run(main())
