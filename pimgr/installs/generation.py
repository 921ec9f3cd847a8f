"""One generation of added plugins: a folder that is complete or doesn't count, and the list of what is allowed in it.

    plugins/current -> gen-3
    plugins/gen-3/site/             what `sys.path` ends with
    plugins/gen-3/allowed.json      what may be loaded from it, with digests; written last
    plugins/wheels/                 what it was installed from, for a rebuild after a change of Python

Nothing counts that another user could have put there: each of these must belong to root or to who reads it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

import msgspec

from pimgr.api import Frozen

ENVIRONMENT = "PIMGR_PLUGINS"
CURRENT, SITE, ALLOWED, WHEELS = "current", "site", "allowed.json", "wheels"
GENERATION = re.compile(r"gen-([1-9][0-9]{0,8})")
FORMAT = 1
_LIMIT = 4 << 20


class Untrusted(Exception):
    """A folder of plugins that can't be relied on. Its text says why, and the cure."""


class Installed(Frozen, kw_only=True):
    """One distribution of a generation. `record`: SHA-256 of its RECORD, which has the digest of each of its files.

    `wheel`: the file that it came from, among the kept wheels, and `wheel_sha256` its digest.
    """

    name: str
    version: str
    record: str
    wheel: str
    wheel_sha256: str


class Root(Frozen, kw_only=True):
    """A plugin's distribution that a person asked for. `plugins`: the names it brings; `source`: what was typed."""

    name: str
    version: str
    plugins: tuple[str, ...]
    source: str


class Allowed(Frozen, kw_only=True):
    """What may be loaded from a generation. `python`: the cache tag that it was installed for."""

    format: int = FORMAT
    python: str = ""
    pimgr: str = ""
    roots: tuple[Root, ...] = ()
    distributions: tuple[Installed, ...] = ()

    def distribution(self, name: str) -> Installed | None:
        return next((one for one in self.distributions if plain(one.name) == plain(name)), None)

    def root(self, plugin: str) -> Root | None:
        """What brought this plugin, by the plugin's name or its distribution's."""
        return next((r for r in self.roots if plugin in r.plugins or plain(r.name) == plain(plugin)), None)


@dataclass(frozen=True)
class Generation:
    """A complete generation."""

    folder: Path
    allowed: Allowed

    @property
    def number(self) -> int:
        return number(self.folder.name)

    @property
    def site(self) -> Path:
        return self.folder / SITE


def folder() -> Path:
    """Where added plugins are: $PIMGR_PLUGINS, else `plugins` in pimgr's state folder."""
    if given := os.environ.get(ENVIRONMENT, ""):
        return Path(given).absolute()
    for variable in ("PIMGR_STATE", "STATE_DIRECTORY"):
        if state := os.environ.get(variable, "").partition(":")[0]:
            return Path(state).absolute() / "plugins"
    return Path("/var/lib/pimgr/plugins")


def this_python() -> str:
    """What compiled modules fit: "cpython-311"."""
    return sys.implementation.cache_tag or f"python-{sys.version_info.major}{sys.version_info.minor}"


def plain(name: str) -> str:
    """A distribution's name as it is compared. Source: PyPA, "Names and normalization"."""
    return re.sub(r"[-_.]+", "-", name).lower()


def number(name: str) -> int:
    """The number of a generation's folder; 0 for any other name."""
    found = GENERATION.fullmatch(name)
    return int(found.group(1)) if found else 0


def current(base: Path) -> Generation | None:
    """The generation in force, None where nothing was ever added. Raises Untrusted."""
    link = base / CURRENT
    try:
        target = str(link.readlink())
    except FileNotFoundError:
        return None
    except PermissionError:
        raise Untrusted(f"{base} may not be read by this user; say it with sudo") from None
    except OSError:
        raise Untrusted(f"{link} is no link; remove it, and `sudo pimgr plugin add` what you need again") from None
    if not number(target):
        raise Untrusted(f"{link} points to {target!r}, which is no generation; `sudo pimgr plugin rebuild`")
    found = base / target
    for path in (base, found, found / SITE, found / ALLOWED):
        guarded(path)
    return Generation(found, _allowed(found / ALLOWED))


def guarded(path: Path) -> None:
    """Raise Untrusted unless only root, or the user of this process, can have written what is there."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        raise Untrusted(f"{path} is missing; `sudo pimgr plugin rebuild`") from None
    except OSError as error:
        raise Untrusted(f"{path} can't be looked at ({error.strerror}); say it with sudo") from None
    if stat.S_ISLNK(status.st_mode):
        raise Untrusted(f"{path} is a link to elsewhere; `sudo pimgr plugin rebuild`")
    if status.st_uid not in (0, os.geteuid()):
        raise Untrusted(f"{path} belongs to another user ({status.st_uid}); `sudo chown -R root {path}`")
    if status.st_mode & 0o022:
        raise Untrusted(f"{path} can be written by others; `sudo chmod -R go-w {path}`")


def _allowed(path: Path) -> Allowed:
    try:
        with path.open("rb") as file:
            text = file.read(_LIMIT)
        allowed = msgspec.json.decode(text, type=Allowed)
    except OSError as error:
        raise Untrusted(f"{path} can't be read ({error.strerror}); say it with sudo") from None
    except msgspec.DecodeError as error:
        raise Untrusted(f"{path} is damaged ({error}); `sudo pimgr plugin rebuild`") from None
    if allowed.format != FORMAT:
        raise Untrusted(f"{path} was written by a newer pimgr; update pimgr")
    return allowed


# ------------------------------------------------------------------------------------------------------- distributions


def installed_in(site: Path) -> Iterator[Distribution]:
    """The distributions whose metadata is in this folder."""
    return iter(distributions(path=[str(site)]))


def record_digest(distribution: Distribution) -> str:
    """SHA-256 of its RECORD in hexadecimal; "" where it has none."""
    record = distribution.read_text("RECORD")
    return hashlib.sha256(record.encode()).hexdigest() if record else ""


def altered(distribution: Distribution) -> str:
    """The first file that isn't as the distribution's RECORD says; "" if all are. Compiled modules have no digest."""
    for file in distribution.files or ():
        if file.hash is None or file.parts[:1] == ("..",):
            continue
        try:
            digest = hashlib.new(file.hash.mode, Path(str(file.locate())).read_bytes(), usedforsecurity=True).digest()
        except (OSError, ValueError):
            return str(file)
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
            return str(file)
    return ""
