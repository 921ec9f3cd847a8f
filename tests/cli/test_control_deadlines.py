"""Nobody on the control socket keeps the other side waiting for ever."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from pathlib import Path

import pytest

from pimgr import control
from pimgr.control import Control, NotRunning, Reply, Request, ask


def test_a_person_is_told_when_pimgr_does_not_answer(tmp_path: Path) -> None:
    told: list[str] = []

    def asking() -> None:
        with pytest.raises(NotRunning) as error:
            ask(tmp_path, Request(do="reload"), timeout_s=0.1)
        told.append(str(error.value))

    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / control.NAME))
        silent.listen()
        person = threading.Thread(target=asking, daemon=True)
        person.start()
        person.join(5.0)
        assert told == ["pimgr didn't answer within 0.1 s; see `pimgr status`"]


def test_a_client_that_does_not_read_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would need a reply that no socket's buffer takes whole: more than pimgr says today."""
    monkeypatch.setattr(control, "LIMIT", 64 * 1024 * 1024)
    monkeypatch.setattr(control, "DEADLINE_S", 0.1)

    async def shout(request: Request) -> Reply:
        return Reply(True, "A" * 2 * 1024 * 1024)

    async def main() -> None:
        server = Control(tmp_path, shout)
        serving = asyncio.create_task(server.run())
        try:
            async with asyncio.timeout(5):
                while not (tmp_path / control.NAME).exists():  # noqa: ASYNC110 - another's doing
                    await asyncio.sleep(0.001)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(tmp_path / control.NAME))
                client.sendall(b'{"do": "shout"}\n')
                async with asyncio.timeout(5):
                    while server._clients == 0:  # noqa: ASYNC110 - another's doing
                        await asyncio.sleep(0.001)
                    while server._clients:  # noqa: ASYNC110 - another's doing
                        await asyncio.sleep(0.001)
        finally:
            serving.cancel()
            await asyncio.wait({serving})

    asyncio.run(main())


def test_an_answer_without_end_is_not_collected(tmp_path: Path) -> None:
    sent = 0

    def babble(server: socket.socket) -> None:
        nonlocal sent
        line, _ = server.accept()
        with line, contextlib.suppress(OSError):
            while sent < 20_000_000:
                sent += line.send(b"x" * 65536)

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / control.NAME))
        server.listen()
        babbling = threading.Thread(target=babble, args=(server,), daemon=True)
        babbling.start()
        with pytest.raises(NotRunning, match="no answer that makes sense"):
            ask(tmp_path, Request(do="reload"), timeout_s=5.0)
        babbling.join(5.0)
        assert 0 < sent < 5_000_000
