"""The heartbeat under [mail]."""

from __future__ import annotations

import pytest

from pimgr.api import Secret
from pimgr.config import Secrets, check, parse
from pimgr.config.errors import ConfigErrors
from tests.config.house import PLUGINS, VALID


def read(lines: str):  # type: ignore[no-untyped-def]
    text = VALID.replace("[mail]\n", f"[mail]\n{lines}\n") if "[mail]" in VALID else f"{VALID}\n[mail]\n{lines}\n"
    return parse(text, "pimgr.toml", PLUGINS)


def test_without_a_heartbeat_there_is_none():
    assert read("").heartbeat is None


def test_an_address_or_a_secret_and_how_often():
    house = read('heartbeat = "https://hc.example.net/uuid"\nheartbeat_every = "5min"')
    assert (house.heartbeat, house.heartbeat_every_s) == ("https://hc.example.net/uuid", 300.0)
    house = read('heartbeat = { secret = "beat" }')
    assert (house.heartbeat, house.heartbeat_every_s) == (Secret("beat"), 600.0)


def test_a_secret_that_is_not_there_is_told_by_a_check(tmp_path):
    file = tmp_path / "pimgr.toml"
    file.write_text(VALID.replace("[mail]\n", '[mail]\nheartbeat = { secret = "beat" }\n'))
    _, errors = check(file, PLUGINS, Secrets(tmp_path / "secrets"))
    assert errors is not None
    assert "mail.heartbeat" in str(errors)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('heartbeat = "http://example.net/x"', "it must begin with https://"),
        ("heartbeat = 5", "put it in quotes"),
        ('heartbeat = { secret = "../x" }', "a reference has the form"),
        ('heartbeat = { password = "x" }', "a reference has the form"),
        ('heartbeat_every = "5min"', "nothing while there is no heartbeat"),
        ('heartbeat = "https://a.example/"\nheartbeat_every = "5s"', "a duration from 1 min to"),
    ],
)
def test_what_is_wrong_is_told(lines, said):
    with pytest.raises(ConfigErrors, match="heartbeat") as error:
        read(lines)
    assert said in str(error.value)
