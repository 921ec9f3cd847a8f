"""What a session with a machine is asked and tells, whichever program speaks SSH for us."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol

from pimgr.api import DeviceError, Garbled, Refused

_BUSY = ("Exceeded MaxStartups", "Not allowed at this time")
"""What OpenSSH's sshd says instead of its banner: too many logins at once (since 8.5), or a penalty (since 9.8).

Source: openssh-portable, sshd.c, `drop_connection`; sshd_config(5), MaxStartups and PerSourcePenalties.
"""


class SilentError(Exception):
    """The machine says nothing, or nothing more: nobody listens, who listens never speaks, or it is gone meanwhile."""


@dataclass(frozen=True)
class Target:
    """Which machine, as whom. `key`: private key in OpenSSH's format, without a passphrase.

    `host_key`: its public key as a line "ssh-ed25519 AAAA..."; no other is accepted. None: whichever it shows, for the
    first sight of it.
    """

    address: str
    port: int
    user: str
    key: str = field(repr=False)
    host_key: str | None = None

    @property
    def where(self) -> str:
        return f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Wanted:
    """What was asked of whom, for the message; and within how many seconds a session for it ends itself."""

    part: str
    wish: str
    where: str
    deadline_s: float

    def error(self, kind: type[DeviceError], fact: str, cure: str) -> DeviceError:
        """One of the four errors about this wish."""
        return kind(self.part, self.wish, fact, cure)


@dataclass(frozen=True)
class Said:
    """How a command ended. `status` is -1 where the machine was gone before it told.

    `out` and `err` are printable text, the first 4 KiB of each, without white space around.
    """

    status: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """The last line of what it complained about, for a message."""
        told = self.err or self.out
        return told.splitlines()[-1][:120] if told else f"status {self.status}"


class Session(Protocol):
    """One login, made on entering; blocking, for a worker thread. `abort` may come from any thread, at any time.

    Entering and running raise SilentError, or one of the four errors, before `Wanted.deadline_s` has passed.
    """

    def __enter__(self) -> Session: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    @property
    def host_key(self) -> str:
        """The key that the machine showed, as a line; once entered."""

    def run(self, command: str) -> Said:
        """Run a command to its end. Every command of a session runs in the same boot of the machine."""

    def abort(self) -> None:
        """End it at once."""


Opens = Callable[[Target, Wanted], Session]
"""Makes a session, without connecting yet."""


def printable(data: bytes | bytearray) -> str:
    """Another machine's words as text that never carries control characters into a log."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\t", " ")
    return "".join(each if each.isprintable() or each == "\n" else "?" for each in text).strip()


def changed_key(wanted: Wanted, shown: str | None) -> DeviceError:
    """The machine isn't the one whose key was pinned. `shown`: its fingerprint now, where that is known."""
    fact = "it shows another host key than the pinned one" + (f" ({shown})" if shown else "")
    cure = "if the machine was installed anew, set host_key to its new key; if not, something poses as it"
    return wanted.error(Garbled, fact, cure)


def is_rate_limit(told: bytes | str) -> bool:
    """Whether a server that sends us away says that it was asked too often."""
    text = told if isinstance(told, str) else told.decode("ascii", "replace")
    return any(each in text for each in _BUSY)


def rate_limited(wanted: Wanted) -> DeviceError:
    """It was asked too often, by us or by others."""
    cure = "pimgr tries again by itself; if that lasts, look at MaxStartups and PerSourcePenalties in its sshd_config"
    return wanted.error(Refused, "it lets nobody in for a while, having had too many logins", cure)
