"""A process that carries one message and ends: apprise reads answers without a limit, and can't be told to stop.

Run as `python -m pimgr_apprise.courier`; an `Errand` comes in on the standard input, a `Report` goes out. The URL is
never in argv, in the environment or in a log.
"""

from __future__ import annotations

import logging
import resource
import socket
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from pimgr.api import Severity
from pimgr_apprise.errand import Errand, Report, Trouble

MOST_BYTES = 256 * 1024
"""Of an answer. Services say a few hundred."""
MOST_MEMORY = 256 * 1024 * 1024
"""What the process may take; the services that don't speak HTTP know no other limit."""


class Exchanges:
    """Stands between apprise and requests, and notes how the last exchange ended."""

    def __init__(self) -> None:
        self.status = 0
        self.trouble = Trouble.NONE

    def watch(self, request: Callable[..., Any]) -> Callable[..., Any]:
        """`requests.Session.request`, with bounded answers."""
        import requests

        def watched(session: requests.Session, *args: Any, **kwargs: Any) -> requests.Response:
            self.status, self.trouble = 0, Trouble.NONE
            session.trust_env = False
            kwargs["stream"] = True
            try:
                response: requests.Response = request(session, *args, **kwargs)
                self.status = response.status_code
                body = response.raw.read(MOST_BYTES + 1, decode_content=True)
            except Exception as error:
                self.trouble = trouble_of(error)
                if isinstance(error, requests.RequestException):
                    raise
                raise requests.ConnectionError("the answer broke off") from None
            if len(body) > MOST_BYTES:
                response.close()
                self.trouble = Trouble.TOO_MUCH
                raise requests.ConnectionError("the answer is far too long")
            response._content, response._content_consumed = body, True  # type: ignore[attr-defined]
            return response

        return watched


def trouble_of(error: BaseException) -> Trouble:
    """What an exception of requests says of the line; the causes are inside each other."""
    import requests
    import urllib3.exceptions as inner

    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    if any(isinstance(each, ConnectionRefusedError | socket.gaierror) for each in chain):
        return Trouble.NO_LINE
    for each in chain:
        match each:
            case requests.exceptions.SSLError() | inner.SSLError():
                return Trouble.NO_TLS
            case requests.Timeout() | inner.TimeoutError() | TimeoutError():
                return Trouble.SILENT
            case inner.IncompleteRead() | ConnectionResetError() | BrokenPipeError():
                return Trouble.CUT
    garbled = any(type(each).__name__ in ("BadStatusLine", "HTTPException", "UnknownProtocol") for each in chain)
    return Trouble.NO_HTTP if garbled else Trouble.CUT


def carry(errand: Errand) -> Report:
    """Send it, or only look at the URL. Never raises for a service."""
    import apprise
    import requests

    exchanges = Exchanges()
    requests.Session.request = exchanges.watch(requests.Session.request)  # type: ignore[method-assign]
    asset = apprise.AppriseAsset(app_id="pimgr", app_desc="pimgr", async_mode=False, http_redirects=False)
    service = apprise.Apprise.instantiate(errand.url, asset=asset, suppress_exceptions=True)
    if service is None:
        return Report()
    name = str(service.service_name)
    if not errand.title:
        return Report(service=name, sent=True)
    service.socket_connect_timeout = service.socket_read_timeout = errand.patience_s
    service.retry = 0
    kinds = {
        Severity.INFO: apprise.NotifyType.INFO,
        Severity.WARNING: apprise.NotifyType.WARNING,
        Severity.CRITICAL: apprise.NotifyType.FAILURE,
    }
    way = apprise.Apprise(asset=asset)
    way.add(service)
    sent = way.notify(
        body=errand.body or errand.title,
        title=errand.title,
        notify_type=kinds[errand.severity],
        body_format=apprise.NotifyFormat.TEXT,
    )
    return Report(service=name, sent=bool(sent), status=exchanges.status, trouble=exchanges.trouble)


def main() -> None:
    """One errand."""
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    logging.disable(logging.CRITICAL)
    errand = msgspec.json.decode(sys.stdin.buffer.read(), type=Errand)
    answer, sys.stdout = sys.stdout, sys.stderr  # whatever a service prints is no answer
    report = carry(errand)
    answer.buffer.write(msgspec.json.encode(report))


if __name__ == "__main__":
    main()
