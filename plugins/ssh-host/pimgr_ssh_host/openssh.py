"""One SSH session by the system's `ssh`, for servers so old that paramiko has no common algorithm with them.

paramiko 5 has no SHA-1 (its changelog, 5.0). OpenSSH still has it, switched off: signatures by ssh-rsa since 8.8
(openssh.com/txt/release-8.8), `diffie-hellman-group14-sha1` since 8.2; Debian 13's 10.0 has both compiled in
(`ssh -Q key-sig`, `ssh -Q kex`; only DSA is gone, openssh.com/txt/release-10.0). So they are allowed here by name, for
this machine alone, and behind what is newer, so that a better server gets better.

A master connection logs in, and each command is a client of it: all of a session is one TCP connection, so one boot.
"""

from __future__ import annotations

import contextlib
import functools
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
from pimgr_ssh_host.keys import host_key_blob
from pimgr_ssh_host.ssh_words import why_not_in
from pimgr_ssh_host.talk import Said, SilentError, Target, Wanted, printable

_ALIAS = "pimgr"
"""What the machine is called in a known_hosts file that holds no other."""
_MOST_OUTPUT = 4096
_MOST_BYTES = 256 * 1024
_CONNECT_S = 10
"""As in `session`: a machine that is silent for so long is silent."""
_GRACE_S = 0.5
"""How long the master may take to notice that its machine is gone, after a command of it failed."""
_BEAT_S = 0.02
_OLD = {
    "KexAlgorithms": (
        "kex",
        ("diffie-hellman-group14-sha1", "diffie-hellman-group-exchange-sha1", "diffie-hellman-group1-sha1"),
    ),
    "PubkeyAcceptedAlgorithms": ("key-sig", ("ssh-rsa",)),
    "Ciphers": ("cipher", ("aes128-cbc",)),
    "MACs": ("mac", ("hmac-sha1",)),
}
"""What SunSSH of Solaris 10 knows, by option, each with `ssh -Q`'s word. Source: its sshd_config(4)."""
_HOST_KEYS = {"ssh-rsa": "rsa-sha2-512,rsa-sha2-256,ssh-rsa", "": "+ssh-rsa"}
_ALWAYS = (
    "BatchMode=yes",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "PreferredAuthentications=publickey",
    "GlobalKnownHostsFile=/dev/null",
    f"HostKeyAlias={_ALIAS}",
    "HashKnownHosts=no",
    "UpdateHostKeys=no",
    "CheckHostIP=no",
    "VerifyHostKeyDNS=no",
    "ConnectionAttempts=1",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ControlPersist=no",
    "LogLevel=VERBOSE",
)


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
        folder = self._folder = Path(tempfile.mkdtemp(prefix="pimgr-ssh-", dir=_short_folder()))
        key, known = folder / "key", folder / "known_hosts"
        pinned = self._target.host_key
        _write(key, self._target.key.replace("\r\n", "\n").strip() + "\n")
        _write(known, f"{_ALIAS} {' '.join(pinned.split()[:2])}\n" if pinned else "")
        master = self._start(self._options(key, known), subprocess.DEVNULL)
        told = self._ears.to(master.stderr)
        while not (folder / "socket").exists():
            self._ears.listen()
            if self._late() or self._ears.flooded or self._aborted:
                raise self._too_long("the login did not end")
            if master.poll() is not None and not self._ears.open(master.stderr):
                raise why_not_in(printable(told), self._target, self._wanted, self._ends_s)
        key.unlink()
        self.host_key = pinned or " ".join(known.read_text().split()[1:3])
        if host_key_blob(self.host_key) is None:
            cure = "write its host_key into the config, from ssh-keyscan"
            raise self._wanted.error(Unsupported, "it shows a host key of a kind that pimgr can't pin", cure)

    def _options(self, key: Path, known: Path) -> list[str]:
        target = self._target
        kind = (target.host_key or " ").split(" ")[0]
        connect_s = max(1, min(_CONNECT_S, int(self._ends_s - time.monotonic())))
        chosen = (
            f"StrictHostKeyChecking={'yes' if target.host_key else 'accept-new'}",
            f"HostKeyAlgorithms={_HOST_KEYS.get(kind, kind)}",
            f'UserKnownHostsFile="{known}"',
            f'IdentityFile="{key}"',
            f"ConnectTimeout={connect_s}",
        )
        old = tuple(f"{option}=+{names}" for option, names in _allowed().items())
        options = [part for option in (*_ALWAYS, *old, *chosen) for part in ("-o", option)]
        return ["-M", "-N", "-n", "-T", *options, "-p", str(target.port), "-l", target.user, "--", target.address]

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
        spoke = self._ears.received > 0
        if self._ears.flooded:
            return self._wanted.error(Garbled, "it says too much", "check that an SSH server is at this port")
        if self._aborted or (not spoke and not self.host_key):
            return SilentError("it says nothing")
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


@functools.cache
def _allowed() -> dict[str, str]:
    """Of what old servers know, what this `ssh` still has: one name too many would make it refuse to start."""
    allowed = {}
    for option, (query, names) in _OLD.items():
        told = subprocess.run(["ssh", "-Q", query], check=True, capture_output=True, text=True, timeout=_CONNECT_S)
        known = told.stdout.split()
        allowed[option] = ",".join(name for name in names if name in known)
    return {option: names for option, names in allowed.items() if names}


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _write(path: Path, text: str) -> None:
    """A file that only its owner can read, from its first moment."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def _short_folder() -> str:
    """Where the key lies for the moment of a login: memory if there is some. A socket's path has 108 bytes at most."""
    folders = (os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0], tempfile.gettempdir(), "/tmp")  # noqa: S108
    return next(each for each in folders if each and len(each) < 60 and os.access(each, os.W_OK | os.X_OK))
