"""A session by the system's `ssh` ends itself, keeps little, and says what was amiss."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pimgr_ssh_host import LINUX, ssh_options
from pimgr_ssh_host.keys import fingerprint, is_locked, is_rsa
from pimgr_ssh_host.openssh import SystemSession, _Ears
from pimgr_ssh_host.ssh_words import _first_bytes, why_not_in
from pimgr_ssh_host.talk import SilentError, Target, Wanted

from pimgr.api import DeviceError, Garbled, Refused, Unreachable, Unsupported

sys.path.insert(0, str(Path(__file__).parent))

from sshd import MARKS, Sshd, key_file, sshd

pytestmark = MARKS
SOON_S = 4.0
"""Well above every deadline here, well below what `ssh` would wait by itself."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd"), LINUX) as running:
        yield running


def session(server: Sshd, deadline_s: float = 8.0, *, port: int | None = None) -> SystemSession:

    target = Target(
        "127.0.0.1", port or server.port, getpass.getuser(), server.private, server.host_keys["ssh-ed25519"]
    )
    return SystemSession(target, Wanted("nas", "a test", target.where, deadline_s))


@contextmanager
def says(greeting: bytes) -> Iterator[int]:
    """A port where whoever connects hears this and then nothing."""
    open_ones: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    line, _ = listening.accept()
                except OSError:
                    return
                open_ones.append(line)
                line.sendall(greeting)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(SOON_S)
            for line in open_ones:
                line.close()


def in_time(use: Callable[[], object], within_s: float = SOON_S) -> object:
    """What `use` returns or raises, on a thread that is not waited for any longer than that."""
    results: list[object] = []

    def work() -> None:
        try:
            results.append(use())
        except Exception as error:  # the test wants to see it
            results.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(within_s)
    assert results, "it did not end"
    return results[0]


def test_a_command_that_hangs_is_given_up_by_the_session_itself(server: Sshd) -> None:
    def use() -> object:
        with session(server, 1.5) as live:
            return live.run("sleep 20")

    error = in_time(use)
    assert type(error) is Unreachable
    assert "did not end" in error.fact


def test_a_server_that_stops_after_its_banner_is_given_up_by_the_session_itself(server: Sshd) -> None:
    with says(b"SSH-2.0-Sun_SSH_1.1\r\n") as port:
        error = in_time(lambda: session(server, 1.5, port=port).__enter__())
    assert type(error) is Unreachable
    assert "no answer in 1.5 s" in error.fact


def test_a_status_of_255_is_the_commands_own_while_the_session_lives(server: Sshd) -> None:
    def use() -> object:
        with session(server) as live:
            said = live.run("echo no >&2; exit 255")
            assert (said.status, said.err) == (255, "no")
            return live.run("echo still here")

    said = in_time(use)
    assert getattr(said, "out", said) == "still here"


def test_of_what_is_said_only_the_beginning_is_kept() -> None:
    reading, writing = os.pipe()
    ears = _Ears()
    with open(reading, "rb") as pipe:
        kept = ears.to(pipe)
        for _ in range(3):
            os.write(writing, b"x" * 4000)
            ears.listen()
        os.close(writing)
        ears.listen()
        assert not ears.open(pipe)
    assert (len(kept), ears.received) == (4096, 12000)


def test_a_silent_port_is_looked_at_no_longer_than_allowed() -> None:
    with says(b"") as port:
        target = Target("127.0.0.1", port, "pimgr", "")
        assert in_time(lambda: _first_bytes(target, time.monotonic() + 0.3)) == b""


def test_an_ssh_that_does_not_even_tell_what_it_knows_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ssh").write_text("#!/bin/sh\nexec sleep 20\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(ssh_options, "_QUERY_S", 0.2)
    ssh_options.allowed.cache_clear()
    try:
        assert in_time(ssh_options.allowed) == {
            "KexAlgorithms": "+diffie-hellman-group14-sha1,diffie-hellman-group-exchange-sha1,"
            "diffie-hellman-group1-sha1",
            "PubkeyAcceptedAlgorithms": "+ssh-rsa",
            "Ciphers": "+aes128-cbc",
            "MACs": "+hmac-sha1",
        }
    finally:
        ssh_options.allowed.cache_clear()


def test_an_algorithm_that_ssh_has_dropped_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ssh").write_text("#!/bin/sh\n[ $2 = kex ] && echo diffie-hellman-group14-sha1; exit 0\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    ssh_options.allowed.cache_clear()
    try:
        options = ssh_options.options(Target("sun", 22, "pimgr", ""), tmp_path, 5, sha1_first=False)
        assert "KexAlgorithms=+diffie-hellman-group14-sha1" in options
        assert not any(option.startswith(("Ciphers=", "MACs=")) for option in options)
    finally:
        ssh_options.allowed.cache_clear()


def test_a_key_that_a_killed_pimgr_left_is_taken_away_by_the_next_login(
    server: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(prefix="run-") as name:
        monkeypatch.setenv("RUNTIME_DIRECTORY", name)
        stale, fresh, other = (Path(name) / each for each in ("pimgr-ssh-stale", "pimgr-ssh-fresh", "else"))
        for folder in (stale, fresh, other):
            folder.mkdir()
            (folder / "key").write_text("a key")
        long_ago = time.time() - 4000.0
        for folder in (stale, other):
            os.utime(folder, (long_ago, long_ago))
        with session(server) as live:
            assert live._folder is not None
            assert live._folder.parent == Path(name), "it uses the folder in memory that systemd gave"
        assert [each.exists() for each in (stale, fresh, other)] == [False, True, True]


@pytest.mark.parametrize(
    ("told", "kind", "words"),
    [
        ("ssh: connect to host nas port 22: Connection refused", SilentError, "nobody listens"),
        ("ssh: connect to host nas port 22: No route to host", SilentError, "nobody listens"),
        ("ssh: Could not resolve hostname nas: Name or service not known", Unreachable, "no machine is called"),
        ("ssh: connect to host nas port 22: Network is unreachable", Unreachable, "no connection"),
        ("pimgr@nas: Permission denied (publickey).", Refused, "refused the key"),
        (
            'Load key "/tmp/x/key": error in libcrypto\npimgr@nas: Permission denied (publickey).',
            Refused,
            "no private key",
        ),
        ("Host key verification failed.", Garbled, "another host key"),
        (
            "Unable to negotiate with nas port 22: no matching cipher found. Their offer: arcfour",
            Unsupported,
            "arcfour",
        ),
        (
            "Unable to negotiate with nas port 22: no matching host key type found. Their offer: ssh-dss",
            Garbled,
            "another host key",
        ),
        ("debug: banner line 0: Exceeded MaxStartups", Refused, "too many logins"),
        ("Connection closed by 127.0.0.1 port 1", SilentError, "hung up"),
        ("kex_exchange_identification: read: Connection reset by peer", SilentError, "hung up"),
        ("command-line: line 0: Bad configuration option: gssapi", Unreachable, "Bad configuration option"),
        ("ssh: connect to host nas port 22: Cannot assign requested address", Unreachable, "Cannot assign"),
        ("", Unreachable, "it said nothing"),
    ],
)
def test_each_word_of_ssh_is_silence_or_one_of_the_four_errors(told: str, kind: type[Exception], words: str) -> None:
    target = Target("127.0.0.1", 1, "pimgr", "", "ssh-ed25519 AAAA")
    error = why_not_in(told, target, Wanted("nas", "a test", "nas:22", 1.0), time.monotonic() + 0.5)
    assert type(error) is kind
    assert words in (error.fact if isinstance(error, DeviceError) else str(error))


def test_an_ssh_that_does_not_even_start_is_no_silence_of_the_machine(
    server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "ssh"
    broken.write_text("#!/bin/sh\necho 'ssh: error while loading shared libraries: libcrypto.so.3' >&2\nexit 127\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(Unreachable, match="error while loading"), session(server):
        pass


def test_keys_tell_their_kind_and_whether_they_are_locked(tmp_path: Path) -> None:
    kinds = (
        ed25519.Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP256R1()),
        rsa.generate_private_key(65537, 2048),
    )
    for key in kinds:
        private, _ = key_file(tmp_path / type(key).__name__, key)
        assert is_rsa(private) == isinstance(key, rsa.RSAPrivateKey)
        assert not is_locked(private)
    old = kinds[2].private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    assert is_rsa(old)
    assert not is_rsa("no key")


def test_a_fingerprint_is_the_one_that_ssh_keygen_prints(tmp_path: Path) -> None:

    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    told = subprocess.run(["ssh-keygen", "-lf", tmp_path / "key.pub"], check=True, capture_output=True, text=True)
    assert fingerprint((tmp_path / "key.pub").read_text()) == told.stdout.split()[1]
