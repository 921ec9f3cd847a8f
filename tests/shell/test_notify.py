"""What systemd hears, on a real datagram socket."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pimgr.notify import Systemd
from pimgr.testing import FakeClock


class Init:
    """The other end of $NOTIFY_SOCKET, and pimgr's end."""

    systemd: Systemd

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.setblocking(False)

    def heard(self) -> list[bytes]:
        messages = []
        while True:
            try:
                messages.append(self.socket.recv(65536))
            except BlockingIOError:
                return messages


@pytest.fixture(params=["a path", "an abstract name"])
def init(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Init]:
    path = str(tmp_path / "notify")
    given, bound = (path, path) if request.param == "a path" else (f"@{path}", f"\0{path}")
    monkeypatch.setenv("NOTIFY_SOCKET", given)
    init = Init(bound)
    init.systemd = Systemd(FakeClock())
    yield init
    init.systemd.close()
    init.socket.close()


def test_ready_is_said_once_and_only_after_the_first_decision(init: Init) -> None:
    systemd = init.systemd
    systemd.beat()
    assert init.heard() == [b"WATCHDOG=1"]
    systemd.decided("on grid, 84 %, nothing shed")
    assert init.heard() == [b"READY=1", b"STATUS=on grid, 84 %, nothing shed"]
    for _ in range(3):
        systemd.decided("on grid, 84 %, nothing shed")
        systemd.beat()
    assert init.heard() == [b"WATCHDOG=1"] * 3


def test_the_status_is_said_when_it_changes(init: Init) -> None:
    systemd = init.systemd
    for headline in ("a", "a", "b", "b", "a"):
        systemd.decided(headline)
    assert init.heard() == [b"READY=1", b"STATUS=a", b"STATUS=b", b"STATUS=a"]


@pytest.mark.parametrize(
    ("headline", "status"),
    [
        ("fan\nMAINPID=1", b"STATUS=fan\\x0aMAINPID=1"),
        ("fan\r\nWATCHDOG=1\x00", b"STATUS=fan\\x0d\\x0aWATCHDOG=1\\x00"),
        ("fan\x1b[2J", b"STATUS=fan\\x1b[2J"),
        ("fan\u2028READY=1", b"STATUS=fan\\u2028READY=1"),
        ("broken \ud800", b"STATUS=broken \\ud800"),
        ("Küche, Łódź, 83 %", "STATUS=Küche, Łódź, 83 %".encode()),
        ("ポンプ off", "STATUS=ポンプ off".encode()),
    ],
)
def test_a_hostile_or_foreign_name_is_one_line_of_text_to_systemd(init: Init, headline: str, status: bytes) -> None:
    systemd = init.systemd
    systemd.decided(headline)
    assert init.heard() == [b"READY=1", status]


def test_a_headline_without_end_is_cut(init: Init) -> None:
    init.systemd.decided("x" * 10_000_000)
    _, status = init.heard()
    assert len(status) < 600


def test_a_reload_is_told_with_its_time_and_ends_with_ready(init: Init) -> None:
    init.systemd.reloading()
    init.systemd.reloaded()
    init.systemd.stopping()
    usec = int(FakeClock().now().mono_s * 1e6)
    assert init.heard() == [f"RELOADING=1\nMONOTONIC_USEC={usec}".encode(), b"READY=1", b"STOPPING=1"]


def test_a_systemd_that_does_not_listen_holds_up_no_tick(init: Init) -> None:
    systemd = init.systemd
    slowest = 0.0
    for n in range(400):
        began = time.monotonic()
        systemd.decided(f"{n}")
        slowest = max(slowest, time.monotonic() - began)
        if slowest > 0.1:
            break
    else:
        pytest.fail("the socket's queue was never full, so this showed nothing")
    assert slowest < 2.0


def test_without_systemd_nothing_is_said_and_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    systemd = Systemd(FakeClock())
    systemd.decided("on grid")
    systemd.beat()
    systemd.reloading()
    systemd.reloaded()
    systemd.stopping()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # sdnotify 0.3.2 drops its socket open
def test_a_socket_that_is_gone_is_no_reason_to_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    Systemd(FakeClock()).decided("on grid")
