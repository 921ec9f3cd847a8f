"""What is said to a machine, by its operating system: how it tells its boot, how it is shut down, what it may."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pimgr.api import DeviceError, Finding, Garbled, Severity
from pimgr_ssh_host.config import CustomConfig, LinuxConfig, SolarisConfig
from pimgr_ssh_host.rights import look_at_rights, refusal
from pimgr_ssh_host.talk import Said, Session, SilentError, Wanted

FORCED_BOOT_ID, FORCED_CHECK, FORCED_SHUTDOWN = "pimgr boot-id", "pimgr check", "pimgr shutdown"
"""What a key with a forced command is sent; the script in docs/plugins/ssh-host.md answers these and nothing else."""

_LINUX_BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
"""A UUID that the kernel makes at each boot. Source: Linux, Documentation/admin-guide/sysctl/kernel.rst, random."""
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SOLARIS_BOOT_ID = "/usr/bin/kstat -p unix:0:system_misc:boot_time"
"""The second of the last boot, since 1970, kept by the kernel. Source: kstat(1M), Solaris 8 and newer, illumos."""
_BOOT_TIME = re.compile(r"unix:0:system_misc:boot_time\s+(\d{6,12})")
_SOLARIS_BOOT_MINUTE = "/usr/bin/who -b"
"""The same to the minute, from /var/adm/utmpx, where kstat is not installed. Source: who(1), Solaris."""
_WHO_BOOT = re.compile(r"\.?\s*system boot\s+(\S.*\d)")
_NOT_FOUND = (126, 127)
_LONGEST_BOOT_ID = 100


@dataclass(frozen=True)
class System:
    """What a kind of machine is told, and how its answers are read.

    `read_boot_id`: asks, in a session; None where this machine tells none. `shutdown`: the command. `refusal`: why it
    failed. `look`: whether it would be allowed, changing nothing.
    """

    read_boot_id: Callable[[Session, Wanted], str | None]
    shutdown: str
    refusal: Callable[[Said, Wanted], DeviceError]
    look: Callable[[Session, Wanted], list[Finding]]


def linux(config: LinuxConfig) -> System:
    """Any Linux, that of a NAS too."""
    ask = FORCED_BOOT_ID if config.forced_command else _LINUX_BOOT_ID

    def boot_id(session: Session, wanted: Wanted) -> str:
        said = session.run(ask)
        if said.status == 0 and _UUID.fullmatch(said.out):
            return said.out
        raise _no_boot_id(said, wanted, "it must be Linux, and the user must have a shell")

    return _system(config, boot_id)


def solaris(config: SolarisConfig) -> System:
    """Solaris 8 to 11, and illumos."""

    def boot_id(session: Session, wanted: Wanted) -> str:
        said = session.run(FORCED_BOOT_ID if config.forced_command else _SOLARIS_BOOT_ID)
        missing = said.status in _NOT_FOUND or "not found" in said.err  # the old Bourne shell ends with 1 then
        if missing and not config.forced_command:
            said = session.run(_SOLARIS_BOOT_MINUTE)
        for pattern in (_BOOT_TIME, _WHO_BOOT):
            found = pattern.search(said.out)
            if said.status == 0 and found:
                return "boot " + " ".join(found[1].split())
        raise _no_boot_id(said, wanted, "it must be Solaris or illumos, and the user must have a shell")

    return _system(config, boot_id)


def custom(config: CustomConfig) -> System:
    """Whatever else has a shell."""

    def boot_id(session: Session, wanted: Wanted) -> str | None:
        if config.boot_id_command is None:
            return None
        said = session.run(config.boot_id_command)
        line = " ".join(said.out.split())
        if said.status == 0 and line and "\n" not in said.out and len(line) <= _LONGEST_BOOT_ID:
            return line
        raise _no_boot_id(said, wanted, f"boot_id_command must write one line: {config.boot_id_command}")

    def look(session: Session, wanted: Wanted) -> list[Finding]:
        if config.boot_id_command is None:
            text = "it tells no boot id, so that a machine that somebody started again is not told from one that runs"
            advice = Finding(severity=Severity.WARNING, text=text, cure="add boot_id_command, see the plugin's page")
        else:
            advice = None
        rights = _asked(session, config.check_command, wanted) if config.check_command else None
        found = rights or look_at_rights(session, config.shutdown_command, config.user, wanted)
        return [*([advice] if advice else []), *found]

    return System(boot_id, config.shutdown_command, _refusing(config.shutdown_command, config.user), look)


# ------------------------------------------------------------------------------------------------------------- inside


def _system(config: LinuxConfig | SolarisConfig, boot_id: Callable[[Session, Wanted], str]) -> System:
    command = FORCED_SHUTDOWN if config.forced_command else config.shutdown_command

    def look(session: Session, wanted: Wanted) -> list[Finding]:
        if config.forced_command:
            return _look_at_force(session, wanted)
        return look_at_rights(session, command, config.user, wanted)

    return System(boot_id, command, _refusing(command, config.user), look)


def _refusing(command: str, user: str) -> Callable[[Said, Wanted], DeviceError]:
    return lambda said, wanted: refusal(said, command, user, wanted)


def _no_boot_id(said: Said, wanted: Wanted, cure: str) -> Exception:
    if said.status == -1:
        return SilentError("it was gone before it told its boot id")
    told = said.err[:80] or said.out[:80] or f"status {said.status}"
    return wanted.error(Garbled, f"it told no boot id ({' '.join(told.split())})", cure)


def _asked(session: Session, command: str, wanted: Wanted) -> list[Finding]:
    """What a command says that ends well where the shutdown is allowed."""
    said = session.run(command)
    if said.status == 0:
        return [Finding(severity=Severity.INFO, text="it says that the shutdown is allowed")]
    text = f"it says that the shutdown is not allowed ({said.words})"
    return [Finding(severity=Severity.CRITICAL, text=text, cure=f"try it there by hand: {command}")]


def _look_at_force(session: Session, wanted: Wanted) -> list[Finding]:
    """Whether the key's forced command knows its words, and keeps everything else out."""
    findings = _asked(session, FORCED_CHECK, wanted)
    probe = session.run("echo pimgr-probe")
    if probe.status == 0 and "pimgr-probe" in probe.out:
        text = "the key may run any command: no forced command is in force"
        cure = 'put command="...",restrict ahead of the key in its authorized_keys'
        return [*findings, Finding(severity=Severity.WARNING, text=text, cure=cure)]
    return [*findings, Finding(severity=Severity.INFO, text="the key may run nothing but its forced command")]
