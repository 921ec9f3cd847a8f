"""The account against the house's portal: what is read and set, what is not believed, and each fault."""

from __future__ import annotations

import asyncio
import logging
import ssl
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from pimgr_honeywell import ACCOUNT

from pimgr.api import Deadlines, DeviceError, Garbled, Hold, Instant, Refused, Severity, ThermostatMode, Unreachable
from pimgr.house import Fault, House
from pimgr.house.honeywell import COOKIE
from pimgr.testing import FakeContext
from pimgr.units import Celsius

sys.path.insert(0, str(Path(__file__).parent))
from honeywell_homes import BEDROOM, HALL, HOUSE, NOON, PASSWORD, Given, Home, config, failure, home, run

pytestmark = pytest.mark.slow


def until(hours: float) -> Instant:
    """So many hours after noon."""
    return Instant(0.0, NOON + hours * 3600.0, "boot-1")


# -------------------------------------------------------------------------------------------------- reading and setting


def test_each_thermostat_is_read_in_house_units_whatever_its_own_are() -> None:
    async def test(at: Home) -> None:
        hall, bedroom = await at.hall.read_thermostat(), await at.bedroom.read_thermostat()
        assert (hall.mode, hall.source) == (ThermostatMode.AUTO, "portal")
        assert hall.indoor == pytest.approx(23.333, abs=0.001)
        assert hall.hold == Hold(heat=Celsius(20.0), cool=Celsius((76.0 - 32.0) / 1.8))
        assert (bedroom.mode, bedroom.indoor, bedroom.hold.cool) == (ThermostatMode.COOL, 22.5, 25.0)
        assert at.logins() == ["ok"]

    run(test)


def test_a_temporary_hold_until_a_time_is_native_and_the_house_returns_to_its_schedule_by_itself() -> None:
    async def test(at: Home) -> None:
        await at.hall.hold(Hold(cool=Celsius(28.0), until=until(8.2)))  # 20:12
        (told,) = at.changes()
        assert (told["DeviceID"], told["StatusCool"], told["CoolNextPeriod"], told["CoolSetpoint"]) == (HALL, 1, 81, 82)
        held = (await at.hall.read_thermostat()).hold
        assert held.cool == pytest.approx(27.778, abs=0.001)
        assert held.until is not None
        assert held.until.wall == until(8.25).wall
        assert not held.permanent
        at.pass_time(8.3 * 3600.0)
        assert (await at.hall.read_thermostat()).hold == Hold(heat=Celsius(20.0), cool=Celsius((76.0 - 32.0) / 1.8))

    run(test)


def test_a_hold_for_good_stays_until_the_schedule_is_asked_for() -> None:
    async def test(at: Home) -> None:
        for _ in range(2):
            await at.bedroom.hold(Hold(heat=Celsius(18.0), cool=Celsius(27.5), permanent=True))
        at.pass_time(30 * 3600.0)
        held = (await at.bedroom.read_thermostat()).hold
        assert held == Hold(heat=Celsius(18.0), cool=Celsius(27.5), permanent=True)
        for _ in range(2):
            await at.bedroom.resume()
        assert (await at.bedroom.read_thermostat()).hold == Hold(heat=Celsius(19.5), cool=Celsius(25.0))

    run(test)


def test_a_hold_that_was_found_is_put_back_as_it_was() -> None:
    async def test(at: Home) -> None:
        at.portal.person(HALL, cool=73.0)
        before = (await at.hall.read_thermostat()).hold
        assert before.until is not None
        await at.hall.hold(Hold(cool=Celsius(29.0), until=until(2.0)))
        await at.hall.hold(before)
        after = (await at.hall.read_thermostat()).hold
        assert (after.heat, after.cool, after.permanent) == (before.heat, before.cool, False)
        assert after.until is not None
        assert after.until.wall == before.until.wall

    run(test)


def test_a_hand_on_the_thermostat_is_seen_at_once() -> None:
    async def test(at: Home) -> None:
        await at.hall.read_thermostat()
        at.portal.person(HALL, cool=71.0)
        hold = (await at.hall.read_thermostat()).hold
        assert hold.cool == pytest.approx(21.667, abs=0.001)
        assert hold.until is not None
        assert hold.until.wall == until(5.0).wall  # the schedule changes at 17:00

    run(test)


def test_a_write_that_is_silently_refused_is_seen_in_the_next_reading() -> None:
    async def test(at: Home) -> None:
        before = (await at.hall.read_thermostat()).hold
        at.portal.deaf = True
        await at.hall.hold(Hold(cool=Celsius(28.0), until=until(3.0)))
        assert len(at.changes()) == 1
        assert (await at.hall.read_thermostat()).hold == before

    run(test)


def test_a_write_that_the_portal_rejects_is_refused() -> None:
    async def test(at: Home) -> None:
        at.portal.rejects = True
        assert type(await failure(at.hall.hold(Hold(cool=Celsius(28.0), permanent=True)))) is Refused
        assert type(await failure(at.hall.resume())) is Refused

    run(test)


def test_limits_and_unit_are_asked_for_before_each_write() -> None:
    async def test(at: Home) -> None:
        await at.bedroom.read_thermostat()
        at.portal.stats[BEDROOM].extra = {"CoolUpperSetptLimit": 26.0}
        error = await failure(at.bedroom.hold(Hold(cool=Celsius(28.0), permanent=True)))
        assert "10 to 26 °C" in error.fact
        assert at.changes() == []

    run(test)


def test_reading_is_dated_no_later_than_its_question() -> None:
    async def test(at: Home) -> None:
        await at.hall.read_thermostat()
        at.house.gate("portal").times = msgspec.structs.replace(at.house.spec.faults, slow_s=0.4)
        at.house.fault("portal", Fault.SLOW)
        asked = at.context.now()
        assert (await at.hall.read_thermostat()).at.since(asked) < 0.3

    run(test)


# ------------------------------------------------------------------------------------------------- what is not believed


@pytest.mark.parametrize(("live", "lost"), [(False, False), (True, True), (False, True)])
def test_a_disconnected_thermostats_old_values_are_neither_read_nor_written_over(live: bool, lost: bool) -> None:
    async def test(at: Home) -> None:
        await at.hall.read_thermostat()
        stat = at.portal.stats[HALL]
        stat.live, stat.lost = live, lost
        for call in (
            at.hall.read_thermostat(),
            at.hall.hold(Hold(cool=Celsius(28.0), permanent=True)),
            at.hall.resume(),
        ):
            error = await failure(call)
            assert type(error) is Unreachable
            assert "lost contact" in error.fact
        assert at.changes() == []
        assert (await at.bedroom.read_thermostat()).indoor == 22.5
        stat.live, stat.lost = True, False
        assert (await at.hall.read_thermostat()).indoor > 0.0

    run(test)


def test_html_with_status_200_is_garbled() -> None:
    async def test(at: Home) -> None:
        await at.hall.read_thermostat()
        at.portal.html = True
        error = await failure(at.hall.read_thermostat())
        assert type(error) is Garbled
        assert "page instead of data" in error.fact
        at.portal.html = False
        assert (await at.hall.read_thermostat()).indoor > 0.0
        assert at.logins() == ["ok"]

    run(test)


def test_after_three_pages_in_a_row_the_session_is_doubted() -> None:
    async def test(at: Home) -> None:
        await at.hall.read_thermostat()
        at.portal.html = True
        for _ in range(4):
            at.pass_time(300.0)
            await failure(at.hall.read_thermostat())
        assert at.logins() == ["ok", "ok"]

    run(test)


@pytest.mark.parametrize("said", [b"", b"null", b"[]", b"3", b'{"success":true}', b"{", b"[" * 50_000, b'"\xff"'])
def test_an_answer_that_is_none_is_garbled(said: bytes) -> None:
    async def test(at: Home) -> None:
        at.portal.says = said
        assert type(await failure(at.hall.read_thermostat())) is Garbled
        assert type(await failure(at.hall.resume())) is Garbled

    run(test)


def test_another_thermostat_at_the_same_id_is_not_believed() -> None:
    async def test(at: Home) -> None:
        at.portal.swapped = True
        error = await failure(at.hall.read_thermostat())
        assert type(error) is Garbled
        assert "another thermostat" in error.fact

    run(test)


def test_an_id_that_the_portal_does_not_know_is_said_with_those_that_it_has() -> None:
    async def test(at: Home) -> None:
        error = await failure(at.account.thermostats["attic"].read_thermostat())
        assert type(error) is Refused
        assert "pimgr check" in error.cure
        findings = await at.account.check()
        assert [finding.severity for finding in findings] == [Severity.CRITICAL, Severity.INFO]
        assert "1234567 (HALL)" in findings[0].cure
        assert "7654321 (BEDROOM)" in findings[1].text

    run(test, thermostats={"attic": 99})


def test_check_tells_each_thermostat_by_the_name_that_its_owner_gave_it() -> None:
    async def test(at: Home) -> None:
        assert [finding.text for finding in await at.account.check()] == [
            "honeywell/hall is 'HALL': 23.3 °C, auto",
            "honeywell/bedroom is 'BEDROOM': 22.5 °C, cool",
        ]
        at.house.fault("portal", Fault.SILENT)
        (finding,) = await at.account.check()
        assert finding.severity is Severity.CRITICAL

    run(test)


# --------------------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.HTTP_403, Refused),
        (Fault.HTTP_404, Refused),
        (Fault.HTTP_429, Refused),
        (Fault.HTTP_500, Unreachable),
        (Fault.HTTP_502, Unreachable),
        (Fault.HTTP_503, Unreachable),
        (Fault.REFUSING, Unreachable),
        (Fault.SILENT, Unreachable),
        (Fault.DEAD, Unreachable),
        (Fault.DRIPPING, Unreachable),
        (Fault.CUT, Garbled),
        (Fault.GARBAGE, Garbled),
        (Fault.NONSENSE, Garbled),
        (Fault.OVERSIZE, Garbled),
    ],
)
@pytest.mark.parametrize("logged_in", [False, True])
def test_each_fault_is_one_of_the_four_errors_in_time(fault: Fault, kind: type[DeviceError], logged_in: bool) -> None:
    async def test(at: Home) -> None:
        if logged_in:
            await at.hall.read_thermostat()
            at.pass_time(601.0)
        at.house.fault("portal", fault)
        began = time.monotonic()
        assert type(await failure(at.hall.read_thermostat())) is kind
        assert type(await failure(at.bedroom.read_thermostat())) is kind
        assert time.monotonic() - began < 2.3

    run(test)


def test_a_hang_that_the_library_calls_a_bare_timeout_is_unreachable_and_named() -> None:
    async def test(at: Home) -> None:
        await at.hall.read_thermostat()
        at.house.fault("portal", Fault.SILENT)
        async with asyncio.timeout(3.0):
            error = await failure(at.hall.read_thermostat())
        assert type(error) is Unreachable
        assert "no complete answer in 0.9 s" in error.fact

    run(test)


def test_an_endless_reply_is_named_as_such() -> None:
    async def test(at: Home) -> None:
        await at.hall.read_thermostat()
        at.house.fault("portal", Fault.OVERSIZE)
        assert "far too large" in (await failure(at.hall.read_thermostat())).fact

    run(test)


def test_the_call_of_discover_that_has_no_time_out_ends_all_the_same() -> None:
    async def test(at: Home) -> None:
        await at.hall.read_thermostat()
        at.house.fault("portal", Fault.DRIPPING)
        async with asyncio.timeout(1.5):
            (finding,) = await at.account.check()
        assert "no complete answer" in finding.text

    run(test)


def test_answers_that_are_slow_one_by_one_are_not_waited_for_all_together() -> None:
    async def test(at: Home) -> None:
        at.house.gate("portal").times = msgspec.structs.replace(at.house.spec.faults, slow_s=0.4)
        at.house.fault("portal", Fault.SLOW)
        began = time.monotonic()
        assert type(await failure(at.hall.read_thermostat())) is Unreachable
        assert time.monotonic() - began < 1.2

    run(test)


def test_nobody_sends_the_session_elsewhere() -> None:
    async def scene() -> None:
        asked: list[bytes] = []

        async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            asked.append(head)
            where = f"http://127.0.0.2:{port}/portal"
            writer.write(f"HTTP/1.1 307 Moved\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(elsewhere, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        other = await asyncio.start_server(elsewhere, "127.0.0.2", port)
        async with server, other, home(base_url=f"http://127.0.0.1:{port}") as at:
            error = await failure(at.hall.read_thermostat())
        assert type(error) is Garbled
        assert "another server" in error.fact
        assert len(asked) == 1

    asyncio.run(scene())


def test_neither_cookie_nor_password_nor_user_is_logged_and_no_session_is_stored(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test(at: Home) -> None:
        await at.hall.read_thermostat()
        await at.hall.resume()
        (token,) = at.portal._sessions
        await at.account.check()
        at.portal.password = "changed"
        at.portal.expire_sessions()
        at.pass_time(601.0)
        await failure(at.hall.read_thermostat())
        logged = "\n".join(record.getMessage() for record in caplog.records)
        for word in (token, PASSWORD, "owner@example.org", COOKIE):
            assert word not in logged
            assert word not in at.context.store.texts()

    with caplog.at_level(logging.DEBUG):
        logging.getLogger("pimgr.tests").debug("something is logged at this level")
        run(test)
    assert caplog.records


def test_closing_forgets_the_session() -> None:
    async def scene() -> None:
        context = FakeContext("honeywell", {"pw": PASSWORD}, Deadlines(cloud_s=1.0))
        async with House.from_toml(HOUSE) as house:
            opened = ACCOUNT.open(config(house), context)
            account = await opened.__aenter__()
            await account.parts["hall"].read_thermostat()  # type: ignore[union-attr]
            await opened.__aexit__(None, None, None)
            assert account._session._http is None  # type: ignore[attr-defined]
        context.close()

    asyncio.run(scene())


# ----------------------------------------------------------------------------------------------------------------- TLS


@asynccontextmanager
async def behind_tls(house: House) -> AsyncIterator[str]:
    """The house's portal behind a certificate of the house's authority; its address."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", house.port("portal"))
        await asyncio.gather(pour(reader, outer), pour(inner, writer))

    async def pour(source: asyncio.StreamReader, into: asyncio.StreamWriter) -> None:
        with suppress(OSError):  # the other side went away
            while some := await source.read(4096):
                into.write(some)
                await into.drain()
        into.close()

    tls = house.authority.issue("portal.example.org").server_context()
    server = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}"


def test_by_tls_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        async with House.from_toml(HOUSE) as house, behind_tls(house) as base_url:
            trusting = ssl.create_default_context(cadata=house.ca_pem)
            monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusting)
            async with home(Given(house=house), base_url=base_url) as at:
                assert (await at.hall.read_thermostat()).indoor > 0.0
                await at.hall.resume()
                assert len(at.changes()) == 1

    asyncio.run(scene())


def test_a_certificate_that_nobody_vouches_for_is_garbled_and_the_password_is_not_said() -> None:
    async def scene() -> None:
        async with House.from_toml(HOUSE) as house, behind_tls(house) as base_url:
            async with home(Given(house=house), base_url=base_url) as at:
                error = await failure(at.hall.read_thermostat())
            assert type(error) is Garbled
            assert "its certificate is not localhost's" in error.fact
            assert len(house.wire) == 0

    asyncio.run(scene())
