"""The wizard's look for plugs, in a network of its own, where a plug calls out as a real one did."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

CALL = (
    "000055aa0000000000000013000000ac0000000097e190a5ed90c0924c3e1db529391681dd93d406e784045a64287d343c2101238a28d0879225ec"
    "6bb06d7e0792ff2e2d18ca0c1babd743880b08c3cd80e660c65fb9d6387160d3e4636f8ec084aaf888f462949a474596b425bab23babe68074e3c9"
    "49d359d5c3ea6cd5201d408904bfa453d3c37aa6b8cb137d6a3614eb70e5343378fd637a924ca2f95eab619c9c2e2dd3a795424f2879a4492a51a7"
    "d90f07f0b67eba0000aa55"
)
"""A 3.3 device's call on UDP port 6667 (hyprlab/luxel, src/tuya/protocol.rs, "udp_broadcast_parses")."""
PROGRAM = """
import asyncio, json, pathlib, socket, sys, threading
import pimgr_tuya.find
from pimgr_tuya import PLUG
from pimgr.api import Unreachable
from pimgr.testing import FakeContext

pimgr_tuya.find.SCAN_S = 3
over = threading.Event()

def call_out():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        while not over.wait(0.2):
            line.sendto(bytes.fromhex(sys.argv[1]), ("127.0.0.1", 6667))

async def main():
    thread = threading.Thread(target=call_out, daemon=True)
    thread.start()
    context = FakeContext("wizard")
    try:
        found = [{"type": one.type, "title": one.title, **one.config} async for one in PLUG.discover(context)]
    except Unreachable as error:
        found = str(error)
    context.close()
    over.set()
    print(json.dumps(found))

asyncio.run(main())
"""


NETWORK = "ip link set lo up"
HOME = f"{NETWORK} && ip addr add 192.0.2.2/24 dev lo && ip route add default dev lo"


def discovered(tmp_path: Path, network: str) -> Any:
    """What discovery finds where `network` was set up, in a namespace that reaches nobody else."""
    inside = f'{network} && exec "$@"'
    program = ["unshare", "--map-root-user", "--net", "sh", "-c", inside, "sh", sys.executable, "-c", PROGRAM, CALL]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_plug_that_calls_out_is_found_with_its_version_and_without_its_key(tmp_path: Path) -> None:
    (tmp_path / "devices.json").write_text('[{"id": "vdevo123456789abcdefg", "name": "x", "key": "0123456789abcdef"}]')
    (found,) = discovered(tmp_path, HOME)
    assert (found["type"], found["address"], found["version"]) == (
        "tuya.plug",
        "127.0.0.1",
        "3.3",
    )  # where it called from
    assert found["device_id"] == "vdevo123456789abcdefg"
    assert found["key"] == {"secret": "tuya-key"}


def test_a_box_without_a_network_says_so(tmp_path: Path) -> None:
    assert "no network" in discovered(tmp_path, NETWORK)
