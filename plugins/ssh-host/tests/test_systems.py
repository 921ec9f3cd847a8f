"""What each system is told: Linux by a forced command, Solaris without kstat, and machines of their own words."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from pimgr_ssh_host import CUSTOM, LINUX
from pimgr_ssh_host.config import CustomConfig, LinuxConfig, SolarisConfig
from pimgr_ssh_host.rights import _without_password
from pimgr_ssh_host.systems import solaris
from pimgr_ssh_host.talk import Said, SilentError, Wanted

from pimgr.api import Garbled, Refused, Severity

sys.path.insert(0, str(Path(__file__).parent))

from sshd import MARKS, Sshd, sshd

pytestmark = MARKS
PAGE = Path(__file__).resolve().parents[3] / "docs" / "plugins" / "ssh-host.md"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
WANTED = Wanted("sun", "whether it is up", "sun:22", 5.0)


# ------------------------------------------------------------------------------------------------- a forced command


@pytest.fixture(scope="module")
def forced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A machine that runs the script of the plugin's page, with a sudo that notes what it is asked."""
    folder = tmp_path_factory.mktemp("forced")
    block = re.search(r"    (#!/bin/sh\n.*?    exit 126\n)", PAGE.read_text(), re.DOTALL)
    assert block is not None, "the page has the script"
    lines = [line.removeprefix("    ") for line in block[1].splitlines()[1:]]
    with sshd(folder, LINUX) as server:
        server.script("sudo", f'echo "$*" >> {folder}/asked')
        server.script("pimgr-only", "\n".join([f"PATH={folder}:$PATH", *lines]))
        public = (folder / "authorized_keys").read_text()
        (folder / "authorized_keys").write_text(f'command="{folder}/pimgr-only",restrict {public}')
        server.keys = {"forced_command": True}
        yield server


@pytest.mark.parametrize("transport", ["paramiko", "openssh"])
def test_the_script_of_the_page_tells_the_boot_shuts_down_and_runs_nothing_else(forced: Sshd, transport: str) -> None:
    asked = forced.folder / "asked"
    asked.unlink(missing_ok=True)
    assert forced.call(lambda host: host.read_host(), transport=transport).boot_id == BOOT_ID
    findings = forced.call(lambda host: host.check(), transport=transport)
    assert [finding.severity for finding in findings[:4]] == [Severity.INFO] * 4
    assert "nothing but its forced command" in findings[3].text
    assert asked.read_text() == "-n -l /usr/sbin/shutdown -h now\n"
    forced.call(lambda host: host.shut_down(BOOT_ID), transport=transport)
    assert asked.read_text().splitlines()[1:] == ["-n /usr/sbin/shutdown -h now"]


def test_a_forced_command_that_the_config_does_not_know_of_is_told_and_shuts_nothing_down(forced: Sshd) -> None:
    (forced.folder / "asked").unlink(missing_ok=True)
    error = forced.failure(lambda host: host.read_host(), forced_command=False)
    assert type(error) is Garbled
    assert "not allowed" in error.fact
    assert not (forced.folder / "asked").exists()


def test_a_key_that_may_run_anything_is_warned_of_where_a_forced_command_was_meant(tmp_path: Path) -> None:
    with sshd(tmp_path, LINUX) as server:
        words = f'[ "$SSH_ORIGINAL_COMMAND" = "pimgr boot-id" ] && echo {BOOT_ID} || sh -c "$SSH_ORIGINAL_COMMAND"'
        lenient = server.script("lenient", words)
        keys = tmp_path / "authorized_keys"
        keys.write_text(f'command="{lenient}" {keys.read_text()}')
        findings = server.call(lambda host: host.check(), forced_command=True)
        assert findings[2].severity is Severity.CRITICAL, "it knows no check"
        assert findings[3].severity is Severity.WARNING
        assert "any command" in findings[3].text


# --------------------------------------------------------------------------------------------------------- solaris


class Told:
    """A session in which each command has its answer."""

    host_key = ""

    def __init__(self, answers: dict[str, Said]) -> None:
        self.answers, self.asked = answers, list[str]()

    def run(self, command: str) -> Said:
        self.asked.append(command)
        return next((said for word, said in self.answers.items() if word in command), Said(127, "", "not found"))


def solaris_config(**keys: object) -> SolarisConfig:
    table = {"address": "sun", "user": "pimgr", "key": {"secret": "key"}}
    return msgspec.convert(table | keys, SolarisConfig)


@pytest.mark.parametrize(
    ("answers", "boot_id"),
    [
        ({"kstat": Said(0, "unix:0:system_misc:boot_time 1163462400", "")}, "boot 1163462400"),
        ({"who": Said(0, ".       system boot  Nov 14 00:00", "")}, "boot Nov 14 00:00"),
        (
            {"kstat": Said(1, "", "sh: /usr/bin/kstat: not found"), "who": Said(0, ". system boot Nov  4 01:02", "")},
            "boot Nov 4 01:02",
        ),
    ],
)
def test_solaris_tells_its_boot_by_kstat_or_without_it_by_who(answers: dict[str, Said], boot_id: str) -> None:
    assert solaris(solaris_config()).read_boot_id(Told(answers), WANTED) == boot_id  # type: ignore[arg-type]


def test_a_kstat_that_fails_is_no_reason_to_take_another_name_for_the_same_boot() -> None:
    told = Told({"kstat": Said(1, "", "kstat: out of memory"), "who": Said(0, ". system boot Nov 14 00:00", "")})
    with pytest.raises(Garbled):
        solaris(solaris_config()).read_boot_id(told, WANTED)  # type: ignore[arg-type]
    assert len(told.asked) == 1


def test_a_machine_that_is_gone_before_it_told_its_boot_is_silent() -> None:
    with pytest.raises(SilentError):
        solaris(solaris_config()).read_boot_id(Told({"kstat": Said(-1, "", "")}), WANTED)  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------------- own commands


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("own"), CUSTOM) as server:
        server.keys = {"shutdown_command": f"touch {server.folder}/done"}
        yield server


def test_a_machine_of_own_commands_tells_its_boot_is_checked_and_shut_down_by_them(own: Sshd) -> None:
    done = own.folder / "done"
    keys = {"boot_id_command": "printf '{ sec = 17, usec = 4 } Tue\\n'", "check_command": "true"}
    assert own.call(lambda host: host.read_host(), **keys).boot_id == "{ sec = 17, usec = 4 } Tue"
    assert "allowed" in own.call(lambda host: host.check(), **keys)[2].text
    assert type(own.failure(lambda host: host.shut_down("another"), **keys)) is Refused
    assert not done.exists()
    own.call(lambda host: host.shut_down("{ sec = 17, usec = 4 } Tue"), **keys)
    assert done.exists()
    done.unlink()


def test_a_check_command_that_fails_is_critical_and_shows_its_words(own: Sshd) -> None:
    keys = {"boot_id_command": "echo 1", "check_command": "echo no right >&2; exit 3"}
    finding = own.call(lambda host: host.check(), **keys)[2]
    assert finding.severity is Severity.CRITICAL
    assert "no right" in finding.text


def test_a_machine_that_tells_no_boot_id_is_read_up_warned_of_and_shut_down_only_in_any_boot(own: Sshd) -> None:
    reading = own.call(lambda host: host.read_host())
    assert (reading.up, reading.boot_id) == (True, None)
    findings = own.call(lambda host: host.check())
    assert [finding.severity for finding in findings[2:4]] == [Severity.WARNING, Severity.INFO]
    assert "boot_id_command" in findings[2].cure
    assert type(own.failure(lambda host: host.shut_down("some-boot"))) is Refused
    assert not (own.folder / "done").exists()
    own.call(lambda host: host.shut_down(None))
    assert (own.folder / "done").exists()


@pytest.mark.parametrize("command", ["echo a; echo b", "true", "echo x; exit 1", "yes | head -c 300 | tr -d '\\n'"])
def test_what_is_not_one_short_line_is_no_boot_id(own: Sshd, command: str) -> None:
    error = own.failure(lambda host: host.read_host(), boot_id_command=command)
    assert type(error) is Garbled
    assert "boot_id_command" in error.cure


# ----------------------------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("rules", "free"),
    [
        ("    (root) NOPASSWD: /usr/sbin/shutdown -h now", True),
        ("    (root) NOPASSWD: /sbin/shutdown -h now", True),
        ("    (ALL : ALL) ALL", False),
        ("    (ALL) NOPASSWD: ALL", True),
        ("    (ALL) NOPASSWD: ALL\n    (root) PASSWD: /usr/sbin/shutdown", False),
        ("    (root) NOPASSWD: /usr/bin/true, /usr/sbin/shutdown -h now", True),
        ("    (root) NOPASSWD: /usr/bin/true, PASSWD: /usr/sbin/shutdown -h now", False),
        ("    (root) SETENV: NOPASSWD: /usr/sbin/*", True),
        ("    env_reset, mail_badpass", False),
    ],
)
def test_the_last_rule_that_names_the_program_decides_on_the_password(rules: str, free: bool) -> None:
    assert _without_password(rules, "/usr/sbin/shutdown") == free


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        (LinuxConfig, {"address": "-oProxyCommand=true"}),
        (LinuxConfig, {"user": "-l"}),
        (LinuxConfig, {"transport": "telnet"}),
        (SolarisConfig, {"shutdown_command": ""}),
        (CustomConfig, {}),
        (CustomConfig, {"shutdown_command": "halt", "boot_id_command": "a\nb"}),
        (CustomConfig, {"shutdown_command": "halt", "check_command": " "}),
        (CustomConfig, {"shutdown_command": "x" * 1001}),
    ],
)
def test_a_config_of_any_system_that_can_not_work_is_refused(kind: type, table: dict[str, object]) -> None:
    good: dict[str, object] = {"address": "nas", "user": "pimgr", "key": {"secret": "key"}}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(good | table, kind)
