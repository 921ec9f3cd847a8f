"""The few commands that a host of the house understands. Nothing is run: a line is read, and answered.

Understood are `;`, `&&`, `||`, quotes, `$(...)`, and redirections are ignored. Texts are those of Debian 12.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from enum import StrEnum

from pimgr.api import Frozen

BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id"
NOT_FOUND = 127
_REDIRECTION = re.compile(r"\d?(>>?|<)(&\d|\s*/dev/null)")
_SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")
_OPERATORS = (";", "&&", "||")


class Sudo(StrEnum):
    """What sudo says to the user: yes without a password, a password please, or that it isn't there."""

    NOPASSWD = "nopasswd"
    PASSWORD = "password"  # noqa: S105
    ABSENT = "absent"


class Said(Frozen):
    """What a command wrote, its exit status, and whether it asked the machine to shut down."""

    out: str = ""
    err: str = ""
    status: int = 0
    shut_down: bool = False


class Shell(Frozen):
    """The shell of one user in one boot."""

    user: str
    boot_id: str
    sudo: Sudo

    def run(self, line: str) -> Said:
        """What the line says; every command of it that is reached is answered."""
        total = Said()
        skip = False
        for operator, words in _commands(self._substituted(_REDIRECTION.sub(" ", line))):
            skip = (operator == "&&" and total.status != 0) or (operator == "||" and total.status == 0)
            if skip or not words:
                continue
            said = self._command(words, root=self.user == "root")
            total = Said(total.out + said.out, total.err + said.err, said.status, total.shut_down or said.shut_down)
        return total

    def _substituted(self, line: str) -> str:
        return _SUBSTITUTION.sub(lambda match: self.run(match[1]).out.rstrip("\n"), line)

    def _command(self, words: list[str], *, root: bool) -> Said:
        name = words[0].rsplit("/", 1)[-1]
        known: dict[str, Callable[[list[str], bool], Said]] = {
            "true": lambda _args, _root: Said(),
            "false": lambda _args, _root: Said(status=1),
            "echo": lambda args, _root: Said(out=" ".join(args) + "\n"),
            "id": self._id,
            "test": self._test,
            "[": self._test,
            "cat": self._cat,
            "sudo": self._sudo,
            "shutdown": self._shutdown,
            "poweroff": self._shutdown,
            "systemctl": self._systemctl,
        }
        if name not in known or (name == "sudo" and self.sudo is Sudo.ABSENT):
            return Said(err=f"bash: line 1: {words[0]}: command not found\n", status=NOT_FOUND)
        return known[name](words[1:], root)

    def _id(self, args: list[str], root: bool) -> Said:
        number = 0 if root else 1000
        return Said(out=f"{number}\n" if args == ["-u"] else f"uid={number}({self.user})\n")

    def _test(self, args: list[str], _root: bool) -> Said:
        args = [arg for arg in args if arg != "]"]
        if len(args) != 3 or args[1] not in ("=", "==", "!="):
            return Said(err="test: only = and != are understood here\n", status=2)
        return Said(status=int((args[0] == args[2]) == (args[1] == "!=")))

    def _cat(self, args: list[str], _root: bool) -> Said:
        files = [arg for arg in args if arg != "--"]
        if files == [BOOT_ID_FILE]:
            return Said(out=f"{self.boot_id}\n")
        return Said(err="".join(f"cat: {file}: No such file or directory\n" for file in files), status=1)

    def _sudo(self, args: list[str], _root: bool) -> Said:
        asking = self.sudo is Sudo.PASSWORD and self.user != "root"
        words = [arg for arg in args if arg not in ("-n", "--non-interactive", "--")]
        if asking:
            return Said(err="sudo: a password is required\n", status=1)
        if words and words[0] in ("-l", "--list"):
            if words[1:]:
                return Said(out=" ".join(words[1:]) + "\n")
            rules = "    (root) NOPASSWD: /sbin/shutdown, /usr/bin/systemctl poweroff\n"
            return Said(out=f"User {self.user} may run the following commands on this host:\n{rules}")
        return self._command(words, root=True) if words else Said(err="usage: sudo command\n", status=1)

    def _shutdown(self, args: list[str], root: bool) -> Said:
        if not root:
            return Said(err="Call to PowerOff failed: Interactive authentication required.\n", status=1)
        if "-c" in args or "-r" in args:
            return Said(err="shutdown: not understood here\n", status=1)
        return Said(shut_down=True)

    def _systemctl(self, args: list[str], root: bool) -> Said:
        if "poweroff" in args or "halt" in args:
            return self._shutdown([], root)
        return Said(out="running\n" if "is-system-running" in args else "")


def _commands(line: str) -> list[tuple[str, list[str]]]:
    """The commands of a line, each with the operator ahead of it."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    commands: list[tuple[str, list[str]]] = [(";", [])]
    try:
        for word in lexer:
            if word in _OPERATORS:
                commands.append((word, []))
            else:
                commands[-1][1].append(word)
    except ValueError:  # a quote without its end
        return [(";", ["bash"])]
    return commands
