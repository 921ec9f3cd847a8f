"""What `net` says is told apart, and what it says of an unknown kind is told without harm."""

from __future__ import annotations

import msgspec
import pytest
from pimgr_ssh_host.talk import Wanted
from pimgr_windows_host import RpcConfig, SshWindowsConfig
from pimgr_windows_host.smb import negotiate
from pimgr_windows_host.words import MEANINGS, refusal

from pimgr.api import Garbled, Refused, Unreachable

WANTED = Wanted("pc", "a shutdown", "192.0.2.30:445", 5.0)


@pytest.mark.parametrize("code", MEANINGS)
def test_every_status_has_a_fact_and_a_cure(code: str) -> None:
    error = refusal(f"Could not connect to server 192.0.2.30\nConnection failed: {code}\n", WANTED)
    assert type(error) is MEANINGS[code][0]
    assert code in error.fact
    assert error.cure


def test_the_last_known_status_is_the_reason() -> None:
    said = "Initial connection failed: NT_STATUS_IO_TIMEOUT\nresult was: WERR_ACCESS_DENIED\n"
    assert "WERR_ACCESS_DENIED" in refusal(said, WANTED).fact
    assert type(refusal("NT_STATUS_IO_TIMEOUT\nNT_STATUS_NEVER_HEARD_OF", WANTED)) is Unreachable


def test_a_status_that_nobody_knows_is_a_refusal_that_names_it() -> None:
    error = refusal("Connection failed: NT_STATUS_NEVER_HEARD_OF", WANTED)
    assert type(error) is Refused
    assert "NT_STATUS_NEVER_HEARD_OF" in error.fact


def test_words_without_a_status_are_told_harmlessly_and_cut() -> None:
    error = refusal("Segmentation fault\x1b[2J" + "x" * 9000 + "\n\n", WANTED)
    assert type(error) is Garbled
    assert "\x1b" not in error.fact
    assert len(error.fact) < 200


def test_the_first_message_of_smb_is_as_long_as_it_says() -> None:
    message = negotiate()
    assert int.from_bytes(message[:4], "big") == len(message) - 4
    assert message[4:8] == b"\xfeSMB"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("address", "-oProxyCommand=x", "address"),
        ("user", "home\\someone", "its domain"),
        ("user", "a\nb", "user"),
        ("warning", 601, "0 to 600"),
        ("message", 'quote " here', "without quotes"),
        ("message", "a\nb", "one line"),
        ("mac", "02:00", "mac"),
        ("port", 0, "port"),
    ],
)
def test_a_config_that_could_harm_is_refused(key: str, value: object, words: str) -> None:
    table = {"address": "192.0.2.30", "user": "someone", "password": {"secret": "pw"}, key: value}
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert(table, RpcConfig)


def test_a_message_that_a_shell_would_read_is_refused_over_ssh_too() -> None:
    table = {"address": "192.0.2.30", "user": "someone", "key": {"secret": "key"}, "message": "a & del /s"}
    with pytest.raises(msgspec.ValidationError, match="a shell reads"):
        msgspec.convert(table, SshWindowsConfig)
