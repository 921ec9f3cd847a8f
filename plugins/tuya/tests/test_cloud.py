"""Tuya's cloud behind a plug: when it is asked, what it costs, what it tells, and what its owner is told."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pimgr_tuya.away import watts
from pimgr_tuya.cloud import MOST_BYTES, Cloud, Cut, Project
from pimgr_tuya.failure import Failed

from pimgr.api import Deadlines, Garbled, Refused, Severity, Unreachable, Unsupported
from pimgr.house import Fault, House
from pimgr.house.tuya_cloud import REFUSALS, Step
from pimgr.testing import FakeStore
from plugins.tuya.tests.homes import crowded, failure, home, house_of, run

pytestmark = pytest.mark.slow

# ------------------------------------------------------------------------------------------------------ as a fallback


def test_a_plug_that_is_deaf_at_home_is_read_and_switched_by_the_cloud() -> None:
    async def test() -> None:
        async with house_of("3.4", "watts = 800.0") as house, home(house, cloud=True) as at:
            house.fault("plug", Fault.SILENT)  # as one that started while the internet was away (localtuya#501, #574)
            reading = await at.outlet().read_load()
            assert (reading.on, reading.source, reading.power_w) == (True, "cloud", pytest.approx(800.0))
            await at.outlet().switch(False)
            assert house.is_on("plug") is False
            assert house.wire.of("switch", "plug")[-1].raw.startswith("cloud")
            assert (await at.outlet().read_load()).on is False

    run(test())


def test_the_first_call_may_be_a_command_by_the_cloud() -> None:
    async def test() -> None:
        async with house_of("3.3", "switches = 2") as house, home(house, cloud=True, switches=2) as at:
            house.fault("plug", Fault.REFUSING)
            await at.outlet("2").switch(False)
            assert (house.is_on("plug/1"), house.is_on("plug/2")) == (True, False)

    run(test())


def test_a_plug_that_answers_at_home_costs_one_look_a_day() -> None:
    async def test() -> None:
        async with house_of() as house, home(house, cloud=True) as at:
            for _ in range(3):
                assert (await at.outlet().read_load()).source == "plug"
                await at.outlet().switch(True)
            assert len(at.heard("query", "cloud")) == 1
            at.context.clock.advance(86_500.0)
            await at.outlet().read_load()
            assert len(at.heard("query", "cloud")) == 2

    run(test())


def test_without_the_internet_the_plug_is_read_at_home_and_nothing_is_told() -> None:
    async def test() -> None:
        async with house_of() as house, home(house, cloud=True) as at:
            house.internet_up(False)
            began = time.monotonic()
            assert (await at.outlet().read_load()).source == "plug"
            assert time.monotonic() - began < 1.0
            began = time.monotonic()
            assert (await at.outlet().read_load()).source == "plug"
            assert time.monotonic() - began < 0.3  # the cloud is left alone for an hour
            assert at.context.standing() == {}

    run(test())


def test_a_plug_without_power_is_not_read_from_the_clouds_memory() -> None:
    async def test() -> None:
        async with house_of() as house, home(house, cloud=True) as at:
            house.gate("plug").set_power(Fault.DEAD)
            error = await failure(at.outlet().read_load())
            assert type(error) is Unreachable
            assert "lost sight" in error.fact
            error = await failure(at.outlet().switch(False))
            assert type(error) is Unreachable
            assert "2001" in error.fact

    run(test())


def test_both_ways_wrong_are_both_told() -> None:
    async def test() -> None:
        async with house_of() as house, home(house, cloud=True) as at:
            house.fault("plug", Fault.REFUSING)
            house.fault("cloud", Fault.REFUSING)
            for call in (at.outlet().read_load(), at.outlet().switch(False)):
                error = await failure(call)
                assert type(error) is Unreachable
                assert "no connection to 127.0.0.1" in error.fact
                assert "Tuya's cloud: no connection" in error.fact
                assert "internet" in error.cure

    run(test())


def test_a_switch_that_the_cloud_calls_otherwise_is_named_by_the_config() -> None:
    async def test() -> None:
        async with house_of("3.3", "switches = 3") as house:
            async with home(house, cloud=True, switches=["9"]) as at:
                house.fault("plug", Fault.REFUSING)
                error = await failure(at.outlet().switch(False))
                assert "switch_1, switch_2, switch_3" in error.fact
            async with home(house, cloud=True, switches=["9"], cloud_codes={"9": "switch_3"}) as at:
                await at.outlet().switch(False)
                assert house.is_on("plug/3") is False

    run(test())


# -------------------------------------------------------------------------------------------------------------- keys


def test_a_plug_that_was_paired_again_is_found_again_by_the_clouds_key() -> None:
    async def test() -> None:
        async with house_of("3.4") as house:
            store, old = FakeStore(), house.controls("plug").key
            async with home(house, cloud=True, store=store) as at:
                await at.outlet().read_load()
                at.server.pair_again()
                assert (await at.outlet().read_load()).source == "cloud"
                assert (await at.outlet().read_load()).source == "plug"
                finding = at.context.standing()["key"]
                assert finding.severity is Severity.WARNING
                assert '"key"' in finding.cure
                assert len(at.context.recorded) == 1
            async with home(house, cloud=True, store=store.after_power_cut(), secrets={"key": old}) as at:
                assert (await at.outlet().read_load()).source == "plug"
                assert "key" in at.context.standing()
            async with home(house, cloud=True, store=store, secrets={"key": house.controls("plug").key}) as at:
                assert (await at.outlet().read_load()).source == "plug"
                assert "key" not in at.context.standing()

    run(test())


def test_a_key_of_the_clouds_is_not_taken_while_the_plug_understands_ours() -> None:
    async def test() -> None:
        async with house_of("3.4") as house:
            store = FakeStore()
            async with home(house, cloud=True, store=store) as at:
                await at.outlet().read_load()
                house.fault("plug", Fault.REFUSING)
                await at.outlet().read_load()
                assert store.get("key") is None

    run(test())


# ----------------------------------------------------------------------------------------------------- what it costs


def test_a_trials_calls_are_spared_and_between_looks_a_reading_keeps_its_own_age() -> None:
    async def test() -> None:
        async with house_of() as house, home(house, cloud=True) as at:
            house.fault("plug", Fault.REFUSING)
            for _ in range(10):
                last = await at.outlet().read_load()
                at.context.clock.advance(10.0)
            looks = len(at.heard("query", "cloud"))
            assert looks <= 7
            assert at.context.now().since(last.at) > 30.0
            house.switch_by_person("plug", False)
            at.context.clock.advance(300.0)
            reading = await at.outlet().read_load()
            assert (reading.on, at.context.now().since(reading.at) < 1.0) == (False, True)
            await at.outlet().switch(True)  # what was switched is looked at, whatever it costs
            reading = await at.outlet().read_load()
            assert (reading.on, at.context.now().since(reading.at) < 1.0) == (True, True)

    run(test())


def test_one_look_at_the_cloud_serves_all_switches_of_a_strip() -> None:
    async def test() -> None:
        async with house_of("3.3", "switches = 4") as house, home(house, cloud=True, quiet=True, switches=4) as at:
            for _ in range(2):
                readings = [await at.outlet(key).read_load() for key in "1234"]
                assert all(at.context.now().since(each.at) < 5.0 for each in readings)
                at.context.clock.advance(60.0)
            assert len(at.heard("query", "cloud")) == 2
            await at.outlet("4").switch(False)
            assert (await at.outlet("4").read_load()).on is False

    run(test())


def test_a_refusal_whose_code_is_no_code_is_garbled_also_with_an_old_token() -> None:
    async def test() -> None:
        async with house_of() as house:
            answers = [
                b'{"success": true, "result": {"access_token": "a", "expire_time": 7200}}',
                b'{"success": true, "result": {"online": true, "status": []}}',
                b'{"success": false, "code": []}',
            ]

            async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await reader.read(4096)
                answer = answers.pop(0)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
                writer.close()

            async with await asyncio.start_server(odd, "127.0.0.1", 0) as server:
                cloud, device = project(house, server.sockets[0].getsockname()[1])
                await look(cloud, device)
                with pytest.raises(Failed) as caught:
                    await look(cloud, device)
                assert caught.value.kind is Garbled

    run(test())


def test_a_token_serves_until_it_runs_out_and_is_then_renewed_once() -> None:
    async def test() -> None:
        async with house_of() as house, home(house, cloud=True) as at:
            house.fault("plug", Fault.REFUSING)

            async def looked() -> None:
                at.context.clock.advance(10.0)
                await at.outlet().read_load()

            await looked()
            await looked()
            assert len(at.heard("login", "cloud")) == 1
            at.cloud.expire_tokens()
            await looked()
            assert len(at.heard("login", "cloud")) == 2
            at.cloud.token_s = 1
            at.cloud.expire_tokens()
            for _ in range(2):
                await looked()
            assert len(at.heard("login", "cloud")) == 4  # one that is about to run out isn't used

    run(test())


# ------------------------------------------------------------------------------------------------ missed steps, trial


@pytest.mark.parametrize("step", list(REFUSALS))
def test_each_missed_step_is_told_with_its_cure_and_that_it_is_mended(step: Step) -> None:
    async def test() -> None:
        async with house_of() as house, home(house, cloud=True) as at:
            at.cloud.missed = step
            house.fault("plug", Fault.REFUSING)
            error = await failure(at.outlet().read_load())
            assert f"(code {REFUSALS[step][0]})" in error.fact
            told = at.context.standing()
            assert ("cloud" in told) is (step is not Step.TOO_OFTEN)
            if told:
                assert told["cloud"].cure in error.cure
            at.cloud.missed = Step.DONE
            assert (await at.outlet().read_load()).source == "cloud"
            assert at.context.standing() == {}

    run(test())


def test_an_expired_trial_is_noticed_while_the_plug_still_answers_at_home() -> None:
    async def test() -> None:
        async with house_of() as house, home(house, cloud=True) as at:
            at.cloud.missed = Step.EXPIRED
            assert (await at.outlet().read_load()).source == "plug"
            assert "expired" in at.context.standing()["cloud"].text
            at.cloud.missed = Step.DONE
            at.context.clock.advance(90_000.0)
            await at.outlet().read_load()
            assert at.context.standing() == {}

    run(test())


def test_a_wrong_secret_and_an_unknown_project_are_told_apart() -> None:
    async def test() -> None:
        async with house_of() as house:
            for name, code in (("secret", 1004), ("id", 1005)):
                async with home(house, cloud=True, secrets={name: "another"}) as at:
                    await at.outlet().read_load()
                    assert f"(code {code})" in at.context.standing()["cloud"].text

    run(test())


@pytest.mark.parametrize(
    ("days", "word"), [(15, None), (14, "14 days"), (1, "tomorrow"), (0, "today"), (-3, "is over")]
)
def test_the_end_of_a_trial_is_told_two_weeks_ahead(days: int, word: str | None) -> None:
    async def test() -> None:
        async with house_of() as house:
            async with home(house) as at:
                today = datetime.fromtimestamp(at.context.now().wall, UTC).date()
            async with home(house, cloud=True, trial_ends=(today + timedelta(days=days)).isoformat()) as at:
                await at.outlet().read_load()
                finding = at.context.standing().get("trial")
                assert (finding is None) is (word is None)
                assert finding is None or (word in finding.text and "trial_ends" in finding.cure)

    run(test())


# ------------------------------------------------------------------------------------------------- its bounds, alone


def project(at: Any, port: int = 0) -> tuple[Cloud, str]:
    spec = at.controls("cloud").spec
    endpoint = f"http://127.0.0.1:{port or at.port('cloud')}"
    return Cloud(Project(endpoint, spec.client_id, spec.secret)), at.controls("plug").device_id


async def look(cloud: Cloud, device: str, patience_s: float = 1.0) -> Any:
    """The cloud's own client, cut at the end of its patience as the plug does it."""
    cut = Cut(patience_s)
    asyncio.get_running_loop().call_later(patience_s, cut.now)
    try:
        return await asyncio.to_thread(cloud.look, device, cut)
    finally:
        cut.now()


@pytest.mark.parametrize(
    ("fault", "kind", "word"),
    [
        (Fault.SILENT, Unreachable, "0.5 s"),
        (Fault.DRIPPING, Unreachable, "0.5 s"),
        (Fault.REFUSING, Unreachable, "no connection"),
        (Fault.CUT, Garbled, "cut off"),
        (Fault.GARBAGE, Garbled, "no cloud says"),
        (Fault.NONSENSE, Garbled, "no cloud says"),
        (Fault.OVERSIZE, Garbled, "far too large"),
        (Fault.HTTP_429, Refused, "too often"),
        (Fault.HTTP_503, Unreachable, "trouble of its own"),
        (Fault.HTTP_404, Refused, "HTTP 404"),
    ],
)
def test_a_cloud_in_trouble_is_done_with_in_time(fault: Fault, kind: type, word: str) -> None:
    async def test() -> None:
        async with house_of() as house:
            cloud, device = project(house)
            assert (await look(cloud, device)).online is True
            house.fault("cloud", fault)
            began = time.monotonic()
            with pytest.raises(Failed) as caught:
                await look(cloud, device, 0.5)
            assert time.monotonic() - began < 0.7
            assert (caught.value.kind, word in caught.value.fact) == (kind, True), caught.value.fact
            house.fault("cloud", Fault.NONE)
            assert (await look(cloud, device)).online is True

    run(test())


def test_an_answer_without_end_is_not_collected() -> None:
    async def test() -> None:
        async with house_of() as house:
            cloud, device = project(house)
            await look(cloud, device)
            house.fault("cloud", Fault.OVERSIZE)
            tracemalloc.start()
            try:
                with pytest.raises(Failed) as caught:
                    await look(cloud, device)
                assert "far too large" in caught.value.fact
                assert tracemalloc.get_traced_memory()[1] < 8 * MOST_BYTES
            finally:
                tracemalloc.stop()

    run(test())


def test_a_dripping_cloud_does_not_hold_up_a_reading_for_longer_than_its_deadline() -> None:
    async def test() -> None:
        async with house_of() as house, home(house, cloud=True, deadlines=Deadlines(read_s=1.0)) as at:
            house.gate("cloud").times = msgspec.structs.replace(house.spec.faults, drip_s=0.05)
            house.fault("plug", Fault.REFUSING)
            house.fault("cloud", Fault.DRIPPING)
            began = time.monotonic()
            assert "no complete answer" in (await failure(at.outlet().read_load())).fact
            assert time.monotonic() - began < 1.0

    run(test())


def test_a_cloud_that_can_not_be_connected_to_is_given_up_in_time() -> None:
    async def test() -> None:
        async with house_of() as house:
            cloud, device = project(house)
            house.fault("cloud", Fault.DEAD)
            with crowded(house.port("cloud")):
                began = time.monotonic()
                with pytest.raises(Failed, match="no complete answer"):
                    await look(cloud, device, 0.4)
                assert time.monotonic() - began < 0.8

    run(test())


def test_a_name_server_that_hangs_holds_up_no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def look_up(*_: Any, **__: Any) -> Any:
        over.wait(20.0)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    async def test() -> None:
        async with house_of() as house, home(house, cloud=True, cloud_endpoint="https://openapi.example.org") as at:
            monkeypatch.setattr(socket, "getaddrinfo", look_up)
            house.fault("plug", Fault.REFUSING)
            began = time.monotonic()
            async with asyncio.timeout(5.0):
                assert type(await failure(at.outlet().read_load())) is Unreachable
            assert time.monotonic() - began < 1.0
            over.set()

    run(test())


def test_what_a_slow_cloud_told_is_dated_when_it_was_asked() -> None:
    async def test() -> None:
        async with house_of() as house, home(house, cloud=True) as at:
            house.fault("plug", Fault.REFUSING)
            house.gate("cloud").times = msgspec.structs.replace(house.spec.faults, slow_s=0.15)
            house.fault("cloud", Fault.SLOW)
            asked = at.context.now()
            reading = await at.outlet().read_load()
            assert reading.at.since(asked) < 0.15
            assert at.context.now().since(asked) >= 0.3

    run(test())


def test_a_redirect_is_not_followed() -> None:
    async def test() -> None:
        async with house_of() as house:
            sent: list[bytes] = []

            async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                sent.append(await reader.read(4096))
                place = f"http://127.0.0.1:{house.port('cloud')}/v1.0/token?grant_type=1"
                writer.write(f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode())
                writer.close()

            server = await asyncio.start_server(elsewhere, "127.0.0.1", 0)
            async with server:
                cloud, device = project(house, server.sockets[0].getsockname()[1])
                with pytest.raises(Failed, match="HTTP 302"):
                    await look(cloud, device)
            assert len(sent) == 1
            assert list(house.wire.of("login")) == []

    run(test())


def test_the_clouds_certificate_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        text = 'version = 1\n[[device]]\nid = "cloud"\nkind = "tuya-cloud"\ntls = true\n'
        text += '[[device]]\nid = "plug"\nkind = "tuya"\n'
        async with House.from_toml(text) as house:
            spec, device = house.controls("cloud").spec, house.controls("plug").device_id
            there = Project(f"https://127.0.0.1:{house.port('cloud')}", spec.client_id, spec.secret)
            with pytest.raises(Failed, match="certificate") as caught:
                await look(Cloud(there), device)
            assert caught.value.kind is Garbled
            authority = tmp_path / "authority.pem"
            authority.write_text(house.ca_pem)
            monkeypatch.setenv("SSL_CERT_FILE", str(authority))
            assert (await look(Cloud(there), device)).online is True
            house.fault("cloud", Fault.SILENT)  # not even a handshake
            began = time.monotonic()
            with pytest.raises(Failed, match="no complete answer"):
                await look(Cloud(there), device, 0.3)
            assert time.monotonic() - began < 0.5

    run(test())


@pytest.mark.parametrize(
    "answer",
    [
        b"[]", b"null", b'{"success": true, "result": []}', b'{"success": true}', b"{}", b"[" * 100_000,
        b'{"success": false, "code": "\xc2\xb2"}', b'{"success": false, "code": "' + b"9" * 5000 + b'"}',
        b'{"success": true, "result": {"access_token": "a", "expire_time": 9, "online": true, "status": 5}}',
        b'{"success": true, "result": {"access_token": "a", "expire_time": ' + b"9" * 400 + b"}}",
        b'{"success": true, "result": {"access_token": "a\\r\\nb: c", "expire_time": 9}}',
    ],
)  # fmt: skip
def test_an_answer_of_another_shape_is_garbled(answer: bytes) -> None:
    async def test() -> None:
        async with house_of() as house:

            async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await reader.read(4096)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
                writer.close()

            async with await asyncio.start_server(odd, "127.0.0.1", 0) as server:
                cloud, device = project(house, server.sockets[0].getsockname()[1])
                with pytest.raises(Failed) as caught:
                    await look(cloud, device)
                assert caught.value.kind is Garbled

    run(test())


def test_a_power_that_no_float_can_hold_is_none() -> None:
    assert [watts(value, 0.1) for value in (10**400, -(10**400), float("nan"), True, "5", 50)] == [None] * 5 + [5.0]


def test_check_tells_what_the_cloud_sees_and_what_is_missing() -> None:
    async def test() -> None:
        async with house_of() as house, home(house, cloud=True) as at:
            findings = await at.connection.check()
            assert [finding.severity for finding in findings] == [Severity.INFO, Severity.INFO]
            assert "online, with switch_1" in findings[1].text
            at.cloud.missed = Step.NOT_LINKED
            house.fault("plug", Fault.REFUSING)
            findings = await at.connection.check()
            assert [finding.severity for finding in findings] == [Severity.WARNING, Severity.WARNING]
            assert "Link Tuya App Account" in findings[1].cure
            assert at.heard("switch") == []

    run(test())


def test_a_plug_that_the_cloud_can_not_switch_says_so() -> None:
    async def test() -> None:
        async with house_of() as house, home(house, cloud=True, quiet=True, switches=["5"]) as at:
            assert type(await failure(at.outlet().read_load())) is Unsupported

    run(test())
