"""How the system's `ssh` is called: nothing of this box's own config, one key, one host key, and what old servers know.

paramiko 5 has no SHA-1 (its changelog, 5.0). OpenSSH still has it, switched off: signatures by ssh-rsa since 8.8
(openssh.com/txt/release-8.8), `diffie-hellman-group14-sha1` since 8.2 (release-8.2). What its later releases drop is
looked up (`ssh -Q`). So it is allowed here by name, for this machine alone, and behind what is newer, so that a better
server gets better.
"""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

from pimgr_ssh_host.talk import Target

_ALIAS = "pimgr"
"""What the machine is called in a known_hosts file that holds no other."""
_QUERY_S = 5.0
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


def known_hosts(host_key: str | None) -> str:
    """A known_hosts file for this one key; without one, the file is empty, and `ssh` adds what it sees."""
    return f"{_ALIAS} {' '.join(host_key.split()[:2])}\n" if host_key else ""


def options(target: Target, folder: Path, connect_s: int, *, sha1_first: bool) -> list[str]:
    """The arguments that say whom to log in to, and how; the key and the known hosts lie in `folder`.

    `sha1_first`: sign with SHA-1 even if the server says that it knows better, as OpenSSH's sshd does whatever its
    PubkeyAcceptedAlgorithms are (9.2, kex.c, `kex_send_ext_info`: `sshkey_alg_list`).
    """
    kind = (target.host_key or " ").split(" ")[0]
    old = dict(allowed())
    if sha1_first:
        old["PubkeyAcceptedAlgorithms"] = old["PubkeyAcceptedAlgorithms"].replace("+", "", 1)
    chosen = {
        "StrictHostKeyChecking": "yes" if target.host_key else "accept-new",
        "HostKeyAlgorithms": _HOST_KEYS.get(kind, kind),
        "UserKnownHostsFile": f'"{folder / "known_hosts"}"',
        "IdentityFile": f'"{folder / "key"}"',
        "ConnectTimeout": str(connect_s),
    }
    named = [*_ALWAYS, *(f"{name}={value}" for name, value in (old | chosen).items() if value != "+")]
    return [*(part for option in named for part in ("-o", option)), "-p", str(target.port), "-l", target.user]


@functools.cache
def allowed() -> dict[str, str]:
    """Of what old servers know, what this `ssh` still has: one name too many would make it refuse to start."""
    return {option: "+" + ",".join(_of_these(names, query)) for option, (query, names) in _OLD.items()}


def _of_these(names: tuple[str, ...], query: str) -> list[str]:
    try:
        told = subprocess.run(["ssh", "-Q", query], check=True, capture_output=True, text=True, timeout=_QUERY_S)
    except (OSError, subprocess.SubprocessError):
        return list(names)
    return [name for name in names if name in told.stdout.split()]
