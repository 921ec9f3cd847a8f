"""`pimgr check` tells what a valid config will not bring about, and says no where a message would reach nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

CONFIG = """
version = 1

[grid]
sources = ["gateway"]

[connections.gateway]
type = "powerwall.gateway"
address = "192.0.2.10"
password = {{ secret = "app-password" }}

[connections.mail]
type = "gmail.mail"
user = "house@example.org"
password = {{ secret = "app-password" }}
to = ["{address}"]
"""


def check(folder: Path, address: str, *more: str) -> tuple[int, str]:
    config, secrets = folder / "pimgr.toml", folder / "secrets"
    secrets.mkdir(exist_ok=True)
    (secrets / "app-password").write_text("S3cr3t")
    config.write_text(CONFIG.format(address=address))
    ended = subprocess.run(
        [sys.executable, "-m", "pimgr.cli", "check", "--config", str(config), *more],
        env={**os.environ, "CREDENTIALS_DIRECTORY": str(secrets)},
        capture_output=True,
        text=True,
        timeout=60.0,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


def test_an_address_at_a_closed_gateway_is_refused_with_advice(tmp_path: Path) -> None:
    status, printed = check(tmp_path, "5551234567@txt.att.net")
    assert status == 1
    assert "AT&T closed its mail-to-text service txt.att.net" in " ".join(printed.split())
    assert "ntfy" in printed


def test_an_address_at_a_gateway_that_will_close_is_told_and_taken(tmp_path: Path) -> None:
    status, printed = check(tmp_path, "5551234567@vtext.com")
    assert status == 0
    assert "on 31 March 2027" in " ".join(printed.split())


def test_a_program_reads_the_advice_too(tmp_path: Path) -> None:
    status, printed = check(tmp_path, "5551234567@tmomail.net", "--json")
    (finding,) = json.loads(printed)["advice"]["mail"]
    assert (status, finding["severity"]) == (1, "critical")
    assert json.loads(check(tmp_path, "me@example.com", "--json")[1])["advice"] == {}
