"""Tuya's local protocol on the wire: frames and ciphers of the versions 3.1, 3.3, 3.4 and 3.5, from the device's side.

A frame begins with 000055AA (until 3.4; ended by a CRC-32, in 3.4 by an HMAC-SHA256) or 00006699 (3.5, AES-128-GCM).
What a device says has a return code before its content; what a client says has none. Content is AES-128-ECB with PKCS#7
padding, in 3.1 only for commands; from 3.4 on under a key that each connection agrees on.

Source: tinytuya 1.20.0 (`core/message_helper.py`, `core/XenonDevice.py`, `core/header.py`); the command numbers there
are those of Tuya's `lan_protocol.h`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import struct
import zlib
from enum import IntEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pimgr.api import Frozen

PREFIX, SUFFIX = b"\x00\x00\x55\xaa", b"\x00\x00\xaa\x55"
PREFIX_GCM, SUFFIX_GCM = b"\x00\x00\x66\x99", b"\x00\x00\x99\x66"
FRAME_LIMIT = 64 * 1024
RETCODE_OK, RETCODE_BAD = 0, 1
_HEAD = struct.Struct(">4sIII")
_HEAD_GCM = struct.Struct(">4sHIII")
_RETCODE = struct.Struct(">I")
_IV, _TAG = 12, 16


class Command(IntEnum):
    """What a frame is about."""

    NEGOTIATE = 3
    NEGOTIATE_ANSWER = 4
    NEGOTIATE_END = 5
    CONTROL = 7
    STATUS = 8
    HEART_BEAT = 9
    DP_QUERY = 10
    CONTROL_NEW = 13
    DP_QUERY_NEW = 16
    UPDATE_DPS = 18


WITHOUT_VERSION = frozenset({
    Command.NEGOTIATE, Command.NEGOTIATE_ANSWER, Command.NEGOTIATE_END, Command.HEART_BEAT, Command.DP_QUERY,
    Command.DP_QUERY_NEW, Command.UPDATE_DPS,
})  # fmt: skip
"""Commands whose content has no version in front."""


class Frame(Frozen):
    """One message. `payload`: its content as the frame carries it, which until 3.4 is still under AES-ECB."""

    seq: int
    command: int
    payload: bytes
    retcode: int | None = None


class NotTuyaError(ValueError):
    """What came is no frame, or was not made with this key."""


# -------------------------------------------------------------------------------------------------------------- ciphers


def ecb_encrypt(key: bytes, plain: bytes, *, pad: bool = True) -> bytes:
    """AES-128-ECB, padded to whole blocks by PKCS#7."""
    if pad:
        padder = padding.PKCS7(128).padder()
        plain = padder.update(plain) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - it is what the devices speak
    return encryptor.update(plain) + encryptor.finalize()


def ecb_decrypt(key: bytes, secret: bytes) -> bytes:
    """The text again. Raises NotTuyaError where the key is another one."""
    if not secret or len(secret) % 16:
        raise NotTuyaError("not whole blocks")
    decryptor = Cipher(algorithms.AES(key), modes.ECB()).decryptor()  # noqa: S305
    unpadder = padding.PKCS7(128).unpadder()
    try:
        return unpadder.update(decryptor.update(secret) + decryptor.finalize()) + unpadder.finalize()
    except ValueError as error:
        raise NotTuyaError("another key") from error


def proof(key: bytes, nonce: bytes) -> bytes:
    """What shows that the other side has the key: HMAC-SHA256 of its nonce."""
    return hmac.new(key, nonce, hashlib.sha256).digest()


def session_key(version: str, key: bytes, local: bytes, remote: bytes) -> bytes:
    """The connection's key, from the nonces of client and device: their XOR under the local key."""
    mixed = bytes(a ^ b for a, b in zip(local, remote, strict=True))
    if version == "3.4":
        return ecb_encrypt(key, mixed, pad=False)
    return AESGCM(key).encrypt(local[:_IV], mixed, None)[:16]


# --------------------------------------------------------------------------------------------------------------- frames


def sealed(frame: Frame, hmac_key: bytes | None = None) -> bytes:
    """A 55AA frame, ended by a CRC-32, or in 3.4 by an HMAC under the connection's key."""
    content = (b"" if frame.retcode is None else _RETCODE.pack(frame.retcode)) + frame.payload
    size = len(content) + (32 if hmac_key else 4) + len(SUFFIX)
    whole = _HEAD.pack(PREFIX, frame.seq, frame.command, size) + content
    return whole + _checksum(whole, hmac_key) + SUFFIX


def unsealed(whole: bytes, hmac_key: bytes | None = None, *, retcode: bool = False) -> Frame:
    """The message of a 55AA frame. `retcode`: it comes from a device. Raises NotTuyaError where its end is wrong."""
    prefix, seq, command, size = _HEAD.unpack_from(whole)
    end = (32 if hmac_key else 4) + len(SUFFIX)
    if prefix != PREFIX or len(whole) != _HEAD.size + size or size < end + 4 * retcode or not whole.endswith(SUFFIX):
        raise NotTuyaError("no such frame")
    if not hmac.compare_digest(whole[-end : -len(SUFFIX)], _checksum(whole[:-end], hmac_key)):
        raise NotTuyaError("wrong checksum")
    content = whole[_HEAD.size : -end]
    if not retcode:
        return Frame(seq, command, content)
    return Frame(seq, command, content[4:], _RETCODE.unpack_from(content)[0])


def sealed_gcm(frame: Frame, key: bytes, iv: bytes = b"") -> bytes:
    """A 6699 frame: its head is authenticated, its content encrypted. `iv`: 12 bytes, random unless given."""
    content = (b"" if frame.retcode is None else _RETCODE.pack(frame.retcode)) + frame.payload
    iv = iv or os.urandom(_IV)
    head = _HEAD_GCM.pack(PREFIX_GCM, 0, frame.seq, frame.command, _IV + len(content) + _TAG)
    return head + iv + AESGCM(key).encrypt(iv, content, head[4:]) + SUFFIX_GCM


def unsealed_gcm(whole: bytes, key: bytes, *, retcode: bool = False) -> Frame:
    """The message of a 6699 frame. Raises NotTuyaError where it was made with another key."""
    prefix, _, seq, command, size = _HEAD_GCM.unpack_from(whole)
    if prefix != PREFIX_GCM or len(whole) != _HEAD_GCM.size + size + 4 or size < _IV + _TAG:
        raise NotTuyaError("no such frame")
    iv, secret = whole[18 : 18 + _IV], whole[18 + _IV : -4]
    try:
        content = AESGCM(key).decrypt(iv, secret, whole[4:18])
    except InvalidTag as error:
        raise NotTuyaError("another key") from error
    if not retcode:
        return Frame(seq, command, content)
    return Frame(seq, command, content[4:], _RETCODE.unpack_from(content)[0])


async def next_frame(reader: asyncio.StreamReader) -> bytes:
    """The next frame of either sort, with its ends. Raises NotTuyaError, or EOFError where the client left."""
    prefix = await reader.readexactly(4)
    head = {PREFIX: _HEAD, PREFIX_GCM: _HEAD_GCM}.get(prefix)
    if head is None:
        raise NotTuyaError("no such frame")
    rest = await reader.readexactly(head.size - 4)
    size = int.from_bytes(rest[-4:], "big") + (4 if prefix == PREFIX_GCM else 0)
    if size > FRAME_LIMIT:
        raise NotTuyaError(f"a frame of {size} bytes")
    return prefix + rest + await reader.readexactly(size)


def _checksum(whole: bytes, hmac_key: bytes | None) -> bytes:
    return proof(hmac_key, whole) if hmac_key else zlib.crc32(whole).to_bytes(4, "big")


# -------------------------------------------------------------------------------------------------------------- content


def version_head(version: str) -> bytes:
    """What stands before a content from 3.3 on: the version, and twelve bytes that clients leave zero."""
    return version.encode() + bytes(12)


def signed_31(key: bytes, plain: bytes) -> bytes:
    """A command or a push in 3.1: version, the middle half of an MD5 in hex, and base64."""
    text = base64.b64encode(ecb_encrypt(key, plain))
    return b"3.1" + _middle(key, text) + text


def unsigned_31(key: bytes, content: bytes) -> bytes:
    """The text of a 3.1 command. Raises NotTuyaError where the key is another one."""
    text = content[19:]
    if not content.startswith(b"3.1") or content[3:19] != _middle(key, text):
        raise NotTuyaError("another key")
    return ecb_decrypt(key, base64.b64decode(text))


def _middle(key: bytes, text: bytes) -> bytes:
    digest = hashlib.md5(b"data=" + text + b"||lpv=3.1||" + key, usedforsecurity=False).hexdigest()
    return digest[8:24].encode()
