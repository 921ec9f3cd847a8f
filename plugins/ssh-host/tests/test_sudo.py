"""The real sudo: whether it would let the shutdown pass is asked without shutting down, and the answer is right."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pimgr_ssh_host import LINUX

from pimgr.api import Finding, Refused, Severity

sys.path.insert(0, str(Path(__file__).parent))

from sshd import MARKS, Sshd, sshd

APART = ("unshare", "--mount")
"""A view of the file system of its own, in which there is a user more, and another sudoers."""


def can_be_apart() -> bool:
    if shutil.which("sudo") is None:
        return False
    return subprocess.run([*APART, "true"], check=False, capture_output=True).returncode == 0


pytestmark = [
    *MARKS,
    pytest.mark.skipif(os.geteuid() != 0, reason="it takes root to have a sudoers of one's own"),
    pytest.mark.skipif("CI" not in os.environ and not can_be_apart(), reason="it takes sudo, and unshare"),
]
USER = "pimgr-test"


class Machine:
    """A machine with a user who logs in by key, and whose rights are what `rules` says."""

    def __init__(self, server: Sshd, sudoers: Path) -> None:
        self._server, self._sudoers = server, sudoers
        self.done = server.folder / "done"
        self.shutdown = server.script("shutdown", f"id -u >> {self.done}")
        self.command = f"sudo -n {self.shutdown} -h now"

    def rules(self, *rules: str) -> None:
        """What the user may, as in sudoers; {shutdown} is the shutdown."""
        text = "".join(f"{USER} ALL=(root) {rule.format(shutdown=self.shutdown)}\n" for rule in rules)
        self._sudoers.write_text(f"root ALL=(ALL:ALL) ALL\n{text}")
        self.done.unlink(missing_ok=True)

    def right(self) -> Finding:
        """What the check says of the right to shut it down."""
        findings = self._server.call(lambda host: host.check(), shutdown_command=self.command)
        assert not self.done.exists(), "a check shuts nothing down"
        found: Finding = findings[2]
        return found

    def shut_down(self) -> None:
        self._server.call(lambda host: host.shut_down(None), shutdown_command=self.command)

    def refusal(self) -> Any:
        error = self._server.failure(lambda host: host.shut_down(None), shutdown_command=self.command)
        assert not self.done.exists()
        return error


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory(prefix="pimgr-sudo-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        lines = {
            "passwd": f"{USER}:x:64123:64123::{folder}:/bin/sh\n",
            "group": f"{USER}:x:64123:\n",
            "shadow": f"{USER}:*:20000:0:99999:7:::\n",
            "sudoers": "",
        }
        mounts = []
        for each, line in lines.items():
            before = (Path("/etc") / each).read_text() if each in ("passwd", "group") else ""
            (folder / each).write_text(before + line)
            (folder / each).chmod(0o440 if each in ("shadow", "sudoers") else 0o644)
            mounts.append(f"mount --bind {folder}/{each} /etc/{each}")
        start = (*APART, "sh", "-c", f'{" && ".join(mounts)} && exec "$@"', "sh")
        with sshd(folder, LINUX, command=start) as server:
            server.keys = {"user": USER}
            yield Machine(server, folder / "sudoers")


def test_a_rule_without_a_password_is_proven_by_asking_and_then_shuts_it_down_as_root(machine: Machine) -> None:
    machine.rules("NOPASSWD: {shutdown} -h now")
    finding = machine.right()
    assert finding.severity is Severity.INFO
    assert "without a password" in finding.text
    machine.shut_down()
    assert machine.done.read_text() == "0\n"


def test_a_rule_that_wants_a_password_is_told_though_another_one_wants_none(machine: Machine) -> None:
    machine.rules("PASSWD: {shutdown} -h now", "NOPASSWD: /usr/bin/true")
    finding = machine.right()
    assert finding.severity is Severity.CRITICAL
    assert "with a password" in finding.text
    error = machine.refusal()
    assert type(error) is Refused
    assert "asks for a password" in error.fact


def test_a_rule_for_another_shutdown_is_none_for_this_one(machine: Machine) -> None:
    machine.rules("NOPASSWD: {shutdown} -r now")
    assert machine.right().severity is Severity.CRITICAL
    assert type(machine.refusal()) is Refused


def test_a_user_whom_sudo_does_not_know_is_told_the_rule_to_add(machine: Machine) -> None:
    machine.rules()
    finding = machine.right()
    assert finding.severity is Severity.CRITICAL
    assert "visudo" in finding.cure
    assert "visudo" in machine.refusal().cure


def test_all_without_a_password_is_enough(machine: Machine) -> None:
    machine.rules("NOPASSWD: ALL")
    assert machine.right().severity is Severity.INFO
    machine.rules("ALL", "NOPASSWD: /usr/bin/true, {shutdown} -h now")
    assert machine.right().severity is Severity.INFO
