"""etc/pimgr.toml, the example that a home owner begins with."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "etc" / "pimgr.toml"
PIMGR = Path(sys.executable).parent / "pimgr"
SECRETS = ("gateway-password", "gmail-app-password", "nas-key")
MORE_SECRETS = ("tesla-refresh", "heartbeat-address")


def check(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What `pimgr check` says of a config in `folder`, with every secret of the example beside it."""
    config = folder / "pimgr.toml"
    config.write_text(text, encoding="utf-8")
    (folder / "secrets").mkdir()
    for name in (*SECRETS, *MORE_SECRETS):
        file = os.open(folder / "secrets" / name, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(file, b"not really one\n")
        os.close(file)
    command = [str(PIMGR), "check", "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def uncommented() -> str:
    """The example with every setting that it shows in a comment."""
    text = EXAMPLE.read_text(encoding="utf-8")
    text = re.sub(r"^# (?!fingerprint|device_id)(\w+ = .+)$", r"\1", text, flags=re.MULTILINE)
    return re.sub(r"^# (\[\[keep\]\])", r"\1", text, flags=re.MULTILINE)


def test_the_example_validates(tmp_path: Path) -> None:
    done = check(EXAMPLE.read_text(encoding="utf-8"), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_settings_shown_in_comments_validate_too(uncommented: str, tmp_path: Path) -> None:
    assert uncommented.count("\n# ") < EXAMPLE.read_text(encoding="utf-8").count("\n# ") - 8
    done = check(uncommented, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_slip_in_the_example_is_named(tmp_path: Path) -> None:
    done = check(EXAMPLE.read_text(encoding="utf-8").replace("at_once", "at_onse"), tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "at_once" in done.stdout + done.stderr


def test_it_names_the_secrets_that_are_missing(tmp_path: Path) -> None:
    config = tmp_path / "pimgr.toml"
    config.write_bytes(EXAMPLE.read_bytes())
    command = [str(PIMGR), "check", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    for name in SECRETS:
        assert name in done.stdout + done.stderr


def test_its_shown_defaults_are_the_defaults(uncommented: str) -> None:
    from pimgr import config, plugins

    installed = plugins.load()
    plain = config.parse(EXAMPLE.read_text(encoding="utf-8"), "example", installed)
    keep = uncommented.index("[[keep]]")
    spelled = config.parse(uncommented[:keep] + uncommented[uncommented.index("# ---", keep) :], "spelled", installed)
    assert spelled.policy.tiers == plain.policy.tiers
    assert spelled.policy.timing == plain.policy.timing
    assert spelled.policy.battery == plain.policy.battery
    assert (spelled.grid_poll_s, spelled.meter_poll_s, spelled.meters) == (
        plain.grid_poll_s,
        plain.meter_poll_s,
        plain.meters,
    )


@pytest.mark.parametrize("example", sorted((EXAMPLE.parent / "examples").glob("*.toml")), ids=lambda path: path.name)
def test_each_further_example_validates(example: Path, tmp_path: Path) -> None:
    done = check(example.read_text(encoding="utf-8"), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
