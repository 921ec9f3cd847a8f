"""One SSH session by paramiko, blocking, for a worker thread: pinned host key, one key login, short commands."""

from __future__ import annotations

import contextlib
import io
import logging
import socket
import threading
import time
from types import TracebackType

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from pimgr.api import DeviceError, Garbled, Refused, Unreachable, Unsupported
from pimgr_ssh_host.keys import fingerprint, host_key_blob, host_key_line
from pimgr_ssh_host.talk import (
    Said,
    SilentError,
    Target,
    Wanted,
    changed_key,
    is_rate_limit,
    printable,
    rate_limited,
)
from pimgr_ssh_host.wire import SILENT, BoundedSocket, connected

_LOG = "pimgr.vendor.paramiko"
logging.getLogger(_LOG).setLevel(logging.CRITICAL)  # what goes wrong is told by our errors, not by tracebacks
_MOST_OUTPUT = 4096
_GRACE_S = 0.5
"""Output may still come so long after the exit status: sshd sends it as soon as the command ended."""
_CONNECT_S = 10.0
"""Long enough for three attempts of TCP; a machine that is silent for so long is silent."""


class ParamikoSession:
    """Connects and logs in on entering. `abort` may come from any thread and ends whatever goes on."""

    def __init__(self, target: Target, wanted: Wanted) -> None:
        self.host_key = ""
        self._target, self._wanted = target, wanted
        self._ends_s = time.monotonic() + wanted.deadline_s
        self._socket: BoundedSocket | None = None
        self._transport: paramiko.Transport | None = None
        self._aborted = False

    def __enter__(self) -> ParamikoSession:
        try:
            key = self._private_key()
            self._connect()
            self._shake_hands()
            self._log_in(key)
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
        if self._socket is not None:
            self._socket.hang_up()

    def run(self, command: str) -> Said:
        """Run a command to its end. Raises Unreachable when it doesn't end in time, or never began."""
        assert self._transport is not None
        try:
            channel = self._transport.open_session(timeout=self._left_s())
            channel.settimeout(0.1)
            channel.exec_command(command)
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise self._broken("the session broke before the command ran", error) from None
        return self._collect(channel)

    # ------------------------------------------------------------------------------------------------------ inside

    def _collect(self, channel: paramiko.Channel) -> Said:
        """Output and exit status. `recv_exit_status` ignores every time-out: it is called once it can't wait."""
        out, err = bytearray(), bytearray()
        ended_s: float | None = None
        while not (channel.closed or channel.eof_received) or not channel.exit_status_ready():
            if self._late():
                raise self._broken("the command did not end", TimeoutError())
            if channel.exit_status_ready() or channel.closed:
                ended_s = ended_s or time.monotonic()
                if time.monotonic() - ended_s > _GRACE_S:
                    break
            _drain(channel, out, err)
        _drain(channel, out, err)
        if self._late() or (self._socket is not None and self._socket.flooded):
            raise self._broken("the command did not end", TimeoutError())
        return Said(channel.recv_exit_status(), printable(out), printable(err))

    def _connect(self) -> None:
        target = self._target
        try:
            self._socket = connected(target.address, target.port, min(self._ends_s, time.monotonic() + _CONNECT_S))
            self._socket.deadline_s = self._ends_s
        except socket.gaierror as error:
            fact = f"no machine is called {target.address!r} ({error.strerror})"
            raise self._error(Unreachable, fact, "check the name, or write its IP address") from None
        except TimeoutError:
            raise SilentError("it says nothing") from None
        except OSError as error:
            if error.errno in SILENT:
                raise SilentError("nobody listens") from None
            fact = f"no connection to {self._wanted.where} ({error.strerror})"
            raise self._error(Unreachable, fact, "check the network of this box") from None
        if self._aborted:
            self._socket.hang_up()

    def _shake_hands(self) -> None:
        """Agree on a session with the pinned host key, and no other."""
        assert self._socket is not None
        transport = self._transport = paramiko.Transport(self._socket)
        transport.set_log_channel(_LOG)
        if self._target.host_key is not None:
            pinned = self._target.host_key.split()[0]
            options = transport.get_security_options()
            options.key_types = ("rsa-sha2-512", "rsa-sha2-256") if pinned == "ssh-rsa" else (pinned,)
        transport.banner_timeout = transport.auth_timeout = transport.channel_timeout = self._left_s()
        ready = threading.Event()
        transport.start_client(event=ready)
        while not ready.wait(0.05) and transport.is_active() and not self._late():
            pass
        if not transport.is_active() or not ready.is_set():
            raise self._failed_handshake(transport.get_exception())
        shown = transport.get_remote_server_key()
        self.host_key = host_key_line(shown.get_name(), shown.asbytes())
        if self._target.host_key is not None and shown.asbytes() != host_key_blob(self._target.host_key):
            raise changed_key(self._wanted, fingerprint(self.host_key))

    def _failed_handshake(self, error: BaseException | None) -> Exception:
        assert self._socket is not None
        spoke, where = self._socket.received > 0, self._wanted.where
        cure = "check that an SSH server is at this port"
        if isinstance(error, IncompatiblePeer):
            return self._incompatible(str(error))
        if is_rate_limit(self._socket.head):
            return rate_limited(self._wanted)
        if self._late() and not spoke:
            return SilentError("it says nothing")
        if self._socket.ended and self._socket.head[:4] in (b"", b"SSH-"):
            return SilentError("it hung up")
        kind: type[DeviceError] = Garbled
        if self._socket.flooded:
            fact = "it says too much"
        elif self._late():
            kind, fact = Unreachable, f"no complete answer in {self._wanted.deadline_s:.1f} s ({where})"
        else:
            fact = "it doesn't speak SSH"
        return self._error(kind, fact, cure)

    def _incompatible(self, told: str) -> DeviceError:
        """paramiko 5 has no SHA-1 at all: what an old server knows besides, `ssh` can still speak."""
        pinned = (self._target.host_key or "").split()[:1]
        if "host key" in told and pinned not in ([], ["ssh-rsa"]):
            return changed_key(self._wanted, None)
        fact = f"no common algorithm ({told})"
        cure = 'its SSH server is too old for paramiko: set transport = "openssh" to use the system\'s ssh'
        if pinned and "host key" in told:
            cure += "; if it was installed anew, set host_key to its new key"
        return self._error(Unsupported, fact, cure)

    def _log_in(self, key: paramiko.PKey) -> None:
        assert self._transport is not None
        user = self._target.user
        try:
            missing = self._transport.auth_publickey(user, key)
        except paramiko.AuthenticationException as error:
            if self._late() or not self._transport.is_active():
                raise self._broken("the session broke at the login", error) from None
            fact = f"it refused the key for user {user!r}"
            cure = f"add the public key to ~{user}/.ssh/authorized_keys on that machine"
            raise self._error(Refused, fact, cure) from None
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise self._broken("the session broke at the login", error) from None
        if missing:
            fact = f"it wants more than the key ({', '.join(missing)})"
            raise self._error(Refused, fact, f"let user {user!r} in with a key alone")

    def _private_key(self) -> paramiko.PKey:
        text = self._target.key.replace("\r\n", "\n").strip() + "\n"
        for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
            try:
                return kind.from_private_key(io.StringIO(text))
            except paramiko.PasswordRequiredException:
                cure = "make a key of its own for pimgr: ssh-keygen -t ed25519 -N ''"
                raise self._error(Refused, "the private key has a passphrase", cure) from None
            except Exception:  # noqa: S112 - each kind complains in its own words about another kind's key
                continue
        cure = "put the whole private key file into the secret, from -----BEGIN to -----END"
        raise self._error(Refused, "the secret holds no private key that paramiko can read", cure)

    def _broken(self, fact: str, error: Exception) -> Exception:
        if self._socket is not None and self._socket.flooded:
            return self._error(Garbled, "it says too much", "check that an SSH server is at this port")
        if self._late():
            fact = f"{fact}, no answer in {self._wanted.deadline_s:.1f} s ({self._wanted.where})"
        elif self._socket is not None and self._socket.ended:
            return SilentError("it hung up")
        else:
            fact = f"{fact} ({type(error).__name__})"
        return self._error(Unreachable, fact, "check the machine and its network")

    def _error(self, kind: type[DeviceError], fact: str, cure: str) -> DeviceError:
        return self._wanted.error(kind, fact, cure)

    def _left_s(self) -> float:
        return max(0.05, self._ends_s - time.monotonic())

    def _late(self) -> bool:
        return time.monotonic() >= self._ends_s

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.hang_up()
        if self._transport is not None:
            with contextlib.suppress(Exception):
                self._transport.close()
            if self._transport.ident is not None:
                self._transport.join(1.0)
        if self._socket is not None:
            self._socket.close()


def _drain(channel: paramiko.Channel, out: bytearray, err: bytearray) -> None:
    """Take what has come, or wait for it a little; past `_MOST_OUTPUT` it is thrown away.

    Taking also sends (it makes room for more), and fails where the line just ended; the channel closes then.
    """
    data = b""
    with contextlib.suppress(TimeoutError, EOFError, paramiko.SSHException, OSError):
        data = channel.recv(_MOST_OUTPUT)
        out += data[: _MOST_OUTPUT - len(out)]
    if not data:
        channel.status_event.wait(0.05)
    while channel.recv_stderr_ready():
        err += channel.recv_stderr(_MOST_OUTPUT)[: _MOST_OUTPUT - len(err)]
