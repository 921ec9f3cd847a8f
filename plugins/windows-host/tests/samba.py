"""A real SMB server for the tests: Samba's smbd on loopback, with an account, its rights, and a remote shutdown.

Settings as a private instance needs them: absolute paths for every folder, no NetBIOS, no printers. It needs root and
a user of the system; both are the tests' own.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

PASSWORD = "S3cr3t pass=word"
CONFIG = """
[global]
  server role = standalone server
  workgroup = WORKGROUP
  netbios name = WINPC
  interfaces = lo
  bind interfaces only = yes
  smb ports = {port}
  disable netbios = yes
  lock directory = {folder}/lock
  state directory = {folder}/state
  cache directory = {folder}/cache
  pid directory = {folder}/pid
  private dir = {folder}/private
  ncalrpc dir = {folder}/ncalrpc
  passdb backend = tdbsam:{folder}/private/passdb.tdb
  log file = {folder}/log
  load printers = no
  disable spoolss = yes
  map to guest = never
  shutdown script = {folder}/shutdown %f
  abort shutdown script = {folder}/abort
"""


@dataclass
class Samba:
    """`user`: of the system and of the server."""

    folder: Path
    port: int
    user: str

    def asked(self) -> list[str]:
        """What its scripts were run for, oldest first."""
        asked = self.folder / "asked"
        return asked.read_text().split("\n")[:-1] if asked.exists() else []

    def obeys(self, obeys: bool) -> None:
        """Whether its shutdown script ends well."""
        for name in ("shutdown", "abort"):
            script = self.folder / name
            end = 0 if obeys else 1
            script.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.folder}/asked\nexit {end}\n')
            script.chmod(0o755)

    def right(self, granted: bool) -> None:
        """Whether the account may shut it down from afar."""
        self._do("net", "-s", self._config, "sam", "rights", "grant" if granted else "revoke", self.user, RIGHT)

    def flags(self, flags: str) -> None:
        """The account's flags: "D" disabled, "L" locked, "" neither."""
        self._do("pdbedit", "-s", self._config, "-c", f"[{flags}]", self.user)

    def must_change(self) -> None:
        """The account's password has to be changed first."""
        self._do("net", "-s", self._config, "sam", "set", "pwdmustchangenow", self.user, "yes")

    def add(self) -> None:
        """Make the account, with its password."""
        self._do("smbpasswd", "-c", self._config, "-s", "-a", self.user, told=f"{PASSWORD}\n{PASSWORD}\n")

    @property
    def _config(self) -> str:
        return str(self.folder / "smb.conf")

    def _do(self, *command: str, told: str = "") -> None:
        subprocess.run(command, input=told, capture_output=True, text=True, check=True, timeout=30.0)


RIGHT = "SeRemoteShutdownPrivilege"


def _or_skip() -> None:
    """In CI all of this is there; a run there that finds it missing must fail, not skip."""
    here = os.geteuid() == 0 and all(shutil.which(program) for program in ("smbd", "net", "smbpasswd"))
    if not here and "CI" not in os.environ:
        pytest.skip("it takes root, and Debian's samba and samba-common-bin")


@contextmanager
def samba(folder: Path) -> Iterator[Samba]:
    """A server that obeys, with an account that has the right."""
    _or_skip()
    with _user() as user:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = int(listener.getsockname()[1])
        server = Samba(folder, port, user)
        for name in ("lock", "state", "cache", "pid", "private", "ncalrpc"):
            (folder / name).mkdir()
        (folder / "smb.conf").write_text(CONFIG.format(folder=folder, port=port))
        server.obeys(True)
        server.add()
        server.right(True)
        with (folder / "out").open("wb") as out:
            process = subprocess.Popen(
                ["smbd", "--foreground", "--no-process-group", "-s", str(folder / "smb.conf")],
                stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        try:
            _listens(port, process)
            yield server
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=20.0)


@contextmanager
def _user() -> Iterator[str]:
    """A user of the system that nobody can log in as."""
    user = f"pimgr-t{os.getpid()}"
    subprocess.run(["useradd", "-M", "-N", "-s", "/usr/sbin/nologin", user], check=True, timeout=30.0)
    try:
        yield user
    finally:
        subprocess.run(["userdel", user], check=True, timeout=30.0, capture_output=True)


def _listens(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 20.0
    while time.monotonic() < until:
        assert process.poll() is None, "smbd ended"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return
        time.sleep(0.02)
    raise AssertionError("smbd does not listen")
