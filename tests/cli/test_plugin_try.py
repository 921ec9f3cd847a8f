"""`pimgr device try`: what is said to one device, and nothing that a stranger may not see."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pimgr.cli.exits import Exit
from pimgr.house import Fault, House
from pimgr.plugin_trace import Redactor
from tests.cli.making import publish

PASSWORD = 'S3cr3t "of/the" höuse+'
HOUSE = """
version = 1
[[device]]
id = "strip"
kind = "kasa"
outlets = 2
[[device]]
id = "gateway"
kind = "gateway"
password = 'S3cr3t "of/the" höuse+'
"""
LEAKY = """
import base64, logging, os, urllib.parse
from contextlib import asynccontextmanager
from pimgr.api import *
from pimgr.api import hookimpl

log = logging.getLogger("leaky.vendor")

class LeakyConfig(Config):
    password: Secret

class Leaky:
    def __init__(self, config, context):
        self.parts = {"": self}
        self.secret, self.context = context.secret(config.password), context

    async def read_load(self):
        raw = self.secret.encode()
        log.debug("logging in with %s", self.secret)
        log.info("url http://x/?p=%s and %s", urllib.parse.quote(raw), urllib.parse.quote_plus(raw))
        log.warning("Authorization: Basic %s", base64.b64encode(raw).decode())
        log.debug("header %r, hex %s", self.secret, raw.hex())
        log.debug("Set-Cookie: AuthCookie=made-by-the-device; got {'access_token': 'also-made'}")
        await self.context.store.put("refresh", "kept-by-the-plugin")
        log.debug("now %s", self.context.store.get("refresh"))
        return LoadReading(at=self.context.now(), source=self.secret, on=True)

    async def switch(self, on):
        if "FAILS" in os.environ:
            raise RuntimeError("can't log in with " + self.secret)

    async def check(self):
        return []

@asynccontextmanager
async def opened(config, context):
    yield Leaky(config, context)

@hookimpl
def pimgr_device_types():
    provides = lambda config: {"": frozenset({Capability.LOAD})}
    return (DeviceType(name="leaky.plug", summary="a plug", config=LeakyConfig, provides=provides, open=opened),)
"""


@asynccontextmanager
async def home(folder: Path, more: str = "") -> AsyncIterator[House]:
    """A house, and a config that reaches it."""
    async with House.from_toml(HOUSE) as house:
        write(
            folder,
            f"""
[connections.strip]
type = "kasa.plug"
address = "127.0.0.1"
port = {house.port("strip")}
outlets = 2

[connections.gateway]
type = "powerwall.gateway"
address = "127.0.0.1:{house.port("gateway")}"
password = {{ secret = "pw" }}
fingerprint = "sha256:{house.fingerprint("gateway")}"
{more}""",
        )
        yield house


def write(folder: Path, config: str) -> None:
    (folder / "secrets").mkdir()
    secret = folder / "secrets" / "pw"
    secret.write_text(PASSWORD + "\n", encoding="utf-8")
    secret.chmod(0o600)
    (folder / "pimgr.toml").write_text(config, encoding="utf-8")


async def device_try(folder: Path, *words: str, **environment: str) -> tuple[int, str, str]:
    """Exit status, and what it said on either side."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pimgr.cli", "device", "try", *words, f"--config={folder / 'pimgr.toml'}"),
        *(f"--run={folder / 'run'}", f"--state={folder / 'state'}"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | environment,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60.0)
    return process.returncode or 0, out.decode(), err.decode()


@pytest.fixture
def leaky(tmp_path: Path) -> dict[str, str]:
    """The environment in which a plugin is installed that logs its password in every form."""
    site = tmp_path / "site"
    info = site / "pimgr_leaky-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pimgr-leaky\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[pimgr]\nleaky = pimgr_leaky\n")
    (site / "pimgr_leaky.py").write_text(LEAKY)
    write(tmp_path, '[connections.plug]\ntype = "leaky.plug"\npassword = { secret = "pw" }\n')
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))}


# ------------------------------------------------------------------------------------------------------------ reading


@pytest.mark.slow
def test_a_device_is_read_and_what_was_said_is_counted(tmp_path: Path) -> None:
    async def main() -> None:
        async with home(tmp_path) as house:
            status, out, err = await device_try(tmp_path, "strip")
            assert status == 0, err
            assert f"connects to 127.0.0.1:{house.port('strip')}" in out
            assert "strip/1: read_load: source plug, on True, power_w 100.0" in out
            assert "strip/2: read_load" in out
            status, out, err = await device_try(tmp_path, "strip/2", "--json")
            told = json.loads(out)
            assert [call["part"] for call in told["calls"]] == ["strip/2"]
            assert told["calls"][0]["reading"]["on"] is True
            assert told["sent_bytes"] > 30
            assert told["received_bytes"] > 500
            assert [entry for entry in house.wire if entry.what == "switch"] == []

    asyncio.run(main())


@pytest.mark.slow
def test_what_went_wrong_is_told_with_its_cure_and_how_long_it_took(tmp_path: Path) -> None:
    async def main() -> None:
        async with home(tmp_path) as house:
            house.fault("strip", Fault.REFUSING)
            status, out, _ = await device_try(tmp_path, "strip/1")
            assert status == Exit.NO
            assert "strip/1: read_load: Unreachable: wanted its state" in out
            status, out, _ = await device_try(tmp_path, "gateway/nothing")
            assert status == Exit.NO

    asyncio.run(main())


@pytest.mark.slow
def test_of_a_login_over_tls_neither_password_nor_session_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with home(tmp_path) as house:
            status, out, err = await device_try(tmp_path, "gateway", "--json", "--logs")
            assert status == 0, err
            sessions = list(house.controls("gateway")._sessions)
            assert sessions, "it logged in"
            for secret in (PASSWORD, PASSWORD.encode().hex(), *sessions):
                assert secret not in out + err
            assert json.loads(out)["received_bytes"] > 1000

    asyncio.run(main())


@pytest.mark.slow
def test_a_plugin_that_logs_its_password_in_every_form_is_not_quoted(tmp_path: Path, leaky: dict[str, str]) -> None:
    raw = PASSWORD.encode()
    forms = [PASSWORD, raw.hex(), base64.b64encode(raw).decode().rstrip("="), "S3cr3t%20", "S3cr3t+%22", "S3cr3t"]
    for words in (("--logs",), ("--json",), ("--json", "--off", "--yes"), ("--logs", "--off", "--yes")):
        _, out, err = asyncio.run(device_try(tmp_path, "plug", *words, FAILS="1", **leaky))
        assert "leaky.vendor: logging in with ***" in out
        for secret in (*forms, "made-by-the-device", "also-made", "kept-by-the-plugin"):
            assert secret not in out + err, (words, secret)


@pytest.mark.slow
def test_what_a_device_is_tried_with_need_not_be_a_whole_config_but_be_right(tmp_path: Path) -> None:
    write(tmp_path, '[connections.plug]\ntype = "kasa.plug"\naddres = "127.0.0.1"\n')
    status, _, err = asyncio.run(device_try(tmp_path, "plug"))
    assert status == Exit.NO
    assert "addres" in err
    status, _, err = asyncio.run(device_try(tmp_path, "pump"))
    assert status == Exit.NO
    assert "has no [connections.pump] with a type; it has: plug" in err


@pytest.mark.slow
def test_beside_a_running_pimgr_it_says_why_not(tmp_path: Path) -> None:
    async def main() -> None:
        async with home(tmp_path):
            (tmp_path / "run").mkdir()
            publish(tmp_path / "run")
            status, _, err = await device_try(tmp_path, "strip")
            assert status == Exit.RUNNING
            assert "one client at a time" in err
            assert "systemctl stop pimgr" in err
            status, _, err = await device_try(tmp_path, "strip", "--beside")
            assert status == 0, err

    asyncio.run(main())


# ---------------------------------------------------------------------------------------------------------- switching


@pytest.mark.slow
def test_nothing_is_switched_unless_that_is_meant(tmp_path: Path) -> None:
    async def main() -> None:
        async with home(tmp_path, '[protect]\nnever_shed = ["strip/1"]\n') as house:
            for words, told in (
                (("strip/2", "--off"), "say --yes if that is meant"),
                (("strip", "--off", "--yes"), "say which part: strip/1, strip/2"),
                (("strip/1", "--off", "--yes"), "never_shed"),
                (("strip/2", "--level", "6", "--yes"), "is no graded load"),
                (("strip/2", "--off", "--level", "6", "--yes"), "say one of"),
                (("gateway", "--off", "--yes"), "is no load"),
            ):
                status, _, err = await device_try(tmp_path, *words)
                assert status in (Exit.NO, Exit.USAGE)
                assert told in err
            assert [entry for entry in house.wire if entry.what == "switch"] == []
            status, out, err = await device_try(tmp_path, "strip/2", "--off", "--yes")
            assert status == 0, err
            assert out.endswith("It is off now.\n")
            assert not house.is_on("strip/2")
            assert house.is_on("strip/1")

    asyncio.run(main())


@pytest.mark.slow
def test_a_device_that_obeys_in_words_only_is_found_out(tmp_path: Path, leaky: dict[str, str]) -> None:
    status, out, _ = asyncio.run(device_try(tmp_path, "plug", "--off", "--yes", **leaky))
    assert status == Exit.NO
    assert out.endswith("It was asked for off, and isn't.\n")


@pytest.mark.slow
def test_a_device_that_obeys_is_well_and_a_plugin_that_fails_is_told(tmp_path: Path, leaky: dict[str, str]) -> None:
    status, out, _ = asyncio.run(device_try(tmp_path, "plug", "--on", "--yes", **leaky))
    assert status == 0
    status, out, _ = asyncio.run(device_try(tmp_path, "plug", "--off", "--yes", FAILS="1", **leaky))
    assert status == Exit.NO
    assert "its plugin failed (RuntimeError: can't log in with ***)" in out


# ---------------------------------------------------------------------------------------------------------- redaction


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("hunter2", "the password is hunter2, hunter2!"),
        ("p&ss w/d", "GET /?p=p%26ss%20w%2Fd HTTP/1.1"),
        ("p&ss w/d", "p%26ss+w%2Fd"),
        ("hunter2", f"Basic {base64.b64encode(b'hunter2').decode()}"),
        ("hunter2", "68756e74657232"),
        ({"tokens": ["inner-token"], "n": 3}, "sends inner-token"),
        (b"\x01\x02\x03\xff", "key 010203ff"),
    ],
)
def test_a_secret_is_taken_out_in_the_forms_that_libraries_print(value: Any, text: str) -> None:
    redactor = Redactor([])
    assert redactor.clean(text) == text
    redactor.learn(value)
    assert "***" in redactor.clean(text)
    assert "unter2" not in redactor.clean(text)
    assert "inner" not in redactor.clean(text)


def test_what_no_config_holds_is_taken_out_by_its_name() -> None:
    redactor = Redactor([])
    cleaned = redactor.clean("Cookie: AuthCookie=abc; {'access_token': 'def', \"password\": \"ghi\"} key=jkl on=True")
    for secret in ("abc", "def", "ghi", "jkl"):
        assert secret not in cleaned
    assert "on=True" in cleaned
