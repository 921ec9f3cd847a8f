"""Why the system's `ssh` did not get in. Its exit status is 255 whatever it was, so that its words must tell."""

from __future__ import annotations

import re
import socket
import time

from pimgr.api import Garbled, Refused, Unreachable, Unsupported
from pimgr_ssh_host.talk import SilentError, Target, Wanted, changed_key, is_rate_limit, rate_limited
from pimgr_ssh_host.wire import connected

_NO_SSH = "check that an SSH server is at this port"
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_DENIED = ("Permission denied (", "Too many authentication failures")
_GONE = ("closed", "reset by", "Broken pipe", "timed out")
"""Of a machine that is silent, or hung up. Whatever else `ssh` says may be its own trouble, and proves nothing."""
_LOOK_S = 1.0


def why_not_in(told: str, target: Target, wanted: Wanted, ends_s: float) -> Exception:
    """What `ssh` said on its standard error, as silence or one of the four errors.

    It has the same words for a server that hung up, babbled or said that it is busy, and for one that drips or is
    silent: then we look ourselves. Source of the texts: OpenSSH 9.2, ssh.c, sshconnect.c, sshconnect2.c, kex.c.
    """
    if is_rate_limit(told):
        return rate_limited(wanted)
    for words, answer in _ANSWERS:
        if any(each in told for each in words):
            return answer(told, target, wanted)
    return _look(told, target, wanted, ends_s)


def locked(wanted: Wanted) -> Exception:
    """The secret is a key that nobody could unlock at night."""
    cure = "make a key of its own for pimgr: ssh-keygen -t ed25519 -N ''"
    return wanted.error(Refused, "the private key has a passphrase", cure)


def is_denial(told: str) -> bool:
    """Whether the server knows the user or the key not, and nothing else is amiss."""
    return any(each in told for each in _DENIED) and "Load key" not in told


def _nobody(_told: str, _target: Target, _wanted: Wanted) -> Exception:
    return SilentError("nobody listens")


def _changed(told: str, _target: Target, wanted: Wanted) -> Exception:
    shown = _FINGERPRINT.search(told)
    return changed_key(wanted, shown and shown[0])


def _other_kind(told: str, target: Target, wanted: Wanted) -> Exception:
    return _weak(told, target, wanted) if target.host_key is None else changed_key(wanted, None)


def _no_key(_told: str, _target: Target, wanted: Wanted) -> Exception:
    cure = "put the whole private key file into the secret, from -----BEGIN to -----END"
    return wanted.error(Refused, "the secret holds no private key that ssh can read", cure)


def _no_entry(_told: str, target: Target, wanted: Wanted) -> Exception:
    cure = f"add the public key to ~{target.user}/.ssh/authorized_keys on that machine"
    return wanted.error(Refused, f"it refused the key for user {target.user!r}", cure)


def _no_name(_told: str, target: Target, wanted: Wanted) -> Exception:
    return wanted.error(
        Unreachable, f"no machine is called {target.address!r}", "check the name, or write its IP address"
    )


def _weak(told: str, _target: Target, wanted: Wanted) -> Exception:
    fact = f"no common algorithm ({_last(told)})"
    return wanted.error(Unsupported, fact, "the ssh of pimgr's box is too new for it: see docs/plugins/ssh-host.md")


def _no_network(told: str, target: Target, wanted: Wanted) -> Exception:
    fact = f"no connection to {target.where} ({_last(told)})"
    return wanted.error(Unreachable, fact, "check the network of this box")


_ANSWERS = (
    (("Connection refused", "No route to host", "Host is down"), _nobody),
    (("Host key verification failed", "IDENTIFICATION HAS CHANGED"), _changed),
    (("no matching host key type",), _other_kind),
    (("Load key",), _no_key),
    (_DENIED, _no_entry),
    (("Could not resolve hostname",), _no_name),
    (("no matching", "Invalid key length", "error in libcrypto"), _weak),
    (("Network is unreachable", "Operation not permitted"), _no_network),
)


def _look(told: str, target: Target, wanted: Wanted, ends_s: float) -> Exception:
    """What is at this port, by its first bytes."""
    head, late = _first_bytes(target, min(ends_s, time.monotonic() + _LOOK_S)), "timed out" in told
    if is_rate_limit(head):
        return rate_limited(wanted)
    if not any(each in told for each in _GONE) and b"SSH-".startswith(head[:4]):
        return wanted.error(Unreachable, f"the ssh of this box gave up ({_last(told)})", "try it by hand: ssh -v")
    if not head:
        return SilentError("it says nothing" if late else "it hung up")
    if not head.startswith(b"SSH-"[: len(head)]):
        return wanted.error(Garbled, "it doesn't speak SSH", _NO_SSH)
    if late:
        fact = f"no complete answer in {wanted.deadline_s:.1f} s ({wanted.where})"
        return wanted.error(Unreachable, fact, _NO_SSH)
    return SilentError("it hung up")


def _first_bytes(target: Target, ends_s: float) -> bytes:
    """The first four bytes or more that a server says; fewer where it ends, or says no more in time."""
    told = b""
    try:
        with connected(target.address, target.port, ends_s) as line:
            line.settimeout(0.05)
            while len(told) < 64 and b"\n" not in told:
                try:
                    data = line.recv(64)
                except TimeoutError:
                    continue
                told += data
                if not data:
                    break
    except (OSError, EOFError, socket.gaierror):
        pass
    return told


def _last(told: str) -> str:
    return told.splitlines()[-1][:120] if told else "it said nothing"
