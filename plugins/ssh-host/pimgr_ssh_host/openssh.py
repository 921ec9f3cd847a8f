"""One SSH session by the system's `ssh`, for servers so old that paramiko has no common algorithm with them.

A master connection logs in, and each command is a client of it: all of a session is one TCP connection, so one boot.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO

from pimgr.api import Garbled, Unreachable, Unsupported
from pimgr_ssh_host.keys import host_key_blob, is_locked, is_rsa
from pimgr_ssh_host.ssh_options import known_hosts, options
from pimgr_ssh_host.ssh_words import is_denial, locked, why_not_in
from pimgr_ssh_host.talk import Said, SilentError, Target, Wanted, printable

_MOST_OUTPUT = 4096
_MOST_BYTES = 256 * 1024
_CONNECT_S = 10
"""As in `session`: a machine that is silent for so long is silent."""
_GRACE_S = 0.5
"""How long the master may take to notice that its machine is gone, after a command of it failed."""
_BEAT_S = 0.02
_PREFIX = "pimgr-ssh-"
_STALE_S = 3600.0
"""Far beyond any session: what is older was left by a pimgr that was killed while it logged in, with a key in it."""


class SystemSession:
    """Connects and logs in on entering. `abort` may come from any thread and ends whatever goes on."""

    def __init__(self, target: Target, wanted: Wanted) -> None:
        self.host_key = ""
        self._target, self._wanted = target, wanted
        self._ends_s = time.monotonic() + wanted.deadline_s
        self._folder: Path | None = None
        self._ears = _Ears()
        self._running: list[subprocess.Popen[bytes]] = []
        self._aborted = False

    def __enter__(self) -> SystemSession:
        try:
            self._log_in()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def abort(self) -> None:
        """End it at once, from any thread."""
        self._aborted = True
        for process in list(self._running):
            _kill(process)

    def run(self, command: str) -> Said:
        """Run a command to its end. Raises Unreachable when it doesn't end in time, Garbled when it never stops."""
        assert self._folder is not None
        # a client whose master is gone would connect by itself, unpinned: `false` is where that ends
        client = ("-o", "ControlMaster=no", "-o", "ProxyCommand=false", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes")
        process = self._start([*client, "-n", "-T", "--", self._target.address, command], subprocess.PIPE)
        out, err = self._ears.to(process.stdout), self._ears.to(process.stderr)
        while process.poll() is None or self._ears.open(process.stdout, process.stderr):
            self._ears.listen()
            if self._late() or self._ears.flooded or self._aborted:
                raise self._too_long("the command did not end")
        self._running.remove(process)
        return self._ended(process.returncode, printable(out), printable(err))

    # ------------------------------------------------------------------------------------------------------ inside

    def _log_in(self) -> None:
        """Start the master; once its socket is there, it is logged in, and the key's file is taken away."""
        if shutil.which("ssh") is None:
            raise self._wanted.error(Unsupported, "there is no ssh program", "install openssh-client on pimgr's box")
        if is_locked(self._target.key):
            raise locked(self._wanted)
        _sweep(Path(_short_folder()))
        folder = self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_short_folder()))
        key, known = folder / "key", folder / "known_hosts"
        pinned = self._target.host_key
        _write(key, self._target.key.replace("\r\n", "\n").strip() + "\n")
        _write(known, known_hosts(pinned))
        told = self._try(folder, sha1_first=False)
        if told is not None and is_denial(told) and is_rsa(self._target.key):
            told = self._try(folder, sha1_first=True)
        if told is not None:
            raise why_not_in(told, self._target, self._wanted, self._ends_s)
        key.unlink()
        self.host_key = pinned or " ".join(known.read_text().split()[1:3])
        if host_key_blob(self.host_key) is None:
            cure = "write its host_key into the config, from ssh-keyscan"
            raise self._wanted.error(Unsupported, "it shows a host key of a kind that pimgr can't pin", cure)

    def _try(self, folder: Path, *, sha1_first: bool) -> str | None:
        """None once the master is logged in; or what it said when it ended."""
        connect_s = max(1, min(_CONNECT_S, int(0.8 * (self._ends_s - time.monotonic()))))
        arguments = options(self._target, folder, connect_s, sha1_first=sha1_first)
        master = self._start(["-M", "-N", "-n", "-T", *arguments, "--", self._target.address], subprocess.DEVNULL)
        told = self._ears.to(master.stderr)
        while not (folder / "socket").exists():
            self._ears.listen()
            if self._late() or self._ears.flooded or self._aborted:
                raise self._too_long("the login did not end")
            if master.poll() is not None and not self._ears.open(master.stderr):
                self._running.remove(master)
                return printable(told)
        return None

    def _start(self, arguments: list[str], out: int) -> subprocess.Popen[bytes]:
        """Run `ssh` in a process group of its own."""
        argv = ["ssh", "-F", "none", "-S", str(self._folder and self._folder / "socket"), *arguments]
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, env=env, start_new_session=True
        )
        self._running.append(process)
        if self._aborted:
            _kill(process)
        return process

    def _ended(self, status: int, out: str, err: str) -> Said:
        """`ssh` ends with 255 for troubles of its own; a command that was killed by a signal ends so too, wordless."""
        if status != 255:
            return Said(status, out, err)
        master = self._running[0]
        with contextlib.suppress(subprocess.TimeoutExpired):
            master.wait(_GRACE_S)
        return Said(-1 if master.poll() is not None or not err else status, out, err)

    def _too_long(self, fact: str) -> Exception:
        if self._ears.flooded:
            return self._wanted.error(Garbled, "it says too much", "check that an SSH server is at this port")
        if self._aborted:
            return SilentError("nobody wants to know any more")
        told = f"{fact}, no answer in {self._wanted.deadline_s:.1f} s ({self._wanted.where})"
        return self._wanted.error(Unreachable, told, "check the machine and its network")

    def _late(self) -> bool:
        return time.monotonic() >= self._ends_s

    def _close(self) -> None:
        for process in self._running:
            _kill(process)
            process.wait()
        self._ears.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


class _Ears:
    """Listens to several processes at once; of each of their outputs the beginning is kept."""

    def __init__(self) -> None:
        self.received = 0
        self._selector = selectors.DefaultSelector()
        self._pipes: list[IO[bytes]] = []

    @property
    def flooded(self) -> bool:
        return self.received > _MOST_BYTES

    def to(self, pipe: IO[bytes] | None) -> bytearray:
        """Listen to one more; what is returned fills while `listen` is called."""
        assert pipe is not None
        kept = bytearray()
        self._pipes.append(pipe)
        self._selector.register(pipe, selectors.EVENT_READ, kept)
        return kept

    def open(self, *pipes: IO[bytes] | None) -> bool:
        """Whether any of these may still say something."""
        return any(pipe in self._selector.get_map() for pipe in pipes if pipe is not None)

    def listen(self) -> None:
        """Take what there is, or wait a moment for it."""
        for key, _ in self._selector.select(_BEAT_S):
            data = os.read(key.fd, 65536)
            self.received += len(data)
            key.data.extend(data[: _MOST_OUTPUT - len(key.data)])
            if not data:
                self._selector.unregister(key.fileobj)

    def close(self) -> None:
        self._selector.close()
        for pipe in self._pipes:
            pipe.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _write(path: Path, text: str) -> None:
    """A file that only its owner can read, from its first moment."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def _sweep(folder: Path) -> None:
    """Take away what killed sessions of this user left."""
    for each in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            found = each.lstat()
            if found.st_uid == os.getuid() and time.time() - found.st_mtime > _STALE_S:
                shutil.rmtree(each, ignore_errors=True)


def _short_folder() -> str:
    """Where the key lies for the moment of a login: memory if there is some. A socket's path has 108 bytes at most."""
    folders = (os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0], tempfile.gettempdir(), "/tmp")  # noqa: S108
    return next(each for each in folders if each and len(each) < 60 and os.access(each, os.W_OK | os.X_OK))
