"""The config on disk: the owner's file, and the last valid one, which is kept beside the journal."""

from __future__ import annotations

import os
from pathlib import Path

import tomli

from pimgr.api import Refused, Secret
from pimgr.config.errors import ConfigErrors, Kind, Report
from pimgr.config.house import LIMIT, HouseConfig, Parsed, examine, parse
from pimgr.config.secrets import Secrets
from pimgr.plugins import Plugins

LAST_VALID = "last-valid.toml"


def read(path: Path) -> str:
    """The text of a config file. Raises ConfigErrors if it can't be read."""
    report = Report(str(path), {})
    try:
        with path.open("rb") as file:
            data = file.read(4 * LIMIT + 1)  # what is too long is refused by its parser
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        report.lines = {(): error.object[: error.start].count(b"\n") + 1}
        report.add((), Kind.SYNTAX, expected="a text in UTF-8", cure="save the file as UTF-8")
    except OSError as error:
        cures: dict[type[OSError], str] = {
            FileNotFoundError: "begin with the example etc/pimgr.toml of pimgr, or say --config FILE",
            PermissionError: "say `sudo pimgr ...`, or let the user pimgr read it",
        }
        fact = error.strerror or str(error)
        report.add((), Kind.FILE, found=fact, expected="a config file", cure=cures.get(type(error), ""))
    raise ConfigErrors(report.path, report.errors.values())


def load(path: Path, plugins: Plugins) -> HouseConfig:
    """The config in a file. Raises ConfigErrors, with every error at once."""
    return parse(read(path), str(path), plugins)


def check(path: Path, plugins: Plugins, secrets: Secrets) -> tuple[HouseConfig | None, ConfigErrors | None]:
    """What `pimgr check` wants to know: as `load`, and whether each secret can be read. Either of the two is None."""
    try:
        parsed = examine(read(path), str(path), plugins)
    except ConfigErrors as unreadable:
        return None, unreadable
    for key, name in parsed.secrets.items():
        try:
            secrets.text(Secret(name))
        except Refused as refused:
            parsed.report.add(key, Kind.SECRET, found=refused.fact, expected=f"the secret {name}", cure=refused.cure)
    errors = ConfigErrors(str(path), parsed.report.errors.values())
    return (None, errors) if errors.errors else (parsed.house, None)


def types_named(path: Path, state_dir: Path | None = None) -> set[str]:
    """Device types that the config names, and the last valid one, as far as they can be read: `run` needs no others."""
    names: set[str] = set()
    for candidate in (path, *([state_dir / LAST_VALID] if state_dir else [])):
        try:
            raw = tomli.loads(read(candidate))
        except (ConfigErrors, ValueError, RecursionError):
            continue
        connections = raw.get("connections")
        for table in connections.values() if isinstance(connections, dict) else ():
            if isinstance(table, dict) and isinstance(table.get("type"), str):
                names.add(table["type"])
    return names


def keep_valid(text: str, state_dir: Path) -> bool:
    """Keep a valid config beside the journal, durably; False if it was kept already. Raises OSError."""
    path = state_dir / LAST_VALID
    data = text.encode()
    try:
        if path.read_bytes() == data:
            return False
    except FileNotFoundError:
        pass
    part = state_dir / f".{LAST_VALID}.part"
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(file, "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    folder = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def load_or_last_valid(path: Path, state_dir: Path, plugins: Plugins) -> tuple[HouseConfig, str | None]:
    """The config to run at start, and what a person must be told about it (None: all is well).

    In this order: the file, if it is valid (then it is kept); the last valid one; the file without the connections
    whose plugins are missing or fail; the last valid one without such. Raises ConfigErrors of the file if none will do.
    """
    errors: ConfigErrors | None = None
    parsed: list[tuple[Path, Parsed]] = []
    for candidate in (path, state_dir / LAST_VALID):
        try:
            text = read(candidate)
        except ConfigErrors as unreadable:
            errors = errors or unreadable
            continue
        found = examine(text, str(candidate), plugins)
        if found.house is not None and not found.errors:
            return found.house, _kept(text, state_dir) if candidate == path else _instead(errors)
        errors = errors or ConfigErrors(str(candidate), found.errors)
        parsed.append((candidate, found))
    for candidate, found in parsed:
        if found.house is not None and found.plugins_only:
            lost = ", ".join(sorted(one.id for one in found.house.unavailable))
            blind = "outages are NOT seen until this is mended"
            rest = "the rest protects" if found.house.grid_sources else blind
            return found.house, f"{candidate} runs without {lost}, and {rest}.\n\n{errors}"
    if errors is None:
        raise AssertionError("a file was neither valid nor in error")
    raise errors


def _kept(text: str, state_dir: Path) -> str | None:
    try:
        keep_valid(text, state_dir)
    except OSError as error:
        return f"this config could not be kept as the last valid one in {state_dir}: {error.strerror}"
    return None


def _instead(errors: ConfigErrors | None) -> str:
    return f"the last valid config runs instead.\n\n{errors}"
