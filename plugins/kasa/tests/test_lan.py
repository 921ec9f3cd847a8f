"""Discovery and following with real broadcasts, in a network namespace of its own: nothing leaves the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SCENE = Path(__file__).with_name("lan.py")


@pytest.fixture(scope="module")
def lan() -> dict[str, Any]:
    """What happened on the network of `lan.py`."""
    command = ["unshare", "--map-root-user", "--net", sys.executable, "-W", "error", str(SCENE)]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60.0)
    assert ran.returncode == 0, ran.stderr
    told: dict[str, Any] = json.loads(ran.stdout)
    return told


def test_discovery_finds_a_legacy_plug_with_its_id_and_a_newer_one_with_the_hint_of_its_login(
    lan: dict[str, Any],
) -> None:
    found = {each["config"]["address"]: each for each in lan["found"]}
    assert set(found) == {"192.0.2.15", "192.0.2.16"}
    assert found["192.0.2.15"]["config"] == {"address": "192.0.2.15", "device_id": lan["ids"]["plug"]}
    assert "user name" not in found["192.0.2.15"]["title"]
    assert found["192.0.2.16"]["config"] == {"address": "192.0.2.16"}
    assert "user name and password" in found["192.0.2.16"]["title"]
    assert {each["type"] for each in lan["found"]} == {"kasa.plug"}


def test_a_routers_address_in_an_answer_is_not_followed(lan: dict[str, Any]) -> None:
    assert lan["first"] == {"on": True, "told": [], "followed": None}
    assert "wanted its state" in lan["router"]["on"]
    assert lan["router"]["followed"] is None
    assert all(device != "other" for device, _ in lan["switched"])


def test_a_device_that_moved_is_followed_where_it_shows_its_id_and_that_is_told(lan: dict[str, Any]) -> None:
    assert lan["moved"]["on"] is True
    assert lan["moved"]["followed"] == "192.0.2.15"
    assert any("from 192.0.2.99 to 192.0.2.15" in text for text in lan["moved"]["told"])
    assert lan["switched"] == [["plug", "off"], ["plug", "off"]]
