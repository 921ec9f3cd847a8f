"""The supervisor of a rehearsal: a process of its own, started, heard, killed and started again as systemd would."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from pimgr.snapshot import NoSnapshot, Snapshot, read


class Stage:
    """Folders under `folder`, a notify socket, and at most one supervisor. `mutant`: a broken one, by name."""

    def __init__(self, folder: Path, mutant: str = "") -> None:
        self.folder, self.mutant = folder, mutant
        self.config = folder / "pimgr.toml"
        self.state, self.run, self.secrets = folder / "state", folder / "run", folder / "secrets"
        for each in (self.state, self.run, self.secrets):
            each.mkdir(mode=0o700)
        self.status = ""
        self.ready = asyncio.Event()
        self.process: asyncio.subprocess.Process | None = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        self._socket.setblocking(False)
        self._log = (folder / "supervisor.log").open("ab")

    def write(self, config: str, secrets: Mapping[str, str]) -> None:
        """The config, and the secrets as systemd would hand them over."""
        self.config.write_text(config, encoding="utf-8")
        for name, text in secrets.items():
            path = self.secrets / name
            path.touch(mode=0o600)
            path.write_text(text, encoding="utf-8")

    async def start(self) -> float:
        """Start it and wait until it says that it is ready; gives the seconds that took."""
        self.ready.clear()
        asyncio.get_running_loop().add_reader(self._socket, self._heard)
        environment = {
            **os.environ,
            "NOTIFY_SOCKET": str(self.folder / "notify"),
            "CREDENTIALS_DIRECTORY": str(self.secrets),
            "PIMGR_STATE": str(self.state),
            "PIMGR_RUN": str(self.run),
        }
        module = ["-m", "pimgr.demo.mutants", self.mutant] if self.mutant else ["-m", "pimgr.cli"]
        began = time.monotonic()
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *module,
            "run",
            "--config",
            str(self.config),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        gone = asyncio.ensure_future(self.process.wait())
        ready = asyncio.ensure_future(self.ready.wait())
        await asyncio.wait({gone, ready}, timeout=30.0, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if not self.ready.is_set():
            gone.cancel()
            raise RuntimeError(f"the supervisor did not get ready:\n{self.log_text()[-2000:]}")
        return time.monotonic() - began

    def _heard(self) -> None:
        for line in self._socket.recv(4096).decode(errors="replace").splitlines():
            if line == "READY=1":
                self.ready.set()
            elif line.startswith("STATUS="):
                self.status = line.removeprefix("STATUS=")

    def snapshot(self) -> Snapshot | None:
        """What it shows now; None while it shows nothing."""
        try:
            return read(self.run)
        except NoSnapshot:
            return None

    async def kill(self) -> float:
        """SIGKILL, as a power cut or the watchdog's last resort; gives the moment (CLOCK_BOOTTIME s)."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    async def close(self) -> None:
        """Stop it politely, then firmly."""
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), 10.0)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self._log.close()

    def log_text(self) -> str:
        """What it printed so far."""
        return (self.folder / "supervisor.log").read_text(errors="replace")
