"""KLAP, the login of newer Kasa and Tapo firmware, as the device speaks it: two handshakes and sealed requests in HTTP.

A client sends 16 random bytes; the device answers 16 of its own and a hash over both sides' secret; the client answers
with its hash; from then on each request is AES-128-CBC under keys that both derive, with a number that only grows.
Version 1 hashes the account by MD5, version 2 by SHA-1 and SHA-256, and binds both seeds.

Source: python-kasa 0.12, `transports/klaptransport.py`. That a session ends with 403, and that one whose
Third-Party Compatibility is off answers 403 to the first handshake: python-kasa and home-assistant/core#153390, read.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from enum import StrEnum
from urllib.parse import parse_qs

import h11
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.constant_time import bytes_eq

from pimgr.house.http import Answer

SEED_BYTES = 16
TAG_BYTES = 32
MOST_SESSIONS = 8
"""Sessions that are kept, the oldest is forgotten. What real devices keep isn't known."""
DEFAULT_ACCOUNT = ("kasa@tp-link.net", "kasaSetup")
"""What a device answers to that no account was given yet. Source: python-kasa 0.12, `credentials.py`."""


class Klap(StrEnum):
    """The two versions of the login."""

    V1 = "klap1"
    V2 = "klap2"


def _digest(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    made = hashes.Hash(algorithm)
    made.update(data)
    return made.finalize()


def _sha256(data: bytes) -> bytes:
    return _digest(hashes.SHA256(), data)


def account_hash(version: Klap, username: str, password: str) -> bytes:
    """What the device keeps of an account: 16 bytes in version 1, 32 in version 2."""
    inner: hashes.HashAlgorithm = hashes.MD5() if version is Klap.V1 else hashes.SHA1()  # noqa: S303 - the protocol's
    outer: hashes.HashAlgorithm = hashes.MD5() if version is Klap.V1 else hashes.SHA256()  # noqa: S303
    return _digest(outer, _digest(inner, username.encode()) + _digest(inner, password.encode()))


def proof(version: Klap, mine: bytes, theirs: bytes, account: bytes) -> bytes:
    """The hash that shows knowledge of the account: over `mine`, the seed of who is to be convinced, first."""
    return _sha256(mine + account if version is Klap.V1 else mine + theirs + account)


class Seal:
    """The keys of one session, and the number of its last request (`number`, signed 32 bits, as in `seq=`)."""

    def __init__(self, local: bytes, remote: bytes, account: bytes) -> None:
        seeds = local + remote + account
        self.key = _sha256(b"lsk" + seeds)[:16]
        vector = _sha256(b"iv" + seeds)
        self.vector = vector[:12]
        self.number = int.from_bytes(vector[-4:], "big", signed=True)
        self.signature = _sha256(b"ldk" + seeds)[:28]

    def sealed(self, number: int, text: bytes) -> bytes:
        """`text` under request number `number`: a tag of 32 bytes, and the ciphertext."""
        padder = padding.PKCS7(algorithms.AES.block_size).padder()
        encryptor = self._cipher(number).encryptor()
        body = encryptor.update(padder.update(text) + padder.finalize()) + encryptor.finalize()
        return self._tag(number, body) + body

    def opened(self, number: int, sealed: bytes) -> bytes:
        """The text again. Raises ValueError where tag or padding are wrong."""
        tag, body = sealed[:TAG_BYTES], sealed[TAG_BYTES:]
        if not bytes_eq(tag, self._tag(number, body)):
            raise ValueError("the tag is wrong")
        decryptor = self._cipher(number).decryptor()
        unpadder = padding.PKCS7(algorithms.AES.block_size).unpadder()
        return unpadder.update(decryptor.update(body) + decryptor.finalize()) + unpadder.finalize()

    def _cipher(self, number: int) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES(self.key), modes.CBC(self.vector + _wire(number)))

    def _tag(self, number: int, body: bytes) -> bytes:
        return _sha256(self.signature + _wire(number) + body)


def _wire(number: int) -> bytes:
    return number.to_bytes(4, "big", signed=True)


class _Session:
    """One client: the seeds until it has proven itself, then its keys."""

    def __init__(self, local: bytes, remote: bytes, ends_s: float) -> None:
        self.local, self.remote, self.ends_s = local, remote, ends_s
        self.seal: Seal | None = None


class KlapDoor:
    """The HTTP side of one device: who is let in, and what is asked inside.

    `answer`: does what an opened request asks. `clock`: s. `note`: told of logins and of what is refused.
    """

    def __init__(self, version: Klap, answer: Callable[[bytes], bytes], clock: Callable[[], float]) -> None:
        self.version = version
        self.account = account_hash(version, *DEFAULT_ACCOUNT)
        self.session_s = 86400.0
        self.note: Callable[[str, str], object] = lambda _what, _value: None
        self._answer, self._clock = answer, clock
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    def belong_to(self, username: str, password: str) -> None:
        """From now on the device is of this account; who is logged in stays so."""
        self.account = account_hash(self.version, username, password)

    def expire_sessions(self) -> None:
        """Nobody is logged in any more, as after a restart of the device."""
        self._sessions.clear()

    def respond(self, request: h11.Request, body: bytes) -> Answer:
        """What to say to one request."""
        path, _, query = request.target.decode("latin-1").partition("?")
        if request.method != b"POST":
            return _plain(405)
        match path:
            case "/app/handshake1":
                return self._hello(body)
            case "/app/handshake2":
                return self._proven(_session_id(request), body)
            case "/app/request":
                return self._asked(_session_id(request), query, body)
            case _:
                return _plain(404)

    def _hello(self, local: bytes) -> Answer:
        if len(local) != SEED_BYTES:
            return _plain(400)
        name, remote = secrets.token_hex(16).upper(), secrets.token_bytes(SEED_BYTES)
        while len(self._sessions) >= MOST_SESSIONS:
            self._sessions.popitem(last=False)
        self._sessions[name] = _Session(local, remote, self._clock() + self.session_s)
        challenge = remote + proof(self.version, local, remote, self.account)
        cookie = f"TP_SESSIONID={name};TIMEOUT={round(self.session_s)}"
        return Answer(status=200, body=challenge, cookies=(cookie,), content_type="application/octet-stream")

    def _proven(self, name: str, shown: bytes) -> Answer:
        session = self._sessions.get(name)
        if session is None:
            return self._refused("handshake2 without a session")
        if not bytes_eq(shown, proof(self.version, session.remote, session.local, self.account)):
            del self._sessions[name]
            return self._refused("wrong account")
        session.seal = Seal(session.local, session.remote, self.account)
        self.note("login", self.version)
        return _plain(200)

    def _asked(self, name: str, query: str, body: bytes) -> Answer:
        session = self._sessions.get(name)
        if session is None or session.seal is None or self._clock() >= session.ends_s:
            self._sessions.pop(name, None)
            return self._refused("no session")
        seal = session.seal
        try:
            number = int(parse_qs(query).get("seq", [""])[0])
            if number <= seal.number:
                return self._refused("a number that was used before")
            text = seal.opened(number, body)
        except (ValueError, OverflowError) as error:
            return self._refused(f"a request that can't be opened: {error}")
        seal.number = number
        sealed = seal.sealed(number, self._answer(text))
        return Answer(status=200, body=sealed, content_type="application/octet-stream")

    def _refused(self, why: str) -> Answer:
        self.note("refused", why)
        return _plain(403)


def _session_id(request: h11.Request) -> str:
    """The session of the request's cookie; empty where there is none."""
    for name, value in request.headers:
        if name == b"cookie":
            for each in value.decode("latin-1").split(";"):
                key, _, text = each.strip().partition("=")
                if key == "TP_SESSIONID":
                    return text
    return ""


def _plain(status: int) -> Answer:
    return Answer(status=status, body=b"", content_type="text/html")
