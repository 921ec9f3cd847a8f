"""The control socket: it answers people, and withstands everything else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pimgr import control
from pimgr.control import Control, NotRunning, Reply, Request, ask


async def _answer(request: Request) -> Reply:
    if request.do == "explode":
        raise RuntimeError("boom")
    if request.do == "shout":
        return Reply(True, "A" * 10**6)
    return Reply(True, f"{request.do} {request.part}".strip())


def _with_server(folder: Path, client: Callable[[], Any]) -> Any:
    """What `client` returns, run on a thread while the socket is served."""

    async def play() -> Any:
        server = asyncio.create_task(Control(folder, _answer).run())
        async with asyncio.timeout(10):
            while not (folder / control.NAME).exists() or (folder / control.NAME).stat().st_mode & 0o777 != 0o660:
                assert not server.done()
                await asyncio.sleep(0)
            try:
                return await asyncio.to_thread(client)
            finally:
                server.cancel()
                await asyncio.wait([server])

    return asyncio.run(play())


def _raw(folder: Path, data: bytes, *, shut: bool = False) -> Reply:
    with socket.socket(socket.AF_UNIX) as talk:
        talk.settimeout(10)
        talk.connect(str(folder / control.NAME))
        with contextlib.suppress(OSError):  # it may answer and hang up before it has read everything
            talk.sendall(data)
        if shut:
            talk.shutdown(socket.SHUT_WR)
        answer = b""
        while not answer.endswith(b"\n") and (more := talk.recv(65536)):
            answer += more
    return msgspec.json.decode(answer, type=Reply)


def test_a_person_is_answered(tmp_path: Path) -> None:
    reply = _with_server(tmp_path, lambda: ask(tmp_path, Request(do="forget", part="pool-pump")))
    assert reply == Reply(True, "forget pool-pump")


def test_the_socket_is_gone_after_a_stop_and_open_to_the_group_only_before(tmp_path: Path) -> None:
    mode = _with_server(tmp_path, lambda: (tmp_path / control.NAME).stat().st_mode & 0o777)
    assert mode == 0o660
    assert not (tmp_path / control.NAME).exists()


def test_a_socket_left_by_a_killed_pimgr_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / control.NAME))
    with pytest.raises(NotRunning, match="systemctl start"):
        ask(tmp_path, Request(do="reload"))
    assert _with_server(tmp_path, lambda: ask(tmp_path, Request(do="reload"))) == Reply(True, "reload")


def test_a_folder_with_a_very_long_name_is_served(tmp_path: Path) -> None:
    folder = tmp_path / ("long-" * 20) / ("name-" * 20)
    folder.mkdir(parents=True)
    assert _with_server(folder, lambda: ask(folder, Request(do="reload"))).ok


@pytest.mark.parametrize(
    "data",
    [
        b"\n",
        b"hello\n",
        b"\xff\xfe\x00\n",
        b"{}\n",
        b'{"do": 5}\n',
        b'{"do": "reload", "part": "", "and": 1}\n',
        b'{"do": NaN}\n',
        b"[" * 60000 + b"\n",
        b'{"do": "' + b"x" * 200_000 + b'"}\n',
    ],
    ids=["empty", "words", "bytes", "nothing", "number", "more", "nan", "deep", "long"],
)
def test_garbled_requests_get_a_clear_no_and_harm_nothing(tmp_path: Path, data: bytes) -> None:
    def client() -> tuple[Reply, Reply]:
        return _raw(tmp_path, data), ask(tmp_path, Request(do="reload"))

    garbled, after = _with_server(tmp_path, client)
    assert not garbled.ok
    assert garbled.text.startswith("not a request")
    assert after == Reply(True, "reload")


def test_a_request_cut_off_is_refused(tmp_path: Path) -> None:
    assert not _with_server(tmp_path, lambda: _raw(tmp_path, b'{"do": "rel', shut=True)).ok


def test_a_client_that_says_nothing_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "DEADLINE_S", 0.05)
    assert _with_server(tmp_path, lambda: _raw(tmp_path, b"")) == Reply(False, "no request within 0.05 s")


def test_a_failing_handler_is_told_and_serves_on(tmp_path: Path) -> None:
    def client() -> tuple[Reply, Reply]:
        return ask(tmp_path, Request(do="explode")), ask(tmp_path, Request(do="reload"))

    failed, after = _with_server(tmp_path, client)
    assert failed == Reply(False, "it failed: boom; the log says more")
    assert after.ok


def test_an_endless_reply_is_cut(tmp_path: Path) -> None:
    reply = _with_server(tmp_path, lambda: ask(tmp_path, Request(do="shout")))
    assert reply.ok
    assert len(reply.text) < control.LIMIT


def test_a_crowd_is_turned_away(tmp_path: Path) -> None:
    def client() -> Reply:
        crowd = [socket.socket(socket.AF_UNIX) for _ in range(control.MAX_CLIENTS)]
        try:
            for one in crowd:
                one.connect(str(tmp_path / control.NAME))
            return _raw(tmp_path, b'{"do": "reload"}\n')
        finally:
            for one in crowd:
                one.close()

    assert _with_server(tmp_path, client) == Reply(False, "too many ask at once")


@pytest.mark.parametrize("answer", [b"", b"nonsense\n", b'{"ok": 1}\n', b"x" * 100_000])
def test_an_answer_that_makes_no_sense_is_said_so(tmp_path: Path, answer: bytes) -> None:
    async def play() -> None:
        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(answer)
            writer.close()

        server = await asyncio.start_unix_server(serve, tmp_path / control.NAME)
        async with server:
            with pytest.raises(NotRunning):
                await asyncio.to_thread(ask, tmp_path, Request(do="reload"))

    asyncio.run(play())


def test_nobody_there_is_said_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="sudo systemctl start pimgr"):
        ask(tmp_path / "absent", Request(do="reload"))
