"""A Solaris machine so old that its SSH server knows SHA-1 only: OpenSSH's server, limited to that."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pimgr_ssh_host import SOLARIS
from pimgr_ssh_host.openssh import SystemSession
from pimgr_ssh_host.talk import Target, Wanted

from pimgr.api import Deadlines, Garbled, Refused, Severity, Unreachable, Unsupported
from pimgr.testing import FakeStore

sys.path.insert(0, str(Path(__file__).parent))

from sshd import MARKS, Sshd, sshd

pytestmark = MARKS
SHA1_ONLY = """\
KexAlgorithms diffie-hellman-group14-sha1
HostKeyAlgorithms ssh-rsa
PubkeyAcceptedAlgorithms ssh-rsa
MACs hmac-sha1
Ciphers aes128-cbc
"""
BOOTED = 1_163_462_400
PROGRAMS = {
    "kstat": f'[ "$*" = "-p unix:0:system_misc:boot_time" ] && printf "unix:0:system_misc:boot_time\\t{BOOTED}\\n"',
    "shutdown": '[ "$*" = "-y -i5 -g0" ] && echo now >> $HERE/done || { echo "Usage: shutdown [ -y ]" >&2; exit 1; }',
    "pfexec": 'exec "$@"',
    "profiles": 'echo "      pimgr:"; echo "          /usr/sbin/shutdown     uid=0"; echo "      All: *"',
}
"""What stands for Solaris. Its shutdown takes nothing but what powers Solaris off, and notes that it was run."""


@pytest.fixture(scope="module")
def solaris(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    folder = tmp_path_factory.mktemp("solaris")
    there = f"s,/usr/bin/\\([kp]\\),{folder}/\\1,g; s,pfexec /usr/sbin/,pfexec {folder}/,"
    run = f'HERE={folder} PATH={folder}:$PATH exec sh -c "$(echo "$SSH_ORIGINAL_COMMAND" | sed "{there}")"'
    client = rsa.generate_private_key(65537, 2048)
    options = f"{SHA1_ONLY}ForceCommand {folder}/run\n"
    with sshd(folder, SOLARIS, options=options, client=client) as server:
        server.script("run", run)
        for name, text in PROGRAMS.items():
            server.script(name, text)
        server.keys = {"transport": "openssh"}
        yield server


@pytest.fixture
def done(solaris: Sshd) -> Path:
    """Where each run of the machine's shutdown adds a line."""
    path = solaris.folder / "done"
    path.unlink(missing_ok=True)
    return path


def test_paramiko_finds_no_common_algorithm_and_the_message_names_the_cure(solaris: Sshd) -> None:
    for host_key in (solaris.host_keys["ssh-rsa"], None):
        error = solaris.failure(lambda host: host.read_host(), transport="paramiko", host_key=host_key)
        assert type(error) is Unsupported
        assert "no common algorithm" in error.fact
        assert 'transport = "openssh"' in error.cure


def test_the_systems_ssh_tells_whether_it_is_up_and_since_when(solaris: Sshd) -> None:
    reading = solaris.call(lambda host: host.read_host())
    assert (reading.up, reading.boot_id) == (True, f"boot {BOOTED}")


def test_solaris_is_shut_down_by_y_i5_g0_in_the_boot_that_was_meant_and_in_no_other(solaris: Sshd, done: Path) -> None:
    error = solaris.failure(lambda host: host.shut_down("boot 1234567890"))
    assert type(error) is Refused
    assert not done.exists()
    solaris.call(lambda host: host.shut_down(f"boot {BOOTED}"))
    assert done.read_text() == "now\n"


def test_what_shuts_linux_down_is_refused_by_solaris_in_its_own_words(solaris: Sshd, done: Path) -> None:
    error = solaris.failure(lambda host: host.shut_down(None), shutdown_command="pfexec /usr/sbin/shutdown -h now")
    assert type(error) is Refused
    assert "Usage: shutdown" in error.fact
    assert not done.exists()


def test_check_proves_the_rights_profile_and_shuts_nothing_down(solaris: Sshd, done: Path) -> None:
    findings = solaris.call(lambda host: host.check())
    assert "as root" in findings[2].text
    assert {finding.severity for finding in findings[:3]} == {Severity.INFO}
    assert not done.exists()
    profiles = solaris.folder / "profiles"
    kept = profiles.read_text()
    try:
        solaris.script("profiles", 'echo "      All:"; echo "          *"')
        finding = solaris.call(lambda host: host.check())[2]
        assert finding.severity is Severity.CRITICAL
        assert "rights profile" in finding.cure
    finally:
        profiles.write_text(kept)


def test_an_rsa_key_is_pinned_at_first_sight_and_another_is_refused(solaris: Sshd) -> None:
    store = FakeStore()
    solaris.call(lambda host: host.read_host(), host_key=None, store=store)
    assert store.get("host_key") == solaris.host_keys["ssh-rsa"]
    other = rsa.generate_private_key(65537, 2048).public_key()
    line = other.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    error = solaris.failure(lambda host: host.read_host(), host_key=line)
    assert type(error) is Garbled
    assert "SHA256:" in error.fact, "it says which key the machine shows"


# ---------------------------------------------------------------------------------------------- the ssh of the system


def session(solaris: Sshd, deadline_s: float = 10.0) -> SystemSession:
    target = Target("127.0.0.1", solaris.port, getpass.getuser(), solaris.private, solaris.host_keys["ssh-rsa"])
    return SystemSession(target, Wanted("sun", "a test", target.where, deadline_s))


def children() -> list[Path]:
    """Our own child processes that are an ssh."""
    mine = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue
        name, parent = stat.partition("(")[2].rpartition(")")[0], int(stat.rpartition(")")[2].split()[1])
        if name == "ssh" and parent == os.getpid():
            mine.append(folder)
    return mine


def test_the_key_is_in_no_argument_in_no_environment_and_after_the_login_in_no_file(solaris: Sshd) -> None:
    with session(solaris) as live:
        secret = solaris.private.splitlines()[1].encode()
        (master,) = children()
        for name in ("cmdline", "environ"):
            assert secret not in (master / name).read_bytes()
        folder = live._folder
        assert folder is not None
        assert folder.stat().st_mode & 0o777 == 0o700
        assert sorted(path.name for path in folder.iterdir()) == ["known_hosts", "socket"]
    assert not folder.exists()
    assert children() == []


def test_nothing_of_a_session_that_never_came_about_is_left(solaris: Sshd) -> None:
    before = {path.name for path in Path("/tmp").glob("pimgr-ssh-*")}
    assert type(solaris.failure(lambda host: host.read_host(), user="nobody-at-all")) is Refused
    assert {path.name for path in Path("/tmp").glob("pimgr-ssh-*")} == before
    assert children() == []


def test_a_command_is_given_no_second_connection_when_its_session_is_gone(solaris: Sshd, done: Path) -> None:
    with session(solaris) as live:
        assert live.run("kstat -p none").status == 1
        (master,) = children()
        os.kill(int(master.name), signal.SIGKILL)
        live._running[0].wait(5.0)
        assert live.run("pfexec /usr/sbin/shutdown -y -i5 -g0").status == -1
    assert not done.exists()


def test_a_command_that_hangs_is_left_at_its_deadline_and_no_process_stays(solaris: Sshd) -> None:
    began = time.monotonic()
    error = solaris.failure(
        lambda host: host.shut_down(None), shutdown_command="exec sleep 60", deadlines=Deadlines(shut_down_s=2.0)
    )
    assert type(error) is Unreachable
    assert time.monotonic() - began < 3.0
    assert children() == []


def test_a_box_without_an_ssh_program_is_told_to_install_it(solaris: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    error = solaris.failure(lambda host: host.read_host())
    assert type(error) is Unsupported
    assert "openssh-client" in error.cure


def test_a_key_with_a_passphrase_and_no_key_at_all_are_told_apart(solaris: Sshd) -> None:
    path = solaris.folder / "locked"
    path.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "open sesame", "-f", path], check=True)
    for private, words in ((path.read_text(), "passphrase"), ("no key", "no private key")):
        error = replace(solaris, private=private).failure(lambda host: host.read_host())
        assert type(error) is Refused
        assert words in error.fact
