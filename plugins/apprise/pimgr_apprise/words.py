"""What is said: to the service, without what could harm its reader; and to the house, without a part of the URL."""

from __future__ import annotations

import contextlib
import http
import unicodedata

from pimgr.api import DeviceError, Garbled, Refused, Unreachable, Unsupported
from pimgr_apprise.errand import Report, Trouble

WISH = "a message sent"
_TITLE_LENGTH = 120
_INTERNET = "check this box's internet connection"
_ADDRESS = "check the URL in the secret; apprise's own pages list what each service needs"
_LINES = {
    Trouble.NO_LINE: (Unreachable, "no connection to {0}", _INTERNET),
    Trouble.SILENT: (Unreachable, "no answer from {0} in {1:.0f} s", _INTERNET),
    Trouble.CUT: (Unreachable, "the connection to {0} broke", _INTERNET),
    Trouble.NO_TLS: (Garbled, "{0} speaks no proper TLS, or its certificate is not vouched for", _ADDRESS),
    Trouble.NO_HTTP: (Garbled, "{0} answered what no such service says", _ADDRESS),
    Trouble.TOO_MUCH: (Garbled, "{0} says far too much", _ADDRESS),
}


def failure(part: str, report: Report, patience_s: float) -> DeviceError:
    """Why a message wasn't sent; in our own words, since apprise's hold the URL."""
    name = one_line(report.service)
    if not report.service:
        return Unsupported(part, WISH, "apprise does not understand the URL", _ADDRESS)
    if report.trouble is not Trouble.NONE:
        kind, fact, cure = _LINES[report.trouble]
        return kind(part, WISH, fact.format(name, patience_s), cure)
    if not report.status:
        return Unreachable(part, WISH, f"apprise could not send it by {name}", f"{_INTERNET}, and then the URL")
    kind, fact, cure = _status(report.status)
    return kind(part, WISH, f"{name} {fact} ({report.status}{_phrase(report.status)})", cure)


def _status(status: int) -> tuple[type[DeviceError], str, str]:
    """What an HTTP status means here. Source: RFC 9110, section 15; RFC 6585 for 429."""
    if status in (408, 425) or status >= 500:
        return Unreachable, "can't now", "it passes by itself"
    if status == http.HTTPStatus.TOO_MANY_REQUESTS:
        return Refused, "was asked too often", "pimgr tries again later"
    if status in (401, 403, 404, 410):
        return Refused, "does not know this user, token or topic", _ADDRESS
    return Refused, "said no" if status >= 300 else "answered, and did not take it", _ADDRESS


def _phrase(status: int) -> str:
    with contextlib.suppress(ValueError):
        return f" {http.HTTPStatus(status).phrase}"
    return ""


def one_line(text: str) -> str:
    """A title: one line of visible characters."""
    return " ".join("".join(each if _visible(each) else " " for each in text).split())[:_TITLE_LENGTH] or "pimgr"


def plain(text: str) -> str:
    """A body: lines of visible characters."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(each if each in "\n\t" or _visible(each) else "?" for each in lines)


def _visible(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] != "C" and category not in ("Zl", "Zp")
