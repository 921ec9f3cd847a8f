"""Samba's `net`, run for one request: the password by a file in memory, an end at the deadline."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass

_PROGRAM = "net"


class NoProgramError(Exception):
    """The program isn't installed."""


class TooLateError(Exception):
    """It didn't end in time."""


class ClosedError(Exception):
    """It was ended, or not begun, since nobody wants it any more."""


@dataclass(frozen=True)
class Account:
    """Who asks whom."""

    address: str
    port: int
    user: str
    password: str
    domain: str

    def file(self) -> bytes:
        """As `net -A` reads it. Source: smbclient(1), --authentication-file."""
        return f"username = {self.user}\npassword = {self.password}\ndomain = {self.domain}\n".encode()


class Net:
    """Runs it, one at a time or several; `close` ends them all."""

    def __init__(self) -> None:
        self._running: set[asyncio.subprocess.Process] = set()
        self._closed = False

    async def run(self, account: Account, arguments: tuple[str, ...], deadline_s: float) -> tuple[int, str]:
        """`net rpc ARGUMENTS`; gives its exit status and what it printed.

        It asks no name server for its own sake and reads no config of this box. Raises NoProgramError, TooLateError,
        ClosedError.
        """
        program = shutil.which(_PROGRAM, path="/usr/local/bin:/usr/bin:/bin")
        if program is None:
            raise NoProgramError
        with _in_memory(account.file()) as (number, path):
            where = ("-I", account.address, "-p", str(account.port), "-A", path, "-s", "/dev/null")
            process = await asyncio.create_subprocess_exec(
                *(program, "rpc", *arguments, *where),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={"PATH": os.defpath, "LC_ALL": "C", "HOME": "/nonexistent"},
                pass_fds=(number,),
                start_new_session=True,
            )
        self._running.add(process)
        try:
            if not self._closed:
                async with asyncio.timeout(deadline_s):
                    said, _ = await process.communicate()
            if self._closed:
                raise ClosedError
            return process.returncode or 0, said.decode("utf-8", "replace")
        except TimeoutError:
            raise TooLateError from None
        finally:
            await self._end(process)

    async def close(self) -> None:
        """End whatever runs, and what is just being started. Safe to repeat."""
        self._closed = True
        for process in list(self._running):
            await self._end(process)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        self._running.discard(process)
        await process.wait()


@contextlib.contextmanager
def _in_memory(content: bytes) -> Iterator[tuple[int, str]]:
    """A file that is on no disk, and gone with the last process that has it open: its number, and its path there."""
    number = os.memfd_create("account", os.MFD_CLOEXEC)
    try:
        os.write(number, content)
        os.fchmod(number, 0o600)
        yield number, f"/proc/self/fd/{number}"
    finally:
        os.close(number)
