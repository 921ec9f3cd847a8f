"""One call to a plug on the home network, by tinytuya, within a time and a number of bytes.

tinytuya has a time-out for each piece that it receives and none for the whole, tries again by itself, and searches
without end through what is no answer; so the receiving and the connecting are ours, and everything else is its own. Its
answers are dicts with an error number in which a wrong key, another version, silence and noise look alike (902, 904,
914): they are told apart here by what came over the line.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from dataclasses import dataclass
from typing import Any

import tinytuya
from tinytuya.core.error_helper import ERR_CONNECT

from pimgr.api import Garbled, Refused, Unreachable
from pimgr_tuya.failure import Failed

logging.getLogger("tinytuya").setLevel(logging.WARNING)  # at DEBUG it logs keys, and encrypts with one fixed nonce

MOST_BYTES = 16 * 1024
"""A plug says some 300 bytes in all; the library's own bound for a frame is 1,440."""
CONNECT_S = 2.0
KEY_LENGTH = 16
PAUSE_S = 0.1
"""The library rests so long after a failure, also before it gives up."""
DEVICE22 = "device22"
"""The library's name for plugs that want their data points named when they are asked; it finds out by itself."""
_METERS = ("18", "19", "20")


@dataclass(frozen=True)
class Target:
    """A plug as it is to be spoken to. `dps`: its data points, which a `device22` wants to be named."""

    device_id: str
    address: str
    port: int
    key: str
    version: str
    dps: tuple[str, ...]
    device22: bool = False

    @property
    def where(self) -> str:
        return f"{self.address}:{self.port}"


class Line(tinytuya.OutletDevice):  # type: ignore[misc]  # the library carries no types
    """The library's device on one connection, which remembers what came and how it ended."""

    def __init__(self, target: Target, patience_s: float) -> None:
        self.target = target
        self.patience_s = patience_s
        self.heard = 0
        self.opened = 0
        self.linked = self.hung_up = self.flooded = self.late = False
        self._dropped = False
        self._ends_s = 0.0
        super().__init__(
            dev_id=target.device_id,
            address=target.address,
            local_key=target.key,
            version=float(target.version),
            port=target.port,
            dev_type=DEVICE22 if target.device22 else "default",
            persist=False,
            connection_timeout=min(CONNECT_S, patience_s),
            connection_retry_limit=1,
            connection_retry_delay=1,
        )
        self.name_dps()

    @property
    def found_out(self) -> bool:
        """Whether it turned out to be a `device22` only now."""
        return bool(self.dev_type == DEVICE22) and not self.target.device22

    def name_dps(self) -> None:
        """Ask for these data points, where they have to be named."""
        self.set_dpsUsed(dict.fromkeys([*self.target.dps, *_METERS]))

    def begin(self) -> None:
        """From now on its patience runs."""
        if not self._dropped:
            self._ends_s = time.monotonic() + max(self.patience_s - PAUSE_S, self.patience_s / 2)

    def _get_socket(self, renew: bool) -> Any:
        """Connect, once; again only where it turned out to be a `device22`, which is asked in another way."""
        if self.socket is not None and not renew:
            return True
        if self.opened > 2 * self.found_out or self._left_s() <= 0:
            return ERR_CONNECT
        self.opened += 1
        result = super()._get_socket(renew)
        self.linked = self.linked or result is True or self.heard > 0 or self.hung_up or self.late
        return result

    def _recv_all(self, length: int) -> bytes:
        """So many bytes, within the patience of the whole call."""
        self.linked = True
        data = b""
        while len(data) < length:
            left_s = self._left_s()
            if left_s <= 0:
                self.late = True
                raise TimeoutError
            self.socket.settimeout(left_s)
            try:
                piece = self.socket.recv(length - len(data))
            except TimeoutError:
                self.late = True
                raise
            if not piece:
                self.hung_up = True
                raise tinytuya.DecodeError("it hung up")
            self.heard += len(piece)
            if self.heard > MOST_BYTES:
                self.flooded = True
                raise tinytuya.DecodeError("too much")
            data += piece
        return data

    def _left_s(self) -> float:
        return self._ends_s - time.monotonic()

    def drop(self) -> None:
        """End it at once, from another thread."""
        self._dropped, self._ends_s = True, 0.0
        line = self.socket
        if line is not None:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


def look(line: Line) -> dict[str, Any]:
    """All data points. Blocks; raises Failed."""
    line.begin()
    try:
        result = line.status()
        if line.found_out:  # the library has asked for "1" only
            line.name_dps()
            result = line.status()
        _judge(line, result)
    finally:
        line.close()
    dps = result.get("dps") if isinstance(result, dict) else None
    if not isinstance(dps, dict):
        raise Failed(Garbled, "it answered without telling its state", "restart the plug", doubt=True)
    return dict(dps)


def tell(line: Line, dp: str, on: bool) -> None:
    """Ask that a switch be on or off. Blocks; raises Failed. What the library returns proves nothing."""
    line.begin()
    line.set_retry(False)  # "done" is enough: it would wait for a push, which only comes where something changes
    try:
        _judge(line, line.set_value(dp, on))
    finally:
        line.close()


_POWER = "check its power and its Wi-Fi"
_OTHERS = "close the app on phones near it, and let no other program speak to it: it hears one at a time"
_BOOTED = (
    "check its power and Wi-Fi; if it started while the internet was away, it may keep silent until it has seen the "
    "internet (give it the internet, or add the cloud_ keys)"
)
_KEY = "check the local key (it changes when the plug is paired again)"


def _judge(line: Line, result: Any) -> None:
    """Raise Failed where a call went wrong."""
    error = str(result["Err"]) if isinstance(result, dict) and "Err" in result else ""
    if line.flooded:
        raise Failed(Garbled, "it says far more than a plug does", "check that the address is the plug's")
    if any(not message.crc_good for message in line.raw_recv):
        raise Failed(Garbled, "what it says has a wrong checksum", f"{_KEY}; restart the plug", doubt=True)
    if not error:
        _agreed(line, result)
    elif not line.linked:
        raise _no_connection(line, error)
    elif line.heard == 0:
        raise _nothing(line)
    elif line.late:
        raise Failed(Unreachable, f"no complete answer in {line.patience_s:.1f} s ({line.target.where})", _POWER)
    elif line.hung_up and not line.raw_recv:
        raise Failed(Garbled, "its answer was cut off", _POWER, doubt=True)
    else:
        raise _nonsense(line, result)


def _agreed(line: Line, result: Any) -> None:
    """The answer can be read; whether it is this plug's, and a yes."""
    if line.cmd_retcode:
        raise Failed(Refused, f"it refused (return code {line.cmd_retcode})", f"check `switches`; {_KEY}", doubt=True)
    told = result.get("devId") if isinstance(result, dict) else None
    if isinstance(told, str) and told != line.target.device_id:
        raise _another(line, f"id {told[:40]!r}")


def _no_connection(line: Line, error: str) -> Failed:
    where = line.target.where
    if error == "905":
        return Failed(Unreachable, f"no connection to {where} in {min(CONNECT_S, line.patience_s):.1f} s", _BOOTED)
    return Failed(Unreachable, f"no connection to {where} (refused, or no way there)", _BOOTED)


def _nothing(line: Line) -> Failed:
    """It was connected, and said not a byte."""
    negotiates = line.target.version in ("3.4", "3.5")
    if line.hung_up and negotiates:
        cure = f"{_KEY} and the protocol version; {_OTHERS}"
        return Failed(
            Refused, f"it hung up on our key, or speaks another version than {line.target.version}", cure, doubt=True
        )
    if line.hung_up:
        cure = f"check the protocol version; {_OTHERS}"
        return Failed(Unreachable, f"it hung up without an answer ({line.target.where})", cure, doubt=True)
    cure = f"{_KEY} and the protocol version: with a wrong one it keeps silent, too; {_BOOTED}"
    return Failed(Unreachable, f"it keeps silent for {line.patience_s:.1f} s ({line.target.where})", cure, doubt=True)


def _nonsense(line: Line, result: dict[str, Any]) -> Failed:
    """Something came, and it is no answer."""
    payload = result.get("Payload")
    if isinstance(payload, bytes) and b"id invalid" in payload:
        return _another(line, "it doesn't know our device_id")
    if any(message.retcode for message in line.raw_recv):
        return Failed(Refused, "it refused, in words that our key can't read", _KEY, doubt=True)
    return Failed(Garbled, "it answered what our key can't read", f"{_KEY}; check the address", doubt=True)


def _another(line: Line, what: str) -> Failed:
    cure = "give the plug a fixed address in the router, or set device_id and key if it was replaced"
    return Failed(Garbled, f"another device answers at {line.target.where} ({what})", cure)


def usable(key: str) -> bool:
    """Whether a text can be a local key. A blank one would make the library look for a file."""
    return len(key) == KEY_LENGTH and all(0 < ord(character) < 256 for character in key)
