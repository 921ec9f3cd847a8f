"""The few commands that a host of the house understands. Nothing is run: a line is read, and answered.

Understood are `;`, `&&`, `||`, `|` into egrep, quotes, `$(...)`, and redirections are ignored. Texts are those of
Debian 12; of Solaris 10 (man pages of shutdown(1M), kstat(1M), who(1), profiles(1), pfexec(1)); and what cmd.exe and
shutdown.exe of Windows 10 say (error numbers: winerror.h).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum

from pimgr.api import Frozen

BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id"
NOT_FOUND = 127
_REDIRECTION = re.compile(r"\d?(>>?|<)(&\d|\s*/dev/null)")
_SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")
_OPERATORS = (";", "&&", "||", "|")
_DAYS_1601 = 11644473600
"""Seconds from 1601, where Windows's file times begin, to 1970. Source: FILETIME, Win32 API."""


class Personality(StrEnum):
    """Which operating system a host plays."""

    LINUX = "linux"
    SOLARIS = "solaris"
    WINDOWS = "windows"


class Sudo(StrEnum):
    """What sudo says to the user: yes without a password, a password please, or that it isn't there.

    Solaris gives its rights profile, and Windows the privilege to shut down, with NOPASSWD only.
    """

    NOPASSWD = "nopasswd"
    PASSWORD = "password"  # noqa: S105
    ABSENT = "absent"


class Said(Frozen):
    """What a command wrote, its exit status, and whether it asks the machine to shut down (in `delay_s`), or not to."""

    out: str = ""
    err: str = ""
    status: int = 0
    shut_down: bool = False
    delay_s: float = 0.0
    abort: bool = False


class Shell(Frozen):
    """The shell of one user in one boot. `booted`: UTC in s; `pending`: a shutdown is counting down (Windows)."""

    user: str
    boot_id: str
    sudo: Sudo
    personality: Personality = Personality.LINUX
    booted: int = 0
    pending: bool = False

    def run(self, line: str) -> Said:
        """What the line says; every command of it that is reached is answered."""
        if self.personality is Personality.WINDOWS:
            return self._cmd(line)
        total = Said()
        skip = False
        for operator, words in _commands(self._substituted(_REDIRECTION.sub(" ", line))):
            if operator == "|":
                total = _egrep(words, total)
                continue
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
            **(self._of_solaris() if self.personality is Personality.SOLARIS else self._of_linux()),
        }
        if name not in known or (name == "sudo" and self.sudo is Sudo.ABSENT):
            return Said(err=f"bash: line 1: {words[0]}: command not found\n", status=NOT_FOUND)
        return known[name](words[1:], root)

    def _of_linux(self) -> dict[str, Callable[[list[str], bool], Said]]:
        return {"poweroff": self._shutdown, "systemctl": self._systemctl}

    def _of_solaris(self) -> dict[str, Callable[[list[str], bool], Said]]:
        return {
            "shutdown": self._shutdown_of_solaris,
            "kstat": self._kstat,
            "who": self._who,
            "profiles": self._profiles,
            "pfexec": self._pfexec,
        }

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
        if files == [BOOT_ID_FILE] and self.personality is Personality.LINUX:
            return Said(out=f"{self.boot_id}\n")
        return Said(err="".join(f"cat: {file}: No such file or directory\n" for file in files), status=1)

    def _sudo(self, args: list[str], _root: bool) -> Said:
        asking = self.sudo is Sudo.PASSWORD and self.user != "root"
        words = [arg for arg in args if arg not in ("-n", "--non-interactive", "--")]
        if asking:
            return Said(err="sudo: a password is required\n", status=1)
        if words and words[0] in ("-l", "--list"):
            if words[1:]:
                folder = "" if words[1].startswith("/") else "/usr/sbin/"
                return Said(out=folder + " ".join(words[1:]) + "\n")
            rules = "    (root) NOPASSWD: /sbin/shutdown, /usr/bin/systemctl poweroff\n"
            return Said(out=f"User {self.user} may run the following commands on this host:\n{rules}")
        return self._command(words, root=True) if words else Said(err="usage: sudo command\n", status=1)

    def _shutdown(self, args: list[str], root: bool) -> Said:
        if not root:
            return Said(err="Call to PowerOff failed: Interactive authentication required.\n", status=1)
        if "-c" in args or "-r" in args:
            return Said(err="shutdown: not understood here\n", status=1)
        return Said(shut_down=True)

    # ---------------------------------------------------------------------------------------------------- solaris

    def _shutdown_of_solaris(self, args: list[str], root: bool) -> Said:
        """Only what powers it off at once, without asking: `-y -i5 -g0`."""
        if not root:
            return Said(err="/usr/sbin/shutdown:  Only root can run /usr/sbin/shutdown\n", status=2)
        if sorted(args) != ["-g0", "-i5", "-y"]:
            usage = "Usage: /usr/sbin/shutdown [ -y ] [ -g<grace> ] [ -i<initstate> ] [ message ]\n"
            return Said(err=f"/usr/sbin/shutdown:  illegal option\n{usage}", status=1)
        return Said(out="\nShutdown started.\n\nChanging to init state 5 - please wait\n", shut_down=True)

    def _kstat(self, args: list[str], _root: bool) -> Said:
        if args != ["-p", "unix:0:system_misc:boot_time"]:
            return Said(status=1)
        return Said(out=f"unix:0:system_misc:boot_time\t{self.booted}\n")

    def _who(self, args: list[str], _root: bool) -> Said:
        at = datetime.fromtimestamp(self.booted, UTC)
        return Said(out=f"   .       system boot  {at:%b %d %H:%M}\n") if args == ["-b"] else Said()

    def _profiles(self, args: list[str], _root: bool) -> Said:
        rights = "\n      pimgr:\n          /usr/sbin/shutdown        uid=0\n" if self.sudo is Sudo.NOPASSWD else ""
        return Said(out=f"{rights}\n      All:\n          *\n") if args == ["-l"] else Said(status=1)

    def _pfexec(self, args: list[str], root: bool) -> Said:
        allowed = self.sudo is Sudo.NOPASSWD and args[:1] == ["/usr/sbin/shutdown"]
        return self._command(args, root=root or allowed) if args else Said(err="pfexec: usage\n", status=1)

    # ---------------------------------------------------------------------------------------------------- windows

    def _cmd(self, line: str) -> Said:
        """One command of cmd.exe, which knows no case."""
        words = [word.strip('"') for word in re.findall(r'"[^"]*"|[^\s"]+', line)]
        name = words[0].lower().rsplit("\\", 1)[-1].removesuffix(".exe") if words else ""
        known: dict[str, Callable[[list[str]], Said]] = {
            "echo": lambda args: Said(out=" ".join(args)),
            "ver": lambda _args: Said(out="\nMicrosoft Windows [Version 10.0.19045.4170]"),
            "shutdown": self._shutdown_of_windows,
            "whoami": self._whoami,
            "wmic": self._wmic,
            "powershell": self._powershell,
        }
        if name not in known:
            told = f"'{words[0] if words else ''}' is not recognized as an internal or external command,\n"
            return Said(err=_crlf(f"{told}operable program or batch file."), status=1)
        said = known[name](words[1:])
        return Said(_crlf(said.out), _crlf(said.err), said.status, said.shut_down, said.delay_s, said.abort)

    def _shutdown_of_windows(self, args: list[str]) -> Said:
        options = [arg.lower().replace("-", "/", 1) for arg in args]
        if self.sudo is not Sudo.NOPASSWD:
            return Said(err="Access is denied.(5)", status=5)
        if "/a" in options:
            if self.pending:
                return Said(abort=True)
            return Said(
                err="Unable to abort the system shutdown because no shutdown was in progress.(1116)", status=1116
            )
        if not {"/s", "/sg"} & set(options):
            return Said(out="Usage: shutdown [/i | /l | /s | /sg | /r | /g | /a | /p | /h | /e | /o] ...", status=1)
        if self.pending:
            return Said(err="A system shutdown has already been scheduled.(1190)", status=1190)
        after = options[options.index("/t") + 1] if "/t" in options[:-1] else "30"
        return Said(shut_down=True, delay_s=float(after)) if after.isdigit() else Said(out="Usage: shutdown", status=1)

    def _whoami(self, args: list[str]) -> Said:
        if [arg.lower() for arg in args] != ["/priv"]:
            return Said(out=f"house\\{self.user}")
        right = "SeShutdownPrivilege           Shut down the system                 Enabled\n"
        rights = right if self.sudo is Sudo.NOPASSWD else ""
        return Said(out=f"{rights}SeChangeNotifyPrivilege       Bypass traverse checking             Enabled")

    def _wmic(self, args: list[str]) -> Said:
        at = datetime.fromtimestamp(self.booted, UTC)
        if [arg.lower() for arg in args[:3]] != ["os", "get", "lastbootuptime"]:
            return Said(err="Invalid query", status=1)
        return Said(out=f"LastBootUpTime             \n{at:%Y%m%d%H%M%S}.500000+000  \n")

    def _powershell(self, args: list[str]) -> Said:
        """When it booted, in the form that was asked for: a file time, ISO 8601, or as people there write it."""
        asked, at = " ".join(args).lower(), datetime.fromtimestamp(self.booted, UTC)
        if "lastbootuptime" not in asked:
            return Said(err="The term is not recognized as the name of a cmdlet.", status=1)
        if "tofiletime" in asked:
            return Said(out=str((self.booted + _DAYS_1601) * 10_000_000))
        iso = "tostring" in asked or "-format" in asked
        return Said(out=f"{at:%Y-%m-%dT%H:%M:%S}.0000000+00:00" if iso else f"{at:%A, %B %d, %Y %I:%M:%S %p}")

    # ------------------------------------------------------------------------------------------------------ linux

    def _systemctl(self, args: list[str], root: bool) -> Said:
        if "poweroff" in args or "halt" in args:
            return self._shutdown([], root)
        return Said(out="running\n" if "is-system-running" in args else "")


def _egrep(words: list[str], before: Said) -> Said:
    """The lines of what was said before that match."""
    if len(words) != 2 or words[0].rsplit("/", 1)[-1] != "egrep":
        return Said(err=f"{words[0] if words else ''}: not understood here\n", status=NOT_FOUND)
    out = "".join(line for line in before.out.splitlines(keepends=True) if re.search(words[1], line))
    return Said(out=out, err=before.err, status=int(not out), shut_down=before.shut_down)


def _crlf(text: str) -> str:
    return text.replace("\n", "\r\n") + "\r\n" if text else ""


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
