"""One connection of a Tuya device: which frames it understands, and how what it says is wrapped."""

from __future__ import annotations

import hmac
import os

from pimgr.house.tuya_frames import (
    PREFIX_GCM,
    RETCODE_BAD,
    RETCODE_OK,
    WITHOUT_VERSION,
    Command,
    Frame,
    NotTuyaError,
    ecb_decrypt,
    ecb_encrypt,
    proof,
    sealed,
    sealed_gcm,
    session_key,
    signed_31,
    unsealed,
    unsealed_gcm,
    unsigned_31,
    version_head,
)

NONCE = 16


class Session:
    """The wrapping of one connection. From 3.4 on, nothing but the agreement on a key is heard before that is done."""

    def __init__(self, version: str, key: bytes) -> None:
        self.version = version
        self._local_key = key
        self._key = key
        self._agreed = version in ("3.1", "3.3")
        self._nonces = (b"", b"")
        self._seq = 0
        self.hangs_up = version == "3.4"
        """Whether it ends the connection when it doesn't understand: the others only keep silent."""

    # ------------------------------------------------------------------------------------------------------- hearing

    def heard(self, whole: bytes) -> tuple[int, bytes]:
        """A frame's command and its plain content. Raises NotTuyaError where version or key are others, or it is early.

        A 3.5 device drops what isn't 6699 (homebridge-plugins/homebridge-tuya, test/protocol35Frames.test.ts).
        """
        gcm = whole.startswith(PREFIX_GCM)
        self.hangs_up = self.version == "3.4" or (self.version == "3.5" and gcm)
        if (self.version == "3.5") != gcm:
            raise NotTuyaError("another version")
        hmac_key = self._key if self.version == "3.4" else None
        frame = unsealed_gcm(whole, self._key) if gcm else unsealed(whole, hmac_key)
        if not self._agreed and frame.command not in (Command.NEGOTIATE, Command.NEGOTIATE_END):
            raise NotTuyaError("a command before the agreement on a key")
        self._seq = frame.seq
        return frame.command, self._plain(frame)

    def _plain(self, frame: Frame) -> bytes:
        content = frame.payload
        if self.version == "3.1":
            return unsigned_31(self._key, content) if frame.command == Command.CONTROL else content
        head = version_head(self.version)
        if self.version == "3.3":
            return ecb_decrypt(self._key, content[len(head) :] if content.startswith(b"3.3") else content)
        if self.version == "3.4":
            content = ecb_decrypt(self._key, content)
        named = frame.command not in WITHOUT_VERSION and content.startswith(head[:3])
        return content[len(head) :] if named else content

    # -------------------------------------------------------------------------------------------------------- saying

    def said(self, command: int, plain: bytes, *, bad: bool = False) -> bytes:
        """An answer to the frame heard last; nothing at all in it means "done"."""
        if plain and self.version in ("3.3", "3.4"):
            plain = ecb_encrypt(self._key, plain)
        return self._wrapped(Frame(self._seq, command, plain, RETCODE_BAD if bad else RETCODE_OK))

    def push(self, plain: bytes) -> bytes:
        """What it says of its own accord."""
        head = version_head(self.version)
        match self.version:
            case "3.1":
                content = signed_31(self._key, plain)
            case "3.3":
                content = head + ecb_encrypt(self._key, plain)
            case "3.4":
                content = ecb_encrypt(self._key, head + plain)
            case _:
                content = head + plain
        return self._wrapped(Frame(0 if self.version == "3.1" else self._seq, Command.STATUS, content, RETCODE_OK))

    def _wrapped(self, frame: Frame) -> bytes:
        if self.version == "3.5":
            return sealed_gcm(frame, self._key)
        return sealed(frame, self._key if self.version == "3.4" else None)

    # ----------------------------------------------------------------------------------------------- agreeing on a key

    def agree(self, command: int, content: bytes) -> list[bytes]:
        """The two messages of the agreement: a nonce, answered by ours and a proof; then the client's proof.

        Raises NotTuyaError where the client can't have the key.
        """
        if command == Command.NEGOTIATE:
            if len(content) != NONCE:
                raise NotTuyaError("no nonce")
            self._nonces = (content, os.urandom(NONCE))
            return [self.said(Command.NEGOTIATE_ANSWER, self._nonces[1] + proof(self._local_key, content))]
        local, remote = self._nonces
        if not local or not hmac.compare_digest(content, proof(self._local_key, remote)):
            raise NotTuyaError("a wrong proof")
        self._key = session_key(self.version, self._local_key, local, remote)
        self._agreed = True
        return []
