"""The config on disk: read, kept, and replaced by the last valid one; and the secrets beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pimgr import api, config
from pimgr.config import Secrets
from tests.config.house import PLUGINS, VALID, changed

BAD = changed(("below = 50", "below = nan"))
WITHOUT_A_PLUGIN = changed(("acme.host", "zwave.host"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "pimgr.toml"


def _start(path: Path) -> tuple[config.HouseConfig, str | None]:
    return config.load_or_last_valid(path, path.parent / "state", PLUGINS)


def test_a_valid_file_runs_and_is_kept(path: Path) -> None:
    path.write_text(VALID)
    house, problem = _start(path)
    assert problem is None
    assert house == config.load(path, PLUGINS)
    kept = path.parent / "state" / config.LAST_VALID
    assert kept.read_text() == VALID
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("bad", [BAD, "version = ", WITHOUT_A_PLUGIN, None], ids=["value", "syntax", "plugin", "gone"])
def test_an_invalid_file_runs_the_last_valid_one_and_says_so(path: Path, bad: str | None) -> None:
    path.write_text(VALID)
    good, _ = _start(path)
    path.unlink() if bad is None else path.write_text(bad)
    house, problem = _start(path)
    assert house == good
    assert problem is not None
    assert "the last valid config runs instead" in problem
    assert str(path) in problem
    assert (path.parent / "state" / config.LAST_VALID).read_text() == VALID


def test_without_any_valid_config_there_is_none_to_run(path: Path) -> None:
    path.write_text(BAD)
    with pytest.raises(config.ConfigErrors, match=r"tiers #2\.below"):
        _start(path)
    path.unlink()
    with pytest.raises(config.ConfigErrors, match="No such file"):
        _start(path)


def test_where_only_a_plugin_is_missing_the_rest_protects(path: Path) -> None:
    path.write_text(WITHOUT_A_PLUGIN)
    house, problem = _start(path)
    assert [tier.name for tier in house.policy.tiers] == ["at once"]
    assert problem is not None
    assert "runs without nas" in problem
    assert "pimgr plugin add PACKAGE==VERSION" in problem
    assert not (path.parent / "state" / config.LAST_VALID).exists()


def test_where_no_grid_source_is_left_nobody_is_told_that_the_rest_protects(path: Path) -> None:
    path.write_text(changed(("acme.gateway", "zwave.gateway"), ("acme.cloud", "zwave.cloud")))
    house, problem = _start(path)
    assert house.grid_sources == ()
    assert problem is not None
    assert "outages are NOT seen until this is mended" in problem
    assert "protects" not in problem


def test_a_last_valid_config_whose_plugin_broke_still_protects_with_the_rest(path: Path) -> None:
    config.keep_valid(WITHOUT_A_PLUGIN, path.parent / "state")
    path.write_text(BAD)
    house, problem = _start(path)
    assert [tier.name for tier in house.policy.tiers] == ["at once"]
    assert problem is not None
    assert config.LAST_VALID in problem
    assert "tiers #2.below" in problem


def test_a_full_or_missing_state_folder_does_not_stop_a_valid_config(path: Path) -> None:
    path.write_text(VALID)
    house, problem = config.load_or_last_valid(path, path.parent / "absent", PLUGINS)
    assert house.grid_sources
    assert problem is not None
    assert "could not be kept" in problem


def test_the_same_config_is_not_written_twice(path: Path) -> None:
    state = path.parent / "state"
    assert config.keep_valid(VALID, state)
    before = (state / config.LAST_VALID).stat().st_ino
    assert not config.keep_valid(VALID, state)
    assert (state / config.LAST_VALID).stat().st_ino == before
    assert [one.name for one in state.iterdir()] == [config.LAST_VALID]


def test_a_file_from_windows_is_read(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + VALID.replace("\n", "\r\n").encode())
    assert config.load(path, PLUGINS).digest == config.parse(VALID, "", PLUGINS).digest


def test_a_file_that_is_not_text_is_told_with_its_line(path: Path) -> None:
    path.write_bytes(b"version = 1\n# caf\xe9\n")
    with pytest.raises(config.ConfigErrors) as caught:
        config.load(path, PLUGINS)
    assert caught.value.errors[0].line == 2


def test_a_folder_is_no_config(path: Path) -> None:
    with pytest.raises(config.ConfigErrors, match="Is a directory"):
        config.load(path.parent, PLUGINS)


def test_types_are_told_even_of_an_invalid_file(path: Path) -> None:
    path.write_text('[connections.a]\ntype = "kasa.plug"\n[connections.b]\ntype = 5\n')
    config.keep_valid('[connections.c]\ntype = "gmail.mail"\n', path.parent / "state")
    assert config.types_named(path, path.parent / "state") == {"kasa.plug", "gmail.mail"}
    path.write_text("[[[")
    assert config.types_named(path) == set()
    path.write_text('connections = "none"')
    assert config.types_named(path) == set()


# ------------------------------------------------------------------------------------------------------------ secrets


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    return folder


def _write(folder: Path, name: str, text: bytes, mode: int = 0o600) -> None:
    (folder / name).write_bytes(text)
    (folder / name).chmod(mode)


def _text(folder: Path, name: str, credentials: Path | None = None) -> str:
    return Secrets(folder, credentials).text(api.Secret(name))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"hunter2", "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        (b"a\n\n", "a\n"),
        (b" a ", " a "),
    ],
)
def test_a_secret_is_its_file_without_the_last_line_end(secrets: Path, data: bytes, text: str) -> None:
    _write(secrets, "key", data)
    assert _text(secrets, "key") == text


def test_credentials_of_systemd_come_first(secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    _write(credentials, "key", b"theirs", 0o440)
    _write(secrets, "key", b"ours")
    _write(secrets, "other", b"ours")
    assert _text(secrets, "key", credentials) == "theirs"
    assert _text(secrets, "other", credentials) == "ours"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    assert _text(secrets, "key") == "theirs"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o610])
def test_a_file_that_others_may_read_is_refused(secrets: Path, mode: int) -> None:
    _write(secrets, "key", b"hunter2", mode)
    with pytest.raises(api.Refused, match=f"mode {mode:04o}.*chmod 600") as caught:
        _text(secrets, "key")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../shadow", "/etc/shadow", ".hidden", "a/b", "a\x00b", "a b", "x" * 65, "é"]
)
def test_a_name_never_leaves_the_folder(secrets: Path, name: str) -> None:
    _write(secrets.parent, "shadow", b"hunter2")
    with pytest.raises(api.Refused, match="no secret can be called so"):
        _text(secrets, name)


@pytest.mark.parametrize("data", [b"", b"\n", b"\xff\xfe", b"x" * 70_000], ids=["empty", "blank", "bytes", "huge"])
def test_what_is_no_secret_is_refused_without_being_shown(secrets: Path, data: bytes) -> None:
    _write(secrets, "key", data)
    with pytest.raises(api.Refused) as caught:
        _text(secrets, "key")
    assert len(str(caught.value)) < 1000


def test_a_pipe_or_folder_is_refused_at_once(secrets: Path) -> None:
    os.mkfifo(secrets / "pipe", 0o600)
    (secrets / "folder").mkdir(mode=0o700)
    for name in ("pipe", "folder"):
        with pytest.raises(api.Refused, match="is not a plain file"):
            _text(secrets, name)


def test_a_missing_secret_says_where_it_was_looked_for(secrets: Path) -> None:
    with pytest.raises(api.Refused, match=f"it is not in {secrets}.*sudo install -m 600"):
        _text(secrets, "key")


def test_check_finds_secrets_that_are_missing_or_too_open(path: Path, secrets: Path) -> None:
    path.write_text(VALID)
    _write(secrets, "gateway-password", b"hunter2", 0o644)
    house, errors = config.check(path, PLUGINS, Secrets(secrets))
    assert house is None
    assert errors is not None
    assert [(error.line, error.key, error.kind) for error in errors.errors] == [
        (17, "connections.gateway.password", "secret"),
        (22, "connections.cloud.password", "secret"),
    ]
    assert "hunter2" not in str(errors)
    (secrets / "gateway-password").chmod(0o600)
    _write(secrets, "cloud-token", b"token")
    house, errors = config.check(path, PLUGINS, Secrets(secrets))
    assert (house, errors) == (config.load(path, PLUGINS), None)
