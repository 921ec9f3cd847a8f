"""A machine's own key: what the config writes, what the store keeps, what `ssh-keygen -l` prints."""

from __future__ import annotations

import base64
import binascii
import hashlib

HOST_KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")


def host_key_blob(line: str) -> bytes | None:
    """The key of a line "ssh-ed25519 AAAA... comment" in wire format; None where it isn't one."""
    words = line.split()
    if len(words) < 2 or words[0] not in HOST_KEY_TYPES:
        return None
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        return None
    name = words[0].encode()
    return blob if blob.startswith(len(name).to_bytes(4, "big") + name) and len(blob) > len(name) + 4 else None


def host_key_line(kind: str, blob: bytes) -> str:
    """A key in wire format as one line, without a comment."""
    return f"{kind} {base64.b64encode(blob).decode()}"


def fingerprint(line: str) -> str:
    """A host key as `ssh-keygen -lf` prints it: "SHA256:" and base64 without padding. Source: ssh-keygen(1), -l."""
    digest = hashlib.sha256(host_key_blob(line) or b"").digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def is_rsa(private: str) -> bool:
    """Whether this private key is RSA, which alone can sign with SHA-1."""
    return "BEGIN RSA PRIVATE KEY" in private or b"\0\0\0\x07ssh-rsa" in _body(private)


def is_locked(private: str) -> bool:
    """Whether this private key has a passphrase. Source: openssh-portable, PROTOCOL.key: magic, then the cipher."""
    magic = b"openssh-key-v1\0"
    return "ENCRYPTED" in private or (_body(private).startswith(magic) and b"\0\0\0\x04none" not in _body(private)[:23])


def _body(private: str) -> bytes:
    text = "".join(line.strip() for line in private.splitlines() if ":" not in line and "-----" not in line)
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return b""
