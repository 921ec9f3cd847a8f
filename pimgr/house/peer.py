"""A real program on loopback as a device of the house: its bytes pass through, and the faults of all are its too.

With it a test puts a real SSH, SMB or mail server into a house: the program listens on `to`, the house on its own port.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pimgr.house.faults import Line
from pimgr.house.gate import LOOPBACK
from pimgr.house.house import House
from pimgr.house.kinds import DeviceSpec, Port, ServerKind
from pimgr.house.relay import carry


class PeerSpec(DeviceSpec, kw_only=True):
    """`to`: the TCP port of the real program. Nobody there is a machine that refuses."""

    to: Port


@asynccontextmanager
async def _serve(spec: PeerSpec, house: House) -> AsyncIterator[None]:
    async def serve(line: Line) -> None:
        try:
            reader, writer = await asyncio.open_connection(LOOPBACK, spec.to)
        except OSError:
            house.wire.note(spec.id, "", "refused", "nobody listens there")
            line.abort()
            return
        await carry(line, reader, writer)

    async with house.listening(spec.id, spec.port, serve):
        yield


KIND = ServerKind(kind="peer", config=PeerSpec, serve=_serve)
