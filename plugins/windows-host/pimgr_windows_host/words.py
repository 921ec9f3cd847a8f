"""What Samba's `net` says when a Windows machine refuses, as one of pimgr's four errors with its cure."""

from __future__ import annotations

import re

from pimgr_ssh_host.talk import Wanted

from pimgr.api import DeviceError, Garbled, Refused, Unreachable, Unsupported

_CODE = re.compile(r"\b(?:NT_STATUS|WERR)_[A-Z0-9_]+\b")
_LOGIN = "check user, password and domain; a Microsoft account needs its own name and password, not a PIN"
_PREPARE = "prepare the machine as docs/plugins/windows-host.md shows"
_RIGHT = (
    "give the account the right to force a shutdown from a remote system (secpol.msc), and set "
    "LocalAccountTokenFilterPolicy to 1; docs/plugins/windows-host.md shows both"
)
_FIREWALL = "switch it on; if it is on, allow file and printer sharing (TCP 445) in its firewall"
_REGISTRY = "start the service RemoteRegistry there, and set it to start automatically"
_SHARING = "turn file and printer sharing on there, for the network that it is in"
_AGAIN = "pimgr asks again"

Meaning = tuple[type[DeviceError], str, str]
MEANINGS: dict[str, Meaning] = {
    "NT_STATUS_LOGON_FAILURE": (Refused, "it refuses the user or the password", _LOGIN),
    "NT_STATUS_WRONG_PASSWORD": (Refused, "it refuses the password", _LOGIN),
    "NT_STATUS_NO_SUCH_USER": (Refused, "it knows no such user", _LOGIN),
    "NT_STATUS_ACCOUNT_DISABLED": (Refused, "the account is disabled", "enable it in lusrmgr.msc, or use another"),
    "NT_STATUS_ACCOUNT_LOCKED_OUT": (
        Refused, "the account is locked, after too many wrong passwords", "wait, or unlock it; then check the password",
    ),
    "NT_STATUS_ACCOUNT_EXPIRED": (Refused, "the account has expired", "use one that does not expire"),
    "NT_STATUS_ACCOUNT_RESTRICTION": (
        Refused, "the account may not log in from the network", "give it a password; Windows lets none in without one",
    ),
    "NT_STATUS_PASSWORD_EXPIRED": (Refused, "the password has expired", "set a new one that never expires"),
    "NT_STATUS_PASSWORD_MUST_CHANGE": (
        Refused, "the password must be changed first", "log in there once, and change it",
    ),
    "NT_STATUS_LOGON_TYPE_NOT_GRANTED": (
        Refused, "the account may not log in from the network", "give it the right to access it from the network",
    ),
    "NT_STATUS_INVALID_LOGON_HOURS": (Refused, "the account may not log in at this hour", "allow it at all hours"),
    "NT_STATUS_ACCESS_DENIED": (Refused, "it lets the account in, but not to its remote shutdown", _RIGHT),
    "WERR_ACCESS_DENIED": (Refused, "the account may not shut it down from afar", _RIGHT),
    "NT_STATUS_PRIVILEGE_NOT_HELD": (Refused, "the account may not shut it down from afar", _RIGHT),
    "WERR_PRIVILEGE_NOT_HELD": (Refused, "the account may not shut it down from afar", _RIGHT),
    "NT_STATUS_OBJECT_NAME_NOT_FOUND": (Refused, "its remote shutdown isn't running", _REGISTRY),
    "NT_STATUS_PIPE_NOT_AVAILABLE": (Refused, "its remote shutdown isn't running", _REGISTRY),
    "NT_STATUS_NETWORK_ACCESS_DENIED": (Refused, "it allows nobody in from the network", _SHARING),
    "NT_STATUS_BAD_NETWORK_NAME": (Refused, "it shares nothing over the network", _SHARING),
    "NT_STATUS_REQUEST_NOT_ACCEPTED": (Refused, "it takes no more connections now", _AGAIN),
    "WERR_MACHINE_LOCKED": (
        Refused, "somebody works at it, and it does not force them out", "allow it to be forced, or log out there",
    ),
    "WERR_NOT_READY": (Unreachable, "it is not ready for a shutdown yet", _AGAIN),
    "NT_STATUS_CONNECTION_REFUSED": (Unreachable, "nobody listens on its port", _SHARING),
    "NT_STATUS_IO_TIMEOUT": (Unreachable, "no answer", _FIREWALL),
    "NT_STATUS_HOST_UNREACHABLE": (Unreachable, "no way to it", _FIREWALL),
    "NT_STATUS_NETWORK_UNREACHABLE": (Unreachable, "no way to its network", "check the network of this box"),
    "NT_STATUS_BAD_NETWORK_PATH": (Unreachable, "no machine was found by its name", "write its address as a number"),
    "NT_STATUS_UNSUCCESSFUL": (Unreachable, "no machine was found by its name", "write its address as a number"),
    "NT_STATUS_NOT_FOUND": (Unreachable, "no machine was found by its name", "write its address as a number"),
    "NT_STATUS_CONNECTION_RESET": (Unreachable, "it broke the connection off", _AGAIN),
    "NT_STATUS_CONNECTION_DISCONNECTED": (Unreachable, "it broke the connection off", _AGAIN),
    "NT_STATUS_END_OF_FILE": (Unreachable, "it broke the connection off", _AGAIN),
    "NT_STATUS_INVALID_NETWORK_RESPONSE": (Garbled, "it answered what no Windows says", "check address and port"),
    "NT_STATUS_CONNECTION_INVALID": (Garbled, "it answered what no Windows says", "check address and port"),
    "NT_STATUS_INVALID_PARAMETER": (Garbled, "it answered what no Windows says", "check address and port"),
    "NT_STATUS_NOT_SUPPORTED": (Unsupported, "it speaks no version of SMB that this box does", _PREPARE),
    "NT_STATUS_REVISION_MISMATCH": (Unsupported, "it speaks no version of SMB that this box does", _PREPARE),
    "WERR_NOT_SUPPORTED": (Unsupported, "it has no remote shutdown", "use windows-host.ssh"),
}  # fmt: skip
"""Sources: [MS-ERREF] 2.2 and 2.3, [MS-RSP] 3.1.4; and what Samba 4.17's `net` printed against its own smbd.

Which of them Windows itself gives for a step that is missing, nobody has tried; Samba can't answer for it.
"""
IN_PROGRESS = "WERR_SHUTDOWN_IN_PROGRESS"
SHUTTING = frozenset({IN_PROGRESS, "WERR_SHUTDOWN_IS_SCHEDULED", "NT_STATUS_SHUTDOWN_IN_PROGRESS"})
"""Asked before, by us or by others: that is what was wanted."""
NONE_GOING = frozenset({"WERR_NO_SHUTDOWN_IN_PROGRESS"})
"""Nothing to call off."""


def codes(said: str) -> list[str]:
    """Every status in what `net` printed, the last one first: it says the reason last."""
    return _CODE.findall(said)[::-1]


def refusal(said: str, wanted: Wanted) -> DeviceError:
    """Why `net` failed."""
    found = codes(said)
    for code in found:
        if code in MEANINGS:
            kind, fact, cure = MEANINGS[code]
            return wanted.error(kind, f"{fact} ({code})", cure)
    if found:
        return wanted.error(Refused, f"it said no ({found[0]})", _PREPARE)
    line = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "no reason given")
    words = "".join(each if each.isprintable() else "?" for each in line)[:120]
    return wanted.error(Garbled, f"the program net failed ({words})", _PREPARE)
