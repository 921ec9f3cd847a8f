"""What goes to the courier and comes back: one JSON text each way. Nothing that comes back holds a part of the URL."""

from __future__ import annotations

from enum import StrEnum

from pimgr.api import Frozen, Severity


class Errand(Frozen, kw_only=True):
    """One message for one URL. Without a `title` nothing is sent: only whether the URL is understood is told.

    `patience_s`: how long a silent server is waited for.
    """

    url: str
    patience_s: float
    severity: Severity = Severity.INFO
    title: str = ""
    body: str = ""


class Trouble(StrEnum):
    """How the last exchange with the service ended, where it didn't end with a status."""

    NONE = ""
    NO_LINE = "no line"
    SILENT = "silent"
    CUT = "cut"
    NO_TLS = "no tls"
    NO_HTTP = "no http"
    TOO_MUCH = "too much"


class Report(Frozen, kw_only=True):
    """`service`: its name as apprise tells it, "" where the URL wasn't understood. `status`: HTTP's, 0 for none."""

    service: str = ""
    sent: bool = False
    status: int = 0
    trouble: Trouble = Trouble.NONE
