"""The SSH plugin against OpenSSH's own server: by paramiko, and by the system's `ssh`."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from pimgr_ssh_host import LINUX

from pimgr.api import Deadlines, Garbled, Refused, Unreachable
from pimgr.testing import FakeStore

sys.path.insert(0, str(Path(__file__).parent))

from sshd import MARKS, Sshd, key_file, sshd

pytestmark = MARKS
BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd"), LINUX) as server:
        yield server


@pytest.fixture(params=["paramiko", "openssh"])
def server(running: Sshd, tmp_path: Path, request: pytest.FixtureRequest) -> Sshd:
    return replace(running, folder=tmp_path, keys={"transport": request.param})


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ssh-rsa"])
def test_it_reads_the_boot_id_with_either_kind_of_pinned_host_key(server: Sshd, kind: str) -> None:
    reading = server.call(lambda host: host.read_host(), host_key=server.host_keys[kind])
    assert (reading.up, reading.boot_id) == (True, BOOT_ID)


def test_a_host_key_that_is_not_its_own_is_refused(server: Sshd, tmp_path: Path) -> None:
    _, other = key_file(tmp_path / "other", ed25519.Ed25519PrivateKey.generate())
    assert type(server.failure(lambda host: host.read_host(), host_key=other)) is Garbled


def test_a_user_that_may_not_log_in_is_refused(server: Sshd) -> None:
    assert type(server.failure(lambda host: host.read_host(), user="nobody-at-all")) is Refused


def test_it_runs_the_shutdown_command_in_this_boot_and_not_in_another(server: Sshd) -> None:
    done = server.folder / "done"
    command = server.script("shutdown", f"echo going down; echo now >> {done}")
    server.call(lambda host: host.shut_down(BOOT_ID), shutdown_command=command)
    assert done.read_text() == "now\n"
    other = "11111111-2222-3333-4444-555555555555"
    assert type(server.failure(lambda host: host.shut_down(other), shutdown_command=command)) is Refused
    assert done.read_text() == "now\n"


def test_a_server_that_dies_during_the_command_has_accepted_it(server: Sshd) -> None:
    done = server.folder / "died"
    command = server.script("die", f"touch {done}; kill -9 $PPID; exec sleep 60")
    server.call(lambda host: host.shut_down(None), shutdown_command=command)
    assert done.exists()


def test_a_command_ended_by_a_signal_has_been_accepted(server: Sshd) -> None:
    command = server.script("killed", "kill -TERM $$")
    server.call(lambda host: host.shut_down(None), shutdown_command=f"exec {command}")


def test_a_command_that_hangs_is_unreachable_at_its_deadline(server: Sshd) -> None:
    command = server.script("hang", "exec sleep 60")
    began = time.monotonic()
    error = server.failure(
        lambda host: host.shut_down(None), shutdown_command=command, deadlines=Deadlines(shut_down_s=2.0)
    )
    assert type(error) is Unreachable
    assert time.monotonic() - began < 3.0


def test_a_command_that_talks_without_end_costs_no_memory_and_ends(server: Sshd) -> None:
    command = server.script("babble", "exec yes")
    error = server.failure(
        lambda host: host.shut_down(None), shutdown_command=command, deadlines=Deadlines(shut_down_s=4.0)
    )
    assert type(error) is Garbled


def test_a_command_that_leaves_a_child_on_the_line_has_ended_when_it_says_so(server: Sshd) -> None:
    command = server.script("leave", "sleep 20 & exit 0")
    began = time.monotonic()
    paramiko = {"transport": "paramiko"}  # `ssh` waits until the line is closed, or until the machine is gone
    server.call(
        lambda host: host.shut_down(None), shutdown_command=command, deadlines=Deadlines(shut_down_s=6.0), **paramiko
    )
    assert time.monotonic() - began < 4.0


def test_a_command_may_take_longer_than_connecting(server: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pimgr_ssh_host.session._CONNECT_S", 0.5)
    command = server.script("slow", "sleep 1")
    began = time.monotonic()
    server.call(lambda host: host.shut_down(None), shutdown_command=command)
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
def test_a_command_that_fails_is_refused_with_its_cure(server: Sshd, says: str, words: str) -> None:
    command = server.script("sudo", f'echo "{says}" >&2; exit 1')
    error = server.failure(lambda host: host.shut_down(None), shutdown_command=f"{command} -n shutdown -h now")
    assert type(error) is Refused
    assert words in error.cure


def test_words_of_the_machine_carry_no_control_characters_into_a_message(server: Sshd) -> None:
    command = server.script("rude", "printf 'bad\\033[2J\\007\\n' >&2; exit 1")
    error = server.failure(lambda host: host.shut_down(None), shutdown_command=command)
    assert "bad?[2J?" in error.fact
    assert all(character.isprintable() for character in str(error))


def test_check_looks_and_changes_nothing(server: Sshd) -> None:
    done = server.folder / "checked"
    findings = server.call(lambda host: host.check(), shutdown_command=server.script("never", f"touch {done}"))
    assert BOOT_ID in findings[0].text
    assert not done.exists()


def test_the_key_that_is_seen_first_is_pinned_and_no_other_is_accepted_afterwards(server: Sshd) -> None:
    store = FakeStore()
    server.call(lambda host: host.read_host(), host_key=None, store=store)
    assert store.after_power_cut().get("host_key") == server.host_keys["ssh-ed25519"]
    server.call(lambda host: host.read_host(), host_key=None, store=store.after_power_cut())
    _, other = key_file(server.folder / "another", ed25519.Ed25519PrivateKey.generate())
    stranger = FakeStore()
    asyncio.run(stranger.put("host_key", other))
    error = server.failure(lambda host: host.read_host(), host_key=None, store=stranger)
    assert type(error) is Garbled
    assert stranger.get("host_key") == other, "what is pinned stays pinned"


def test_a_host_key_that_the_config_names_counts_more_than_the_one_that_was_seen_first(server: Sshd) -> None:
    store = FakeStore()
    _, other = key_file(server.folder / "another", ed25519.Ed25519PrivateKey.generate())
    asyncio.run(store.put("host_key", other))
    assert server.call(lambda host: host.read_host(), store=store).up
    assert store.get("host_key") == other


def test_a_server_that_sends_us_away_because_it_is_busy_is_refused_and_not_silent(
    tmp_path: Path,
) -> None:
    with sshd(tmp_path, LINUX, options="MaxStartups 1\n") as server, socket.socket() as waiting:
        waiting.connect(("127.0.0.1", server.port))
        assert waiting.recv(4) == b"SSH-"
        for transport in ("paramiko", "openssh"):
            error = server.failure(lambda host: host.read_host(), transport=transport)
            assert type(error) is Refused
            assert "MaxStartups" in error.cure
