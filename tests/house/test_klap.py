"""KLAP as the house speaks it: against vectors that others published, and with a client written from the sources."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import socket
from base64 import b64decode
from itertools import count
from typing import Any

import pytest

from pimgr.house import House
from pimgr.house.gate import LOOPBACK
from pimgr.house.klap import DEFAULT_ACCOUNT, Klap, Seal, account_hash, proof
from pimgr.house.klap_found import BROADCAST, tdp_frame
from tests.house.clients import SYSINFO, relay

PLUGS = """
version = 1
[[device]]
id = "one"
kind = "kasa"
protocol = "klap1"
username = "someone@example.org"
password = "S3cr3t"
watts = 60.0
discovery = true
[[device]]
id = "two"
kind = "kasa"
protocol = "klap2"
username = "someone@example.org"
password = "S3cr3t"
session_s = 0.2
[[device]]
id = "fresh"
kind = "kasa"
protocol = "klap2"
[[device]]
id = "smart"
kind = "kasa"
protocol = "klap2"
dialect = "smart"
watts = 60.0
discovery = true
[[device]]
id = "smart-strip"
kind = "kasa"
protocol = "klap2"
dialect = "smart"
outlets = 3
on = [true, false, true]
"""

# ------------------------------------------------------------------------------------------------- published vectors


@pytest.mark.parametrize(
    ("version", "published"),
    [(Klap.V1, "xBhMRGYWStVCVk9aSD8/6Q=="), (Klap.V2, "tEmiensOcZkP9twDEZKwU3JJl3asmseKCP7N9sfatVo=")],
)
def test_an_account_is_hashed_as_published_with_python_kasa(version: Klap, published: str) -> None:
    """For "Foo", "Bar": python-kasa/python-kasa, tests/protocols/test_iotprotocol.py, commit a29d0610bacd."""
    assert account_hash(version, "Foo", "Bar") == b64decode(published)


@pytest.mark.parametrize(
    ("username", "password", "published"),
    [
        ("user@mail.test", "password", "0F2256EF19E6AC29DAD1F079E98FB53B7DDE48FB4E09ECDFB0B712F20C906F4F"),
        ("", "", "B8628AB91C74F531603F6D5B45E730E54C123A7247B8978272C03F1E13560CEA"),
        ("user", "pass", "231227829D6340F889A48EE5B6784EF8CFBE32B76C4ABB62183B600C8560870E"),
    ],
)
def test_an_account_of_version_2_is_hashed_as_published_elsewhere(username: str, password: str, published: str) -> None:
    """smdn/Smdn.TPSmartHomeDevices, tests/.../TapoCredentials.KLAP.cs, commit 11ad37c5708f."""
    assert account_hash(Klap.V2, username, password) == bytes.fromhex(published)


@pytest.mark.parametrize(
    ("byte", "key", "vector", "number", "signature"),
    [
        (b"", "705764D7E6510B12FBE5997667232354", "0AB306823035661BB8DBA21C", -355025127,
         "B3B5C44D3DEAFA9F7FC202D2A8A8350233E989171A6FB8789DCB0038"),
        (b"\x00", "74166C5AA80EC244A905DED5F9AA1631", "1EE245AFF80E8393E8FF192C", -318086272,
         "8172F457B22FCE09D5AB35BF291E68F2602FA21DD8A3FF22843B3338"),
        (b"\xff", "6DB82227A2CC388C18A64876E39D5847", "D377A0DECED0FA06137AB3A4", 1993271313,
         "4E3909ECCFB44BF76165DD9F3384AC622EFB68B5BEEF5E422929E6A9"),
    ],
)  # fmt: skip
def test_keys_are_derived_as_published(byte: bytes, key: str, vector: str, number: int, signature: str) -> None:
    """Seeds and account of one byte each, repeated. smdn/Smdn.TPSmartHomeDevices, tests/.../KlapEncryptionAlgorithm.cs,
    commit 11ad37c5708f."""
    seal = Seal(byte * 16, byte * 16, byte * 32)
    assert (seal.key.hex().upper(), seal.vector.hex().upper(), seal.number) == (key, vector, number)
    assert seal.signature.hex().upper() == signature


SEALED = [
    (b"", -355025126, b"{}", "684337E81DBEA14B22127620B749E78CE943D2569AE7A3AF0F10C3D4EE7926D1"
     "736B699DACB2151284B9DAFA0E1C56E0"),
    (b"", -355025126, b"", "77515F9A819F548B6959B160EAD2FDA80DDC65B748A2202468B6836E8180AD41"
     "532651506044A8BC4F6AE22A8DFED768"),
    (b"", -355025126, b'{"method":"xxx"}', "659B26E31FB68230DF25E8D8F5D31A690615CDFB8413AD3000D68B5BF36D8A33"
     "90ED06D7F695812C88A324F94720ABDBE90F020FFB51F2EFC99A2CBADB0637F7"),
    (b"", 0, b"{}", "60B20DF2B71D0649F5BEB4153861F487CA19D3C8E9EF6CF4588090228CA6B205"
     "2003A0DEB763C8A0CDAD016CB9F18D01"),
    (b"", -1, b"{}", "7257ED3C435C7654A21A1CB0E07597476823C45D1BEAFCD6279EC11898C62620"
     "2F2215931DE29979F095B67D14DA0E4A"),
    (b"\xff", 1993271314, b"{}", "203D71F48AD1E13927CD0C6D0CA4A9F4B35DA671A9DC2A2705F048F321064577"
     "5E79E4E207E6C05D88B9F9041C9D3919"),
    (b"\xff", 1993271314, b"", "B88349A38E19119B4F13DD8F4A2756C97B4691C3B4C3EFD125725ABE5C92FA75"
     "D8BC8EFFE63A7248D53AD52E47A71710"),
]  # fmt: skip
"""smdn/Smdn.TPSmartHomeDevices, tests/.../KlapEncryptionAlgorithm.cs, commit 11ad37c5708f."""


@pytest.mark.parametrize(("byte", "number", "text", "published"), SEALED)
def test_requests_are_sealed_and_opened_as_published(byte: bytes, number: int, text: bytes, published: str) -> None:
    seal = Seal(byte * 16, byte * 16, byte * 32)
    assert seal.sealed(number, text).hex().upper() == published
    assert seal.opened(number, bytes.fromhex(published)) == text


def test_the_empty_probe_is_the_published_packet() -> None:
    """python-kasa/python-kasa, kasa/discover.py up to 0.7: 020000010000000000000000463cb5d3."""
    assert tdp_frame().hex() == "020000010000000000000000463cb5d3"


def test_what_was_bent_on_the_way_is_not_opened() -> None:
    seal = Seal(b"a" * 16, b"b" * 16, b"c" * 32)
    sealed = seal.sealed(5, b"text")
    for place in (0, 31, 32, len(sealed) - 1):
        bent = bytearray(sealed)
        bent[place] ^= 1
        with pytest.raises(ValueError, match="tag"):
            seal.opened(5, bytes(bent))
    with pytest.raises(ValueError, match="tag"):
        seal.opened(6, sealed)


# --------------------------------------------------------------------------------------------------------- the door


class Client:
    """One KLAP client, blocking; its hashes are hashlib's."""

    def __init__(self, port: int, version: Klap, username: str, password: str) -> None:
        self._port, self.version = port, version
        if version is Klap.V1:
            halves = [hashlib.md5(text.encode()).digest() for text in (username, password)]
            self.account = hashlib.md5(b"".join(halves)).digest()
        else:
            halves = [hashlib.sha1(text.encode()).digest() for text in (username, password)]
            self.account = hashlib.sha256(b"".join(halves)).digest()
        self.local = bytes(range(16))
        self.cookie = ""
        self.seal: Any = None
        self._numbers = count(1)

    def post(self, path: str, body: bytes) -> tuple[int, bytes, str]:
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=3.0)
        try:
            connection.request("POST", path, body, {"Cookie": self.cookie} if self.cookie else {})
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.getheader("Set-Cookie", "")
        finally:
            connection.close()

    def log_in(self) -> int:
        """The status of the second handshake; 0 where the device's own proof is wrong."""
        status, body, cookie = self.post("/app/handshake1", self.local)
        assert (status, len(body)) == (200, 48)
        remote = body[:16]
        self.cookie = cookie.split(";")[0]
        assert self.cookie.startswith("TP_SESSIONID=")
        v2 = self.version is Klap.V2
        if hashlib.sha256(self.local + remote * v2 + self.account).digest() != body[16:]:
            return 0
        mine = hashlib.sha256(remote + self.local * v2 + self.account).digest()
        status, _, _ = self.post("/app/handshake2", mine)
        self.seal = Seal(self.local, remote, self.account)
        return status

    def ask(self, request: dict[str, Any], number: int | None = None) -> tuple[int, Any]:
        """`number`: of the request, from 1 on; left out, the next one."""
        number = self.seal.number + (next(self._numbers) if number is None else number)
        sealed = self.seal.sealed(number, json.dumps(request).encode())
        status, body, _ = self.post(f"/app/request?seq={number}", sealed)
        return status, json.loads(self.seal.opened(number, body)) if body else None


def client(house: House, device: str, version: Klap, *account: str) -> Client:
    return Client(house.port(device), version, *(account or ("someone@example.org", "S3cr3t")))


@pytest.mark.parametrize(("device", "version"), [("one", Klap.V1), ("two", Klap.V2)])
def test_a_client_of_the_right_account_logs_in_reads_and_switches(device: str, version: Klap) -> None:
    async def scene() -> None:
        async with House.from_toml(PLUGS) as house:
            one = client(house, device, version)
            assert await asyncio.to_thread(one.log_in) == 200
            status, said = await asyncio.to_thread(one.ask, SYSINFO)
            assert (status, said["system"]["get_sysinfo"]["relay_state"]) == (200, 1)
            status, said = await asyncio.to_thread(one.ask, relay(False), 2)
            assert (status, said) == (200, {"system": {"set_relay_state": {"err_code": 0}}})
            assert not house.is_on(device)
            assert [entry.value for entry in house.wire.of("login", device)] == [version]

    asyncio.run(scene())


def test_a_wrong_version_looks_exactly_like_a_wrong_password() -> None:
    async def scene() -> None:
        async with House.from_toml(PLUGS) as house:
            for other in (
                client(house, "one", Klap.V2),
                client(house, "one", Klap.V1, "someone@example.org", "wrong"),
                client(house, "one", Klap.V1, "Someone@example.org", "S3cr3t"),
            ):
                assert await asyncio.to_thread(other.log_in) == 0
            assert not house.wire.of("login")

    asyncio.run(scene())


def test_a_fresh_device_belongs_to_the_default_account() -> None:
    async def scene() -> None:
        async with House.from_toml(PLUGS) as house:
            fresh = client(house, "fresh", Klap.V2, *DEFAULT_ACCOUNT)
            assert await asyncio.to_thread(fresh.log_in) == 200

    asyncio.run(scene())


def test_without_a_session_or_with_a_used_number_nothing_is_done() -> None:
    async def scene() -> None:
        async with House.from_toml(PLUGS) as house:
            one, other = client(house, "one", Klap.V1), client(house, "one", Klap.V1)
            assert await asyncio.to_thread(one.log_in) == 200
            assert await asyncio.to_thread(other.log_in) == 200
            for each, number in ((one, 1), (other, 1), (one, 2)):
                assert (await asyncio.to_thread(each.ask, SYSINFO, number))[0] == 200
            assert await asyncio.to_thread(one.ask, relay(False), 2) == (403, None)
            house.controls("one").door.expire_sessions()
            assert await asyncio.to_thread(one.ask, relay(False), 3) == (403, None)
            one.cookie = ""
            assert await asyncio.to_thread(one.ask, relay(False), 4) == (403, None)
            assert house.is_on("one")

    asyncio.run(scene())


def test_a_session_ends_by_itself() -> None:
    async def scene() -> None:
        async with House.from_toml(PLUGS) as house:
            two = client(house, "two", Klap.V2)
            assert await asyncio.to_thread(two.log_in) == 200
            async with asyncio.timeout(3.0):
                while (await asyncio.to_thread(two.ask, SYSINFO))[0] == 200:
                    pass
            assert house.wire.of("refused", "two")[-1].value == "no session"

    asyncio.run(scene())


def test_a_client_that_fails_the_second_handshake_has_no_session() -> None:
    async def scene() -> None:
        async with House.from_toml(PLUGS) as house:
            one = client(house, "one", Klap.V1)
            _, _, cookie = await asyncio.to_thread(one.post, "/app/handshake1", one.local)
            one.cookie = cookie.split(";")[0]
            assert (await asyncio.to_thread(one.post, "/app/handshake2", bytes(32)))[0] == 403
            assert (await asyncio.to_thread(one.post, "/app/request?seq=1", bytes(64)))[0] == 403
            assert (await asyncio.to_thread(one.post, "/app/handshake1", b"short"))[0] == 400
            assert (await asyncio.to_thread(one.post, "/app", b"{}"))[0] == 404
            assert {entry.value for entry in house.wire.of("refused")} >= {"wrong account", "no session"}

    asyncio.run(scene())


def test_a_device_whose_third_party_switch_is_off_answers_403() -> None:
    async def scene() -> None:
        async with House.from_toml(PLUGS) as house:
            house.controls("one").refuses = 403
            one = client(house, "one", Klap.V1)
            assert (await asyncio.to_thread(one.post, "/app/handshake1", one.local))[0] == 403

    asyncio.run(scene())


# ------------------------------------------------------------------------------------------------- the newer dialect


def test_a_plug_of_the_newer_dialect_answers_methods_one_at_a_time_or_several() -> None:
    async def scene() -> None:
        async with House.from_toml(PLUGS) as house:
            one = client(house, "smart", Klap.V2, *DEFAULT_ACCOUNT)
            assert await asyncio.to_thread(one.log_in) == 200

            async def ask(method: str, params: dict[str, Any] | None = None) -> Any:
                return (await asyncio.to_thread(one.ask, {"method": method, "params": params}))[1]

            info = (await ask("get_device_info"))["result"]
            assert (info["device_on"], info["device_id"]) == (True, house.controls("smart").device_id)
            assert (await ask("get_emeter_data"))["result"]["power_mw"] == 60_000
            both = {
                "requests": [{"method": "set_device_info", "params": {"device_on": False}}, {"method": "unheard_of"}]
            }
            said = (await ask("multipleRequest", both))["result"]["responses"]
            assert [each["error_code"] for each in said] == [0, -1002]
            assert not house.is_on("smart")
            assert (await ask("set_device_info", {"device_on": 1}))["error_code"] == -1008
            assert (await asyncio.to_thread(one.ask, SYSINFO))[1] == {"error_code": -1002}

    asyncio.run(scene())


def test_an_outlet_of_the_newer_dialect_is_addressed_by_its_id_and_told_by_its_position() -> None:
    async def scene() -> None:
        async with House.from_toml(PLUGS) as house:
            one = client(house, "smart-strip", Klap.V2, *DEFAULT_ACCOUNT)
            assert await asyncio.to_thread(one.log_in) == 200
            _, said = await asyncio.to_thread(one.ask, {"method": "get_child_device_list"})
            outlets = {each["position"]: each for each in said["result"]["child_device_list"]}
            assert [outlets[position]["device_on"] for position in (1, 2, 3)] == [True, False, True]
            off = {"method": "set_device_info", "params": {"device_on": False}}
            for child, code in ((outlets[3]["device_id"], 0), ("nobody", -1008)):
                params = {"device_id": child, "requestData": off}
                _, said = await asyncio.to_thread(one.ask, {"method": "control_child", "params": params})
                assert said["error_code"] == code
            assert [house.is_on(f"smart-strip/{number}") for number in (1, 2, 3)] == [True, False, False]

    asyncio.run(scene())


# -------------------------------------------------------------------------------------------------------- discovery


@pytest.mark.parametrize("address", [LOOPBACK, BROADCAST])
def test_a_klap_device_answers_the_probe_and_nothing_else(address: str) -> None:
    async def scene() -> None:
        async with House.from_toml(PLUGS) as house:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
                ear.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                ear.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_sendto(ear, b"who is there?", (address, house.port("one")))
                await loop.sock_sendto(ear, tdp_frame(), (address, house.port("one")))
                async with asyncio.timeout(3.0):
                    data, sender = await loop.sock_recvfrom(ear, 4096)
            assert sender == (LOOPBACK, house.port("one"))
            told = json.loads(data[16:])
            assert told["error_code"] == 0
            assert told["result"]["mac"].replace("-", ":") == house.controls("one").mac
            assert told["result"]["mgt_encrypt_schm"]["encrypt_type"] == "KLAP"

    asyncio.run(scene())


def test_both_sides_prove_the_same_account_in_either_version() -> None:
    account = bytes(32)
    for version in Klap:
        assert proof(version, b"a" * 16, b"b" * 16, account) != proof(version, b"b" * 16, b"a" * 16, account)
    assert proof(Klap.V1, b"a" * 16, b"b" * 16, account) == proof(Klap.V1, b"a" * 16, b"x" * 16, account)
    assert proof(Klap.V2, b"a" * 16, b"b" * 16, account) != proof(Klap.V2, b"a" * 16, b"x" * 16, account)
