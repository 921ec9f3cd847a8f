"""Whether a user may shut its machine down, asked without doing it; and why a shutdown was refused."""

from __future__ import annotations

import re
from fnmatch import fnmatch

from pimgr.api import DeviceError, Finding, Refused, Severity
from pimgr_ssh_host.talk import Said, Session, Wanted

_SUDO = re.compile(r"(?P<sudo>(\S*/)?sudo)((\s+-n)|(\s+--non-interactive))*\s+(?P<command>[^-\s].*)")
_PFEXEC = re.compile(r"(\S*/)?pfexec\s+(?P<command>/[\w./-]+)(\s.*)?")
_SUDO_ASKS = ("a password is required", "a terminal is required", "no tty present")
_SUDO_FORBIDS = ("not allowed", "may not run", "not in the sudoers")
_OPERATORS = frozenset(";&|<>`$()")


def refusal(said: Said, command: str, user: str, wanted: Wanted) -> DeviceError:
    """Why a shutdown command failed."""
    if any(each in said.err for each in _SUDO_ASKS):
        found = _SUDO.fullmatch(command)
        rule = f"{user} ALL=(root) NOPASSWD: {found['command'] if found else '/usr/sbin/shutdown -h now'}"
        return wanted.error(Refused, "sudo asks for a password", f"add with visudo, with the full path: {rule}")
    if any(each in said.err for each in _SUDO_FORBIDS):
        return wanted.error(Refused, f"sudo forbids it ({said.words})", f"allow the command to {user!r} with visudo")
    fact = f"its shutdown command failed ({said.words})"
    if _PFEXEC.fullmatch(command):
        cure = f"give {user!r} a rights profile with that command, see docs/plugins/ssh-host.md"
        return wanted.error(Refused, fact, cure)
    return wanted.error(Refused, fact, f"try it there by hand: {command}")


def look_at_rights(session: Session, command: str, user: str, wanted: Wanted) -> list[Finding]:
    """Ask sudo, or the rights profiles, about a command without running it."""
    sudo, pfexec = _SUDO.fullmatch(command), _PFEXEC.fullmatch(command)
    if sudo and not _OPERATORS & set(command):
        return [_ask_sudo(session, sudo["sudo"], sudo["command"], (command, user, wanted))]
    if pfexec:
        return [_ask_profiles(session, pfexec["command"], user)]
    text = f"its shutdown command ({command}) can only be proven by a real shutdown"
    return [Finding(severity=Severity.INFO, text=text)]


def _ask_sudo(session: Session, sudo: str, inner: str, about: tuple[str, str, Wanted]) -> Finding:
    """`sudo -l COMMAND` ends well where it is allowed, with a password too: which, only the list of rules tells.

    Source: sudo(8), `-l`; sudoers(5), `listpw`: with one rule that needs none, listing never asks for a password.
    """
    asked = session.run(f"{sudo} -n -l {inner}")
    if asked.status != 0:
        why = asked if asked.err else Said(asked.status, "", f"not allowed: {inner}")
        problem = refusal(why, *about)
        return Finding(severity=Severity.CRITICAL, text=problem.fact, cure=problem.cure)
    rules = session.run(f"{sudo} -n -l")
    program = (asked.out.split() or inner.split())[0]
    if _without_password(rules.out, program):
        return Finding(severity=Severity.INFO, text=f"sudo lets it run {inner} without a password")
    cure = f"allow {program} to {about[1]!r} with NOPASSWD, by visudo"
    return Finding(severity=Severity.CRITICAL, text=f"sudo lets it run {inner}, but with a password", cure=cure)


def _without_password(rules: str, program: str) -> bool:
    """Whether the last rule that names this program (or everything) says NOPASSWD, as the last match wins.

    A tag holds for what follows it in its rule. Source: sudoers(5), "Tag_Spec" and "the last match is used".
    """
    free = False
    for line in rules.splitlines():
        if not line.lstrip().startswith("("):
            continue
        tagged = False
        for command in line.partition(")")[2].split(","):
            for tag in re.findall(r"\b(NOPASSWD|PASSWD):", command):
                tagged = tag == "NOPASSWD"
            words = re.sub(r"\b[A-Z_]+:", "", command).split()
            if words and _names(words[0], program):
                free = tagged
    return free


def _names(pattern: str, program: str) -> bool:
    """Whether a rule's word means this program; the folder may differ, as /sbin is a link to /usr/sbin in many."""
    return pattern == "ALL" or fnmatch(program, pattern) or pattern.rpartition("/")[2] == program.rpartition("/")[2]


def _ask_profiles(session: Session, program: str, user: str) -> Finding:
    """The commands that a user's rights profiles allow, with their attributes. Source: profiles(1), Solaris, `-l`."""
    said = session.run(f"/usr/bin/profiles -l | /usr/bin/egrep '{program}|[*]'")
    cure = f"give {user!r} a rights profile with {program}, see docs/plugins/ssh-host.md"
    if said.status not in (0, 1):
        text = f"its rights profiles can't be read ({said.words}), so the shutdown is not proven"
        return Finding(severity=Severity.WARNING, text=text, cure=cure)
    for line in said.out.splitlines():
        words = line.split()
        if words and words[0] in (program, "*") and any(re.search(r"(?<!e)uid=(0|root)\b", word) for word in words[1:]):
            return Finding(severity=Severity.INFO, text=f"a rights profile lets it run {program} as root")
    return Finding(severity=Severity.CRITICAL, text=f"no rights profile lets it run {program} as root", cure=cure)
