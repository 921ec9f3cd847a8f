"""A real OpenSSH server for the tests, on a loopback port, with scripts that stand for shutdown and its like."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pimgr_ssh_host.host import SshHost

from pimgr.api import Deadlines, DeviceError, DeviceType
from pimgr.testing import FakeContext, FakeStore

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
MARKS = [
    pytest.mark.slow,
    # In CI it is installed; a run there that finds none must fail, not skip.
    pytest.mark.skipif(
        SSHD is None and "CI" not in os.environ, reason="OpenSSH's server is not installed (openssh-server)"
    ),
]


@dataclass
class Sshd:
    """A running server; `folder` holds the scripts that stand for shutdown and sudo."""

    folder: Path
    port: int
    private: str
    host_keys: dict[str, str]
    device_type: DeviceType[Any]
    keys: dict[str, Any]
    """What each connection has in its config, besides where the server is."""

    def script(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    def call(self, use: Any, *, deadlines: Deadlines | None = None, store: FakeStore | None = None, **keys: Any) -> Any:
        """What `use(host)` returns or raises, on a connection of its own."""
        table = {
            "address": "127.0.0.1",
            "port": self.port,
            "user": getpass.getuser(),
            "key": {"secret": "key"},
            "host_key": next(iter(self.host_keys.values())),
            **self.keys,
            **keys,
        }
        deadlines = deadlines or Deadlines(read_s=10.0, shut_down_s=10.0)
        context = FakeContext("nas", {"key": self.private}, deadlines, store=store)
        wanted = {key: value for key, value in table.items() if value is not None}

        async def inside() -> Any:
            async with self.device_type.open(msgspec.convert(wanted, self.device_type.config), context) as host:
                assert isinstance(host, SshHost)
                return await use(host)

        try:
            return asyncio.run(inside())
        finally:
            context.close()

    def failure(self, use: Any, **keys: Any) -> DeviceError:
        with pytest.raises(DeviceError) as caught:
            self.call(use, **keys)
        assert all((caught.value.part, caught.value.wish, caught.value.fact, caught.value.cure))
        return caught.value


def key_file(path: Path, key: Any) -> tuple[str, str]:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    path.touch(0o600)
    path.write_bytes(private)
    return private.decode(), key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@contextmanager
def sshd(
    folder: Path,
    device_type: DeviceType[Any],
    *,
    options: str = "",
    client: Any = None,
    command: tuple[str, ...] = (),
) -> Iterator[Sshd]:
    """A server with these lines in its config; `client`: the key that it lets in; `command`: what starts it."""
    assert SSHD is not None
    old = "HostKeyAlgorithms ssh-rsa" in options
    kinds = {"rsa": rsa.generate_private_key(65537, 2048)}
    if not old:
        kinds = {"ed25519": ed25519.Ed25519PrivateKey.generate(), **kinds}
    lines = {f"ssh-{kind}": key_file(folder / f"host_{kind}", key)[1] for kind, key in kinds.items()}
    private, public = key_file(folder / "client", client or ed25519.Ed25519PrivateKey.generate())
    (folder / "authorized_keys").write_text(public + "\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "sshd_config"
    host_keys = "".join(f"HostKey {folder}/host_{kind}\n" for kind in kinds)
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\n{host_keys}{options}"
        f"AuthorizedKeysFile {folder}/authorized_keys\nPidFile none\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nPermitRootLogin prohibit-password\nLogLevel INFO\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd separates its privileges
    start = [*command, SSHD, "-D", "-e", "-f", str(config)]
    with subprocess.Popen(start, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            told = []
            for line in server.stderr:
                told.append(line)
                if "Server listening" in line:
                    break
            else:
                pytest.fail(f"sshd did not start: {''.join(told)}")
            yield Sshd(folder, port, private, lines, device_type, {})
        finally:
            server.terminate()
