"""The SSH plugin against OpenSSH's own server, on a loopback port, with a shutdown script of the test's own."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pimgr_ssh_host import LINUX
from pimgr_ssh_host.config import LinuxConfig
from pimgr_ssh_host.host import SshHost

from pimgr.api import Deadlines, DeviceError, Garbled, Refused, Unreachable
from pimgr.testing import FakeContext

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
pytestmark = [
    pytest.mark.slow,
    # In CI it is installed; a run there that finds none must fail, not skip.
    pytest.mark.skipif(
        SSHD is None and "CI" not in os.environ, reason="OpenSSH's server is not installed (openssh-server)"
    ),
]
BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass
class Sshd:
    """A running server; `folder` holds the scripts that stand for shutdown and sudo."""

    folder: Path
    port: int
    private: str
    host_keys: dict[str, str]

    def script(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o700)
        return str(path)

    def call(self, use: Any, *, deadlines: Deadlines | None = None, **keys: Any) -> Any:
        """What `use(host)` returns or raises, on a connection of its own."""
        table = {
            "address": "127.0.0.1",
            "port": self.port,
            "user": getpass.getuser(),
            "key": {"secret": "key"},
            "host_key": self.host_keys["ssh-ed25519"],
            **keys,
        }
        context = FakeContext("nas", {"key": self.private}, deadlines or Deadlines(read_s=10.0, shut_down_s=10.0))

        async def inside() -> Any:
            async with LINUX.open(msgspec.convert(table, LinuxConfig), context) as host:
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


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    assert SSHD is not None
    folder = tmp_path_factory.mktemp("sshd")
    _, ed25519_line = key_file(folder / "host_ed25519", ed25519.Ed25519PrivateKey.generate())
    _, rsa_line = key_file(folder / "host_rsa", rsa.generate_private_key(65537, 2048))
    private, public = key_file(folder / "client", ed25519.Ed25519PrivateKey.generate())
    (folder / "authorized_keys").write_text(public + "\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_ed25519\nHostKey {folder}/host_rsa\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nPidFile none\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nPermitRootLogin prohibit-password\nLogLevel INFO\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd separates its privileges
    with subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            told = []
            for line in server.stderr:
                told.append(line)
                if "Server listening" in line:
                    break
            else:
                pytest.fail(f"sshd did not start: {''.join(told)}")
            yield Sshd(folder, port, private, {"ssh-ed25519": ed25519_line, "ssh-rsa": rsa_line})
        finally:
            server.terminate()


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ssh-rsa"])
def test_it_reads_the_boot_id_with_either_kind_of_pinned_host_key(sshd: Sshd, kind: str) -> None:
    reading = sshd.call(lambda host: host.read_host(), host_key=sshd.host_keys[kind])
    assert (reading.up, reading.boot_id) == (True, BOOT_ID)


def test_a_host_key_that_is_not_its_own_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    _, other = key_file(tmp_path / "other", ed25519.Ed25519PrivateKey.generate())
    assert type(sshd.failure(lambda host: host.read_host(), host_key=other)) is Garbled


def test_a_user_that_may_not_log_in_is_refused(sshd: Sshd) -> None:
    assert type(sshd.failure(lambda host: host.read_host(), user="nobody-at-all")) is Refused


def test_it_runs_the_shutdown_command_in_this_boot_and_not_in_another(sshd: Sshd) -> None:
    done = sshd.folder / "done"
    command = sshd.script("shutdown", f"echo going down; echo now >> {done}")
    sshd.call(lambda host: host.shut_down(BOOT_ID), shutdown_command=command)
    assert done.read_text() == "now\n"
    other = "11111111-2222-3333-4444-555555555555"
    assert type(sshd.failure(lambda host: host.shut_down(other), shutdown_command=command)) is Refused
    assert done.read_text() == "now\n"


def test_a_server_that_dies_during_the_command_has_accepted_it(sshd: Sshd) -> None:
    done = sshd.folder / "died"
    command = sshd.script("die", f"touch {done}; kill -9 $PPID; exec sleep 60")
    sshd.call(lambda host: host.shut_down(None), shutdown_command=command)
    assert done.exists()


def test_a_command_ended_by_a_signal_has_been_accepted(sshd: Sshd) -> None:
    command = sshd.script("killed", "kill -TERM $$")
    sshd.call(lambda host: host.shut_down(None), shutdown_command=f"exec {command}")


def test_a_command_that_hangs_is_unreachable_at_its_deadline(sshd: Sshd) -> None:
    command = sshd.script("hang", "exec sleep 60")
    began = time.monotonic()
    error = sshd.failure(
        lambda host: host.shut_down(None), shutdown_command=command, deadlines=Deadlines(shut_down_s=2.0)
    )
    assert type(error) is Unreachable
    assert time.monotonic() - began < 3.0


def test_a_command_that_talks_without_end_costs_no_memory_and_ends(sshd: Sshd) -> None:
    command = sshd.script("babble", "exec yes")
    error = sshd.failure(
        lambda host: host.shut_down(None), shutdown_command=command, deadlines=Deadlines(shut_down_s=4.0)
    )
    assert type(error) is Garbled


def test_a_command_that_leaves_a_child_on_the_line_has_ended_when_it_says_so(sshd: Sshd) -> None:
    command = sshd.script("leave", "sleep 20 & exit 0")
    began = time.monotonic()
    sshd.call(lambda host: host.shut_down(None), shutdown_command=command, deadlines=Deadlines(shut_down_s=6.0))
    assert time.monotonic() - began < 4.0


def test_a_command_may_take_longer_than_connecting(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pimgr_ssh_host.session._CONNECT_S", 0.5)
    command = sshd.script("slow", "sleep 1")
    began = time.monotonic()
    sshd.call(lambda host: host.shut_down(None), shutdown_command=command)
    assert time.monotonic() - began >= 1.0, "it was heard to its end"


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ("sudo: a password is required", "visudo"),
        ("sudo: a terminal is required to read the password", "visudo"),
        ("Sorry, user pimgr is not allowed to execute '/sbin/shutdown' as root on nas.", "visudo"),
        ("sh: 1: shutdown: not found", "by hand"),
    ],
)
def test_a_command_that_fails_is_refused_with_its_cure(sshd: Sshd, says: str, words: str) -> None:
    command = sshd.script("sudo", f'echo "{says}" >&2; exit 1')
    error = sshd.failure(lambda host: host.shut_down(None), shutdown_command=f"{command} -n shutdown -h now")
    assert type(error) is Refused
    assert words in error.cure


def test_words_of_the_machine_carry_no_control_characters_into_a_message(sshd: Sshd) -> None:
    command = sshd.script("rude", "printf 'bad\\033[2J\\007\\n' >&2; exit 1")
    error = sshd.failure(lambda host: host.shut_down(None), shutdown_command=command)
    assert "bad?[2J?" in error.fact
    assert all(character.isprintable() for character in str(error))


def test_check_looks_and_changes_nothing(sshd: Sshd) -> None:
    done = sshd.folder / "checked"
    findings = sshd.call(lambda host: host.check(), shutdown_command=sshd.script("never", f"touch {done}"))
    assert BOOT_ID in findings[0].text
    assert not done.exists()
