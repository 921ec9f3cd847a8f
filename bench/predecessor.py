"""How the predecessors switched plugs off: one after another, with python-kasa and its own time-outs.

A process of its own. It reads one line (the ports, as JSON), and tells for each port the seconds and if it went well.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from kasa import Device, DeviceConfig, KasaException


async def _off(port: int) -> tuple[int, float, bool]:
    """One plug: connect, which also updates it, and turn it off. Nothing is set but the address."""
    began = time.monotonic()
    try:
        device = await Device.connect(config=DeviceConfig("127.0.0.1", port_override=port))
        try:
            await device.turn_off()
        finally:
            await device.disconnect()
    except KasaException:
        return port, time.monotonic() - began, False
    return port, time.monotonic() - began, True


async def _all(ports: list[int]) -> list[tuple[int, float, bool]]:
    return [await _off(port) for port in ports]


def main() -> None:
    """Ready, go, done: so that its start is not counted."""
    print("ready", flush=True)
    print(json.dumps(asyncio.run(_all(json.loads(sys.stdin.readline())))), flush=True)


if __name__ == "__main__":
    main()
