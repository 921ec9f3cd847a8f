"""Which address outside notices a box that fell silent, as the config says it under [mail]."""

from __future__ import annotations

from urllib.parse import urlsplit

from pimgr.api import Frozen, Secret
from pimgr.config.fields import Bad, Field, Table, duration
from pimgr.config.secrets import NAME

LOOPBACK = ("localhost", "127.0.0.1", "::1")
EVERY_S = 600.0
EXPECTED = 'an address that begins with https://, or a reference such as { secret = "heartbeat" }'


class Beat(Frozen, kw_only=True):
    """`heartbeat`: an address, or the secret that is one; called `every_s` s apart."""

    heartbeat: str | Secret | None = None
    every_s: float = EVERY_S


def read(table: Table) -> Beat:
    """The two keys of the table [mail]."""
    found = Beat(
        heartbeat=table.get("heartbeat", HEARTBEAT, None),
        every_s=table.get("heartbeat_every", duration(60.0, 86400.0, "10min"), EVERY_S),
    )
    if "heartbeat_every" in table and "heartbeat" not in table:
        table.wrong("heartbeat_every", expected="nothing while there is no heartbeat", cure="add heartbeat")
    return found


def wrong_address(url: str) -> str:
    """Why no heartbeat can go there; "" if it can. It doesn't repeat the address, which is a key to an account."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "it is no address"
    if not host or any(letter.isspace() or not letter.isprintable() for letter in url) or not url.isascii():
        return "it is no address"
    if parts.username or parts.password:
        return "it has a user or password in front of the host"
    if parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK):
        return ""
    return "it must begin with https://: whoever listens could read it"


def _heartbeat(value: object) -> str | Secret:
    if isinstance(value, dict):
        name = value.get("secret")
        if set(value) != {"secret"} or not isinstance(name, str) or not NAME.fullmatch(name):
            raise Bad('a reference has the form { secret = "heartbeat" }')
        return Secret(name)
    if not isinstance(value, str):
        raise Bad("put it in quotes")
    if wrong := wrong_address(value):
        raise Bad(wrong)
    return value


HEARTBEAT: Field[str | Secret] = Field(EXPECTED, _heartbeat)
