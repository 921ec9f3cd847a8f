"""What of the tokens outlives a restart."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, TypeGuard

import msgspec

from pimgr.api import Frozen, Instant
from pimgr_powerwall.numbers import number

DAY_S = 86_400.0
LIFE_DAYS = 90.0
"""Life of a refresh token: "expires after 3 months". Source: Tesla's documentation, "Third-Party Tokens"."""


SHORTEST_S = 120.0
"""An access token that lasts less is none."""
_MOST = 16_384
"""Longest token; real ones have some 1,500 characters."""


class Tokens(Frozen):
    """`previous`: the refresh token that gave these, until they worked. `got`: when they were asked for.

    `mark`: of the authorisation that they descend from.
    """

    access: str
    refresh: str
    previous: str
    life_s: float
    got: Instant
    mark: str

    def stored(self) -> dict[str, Any]:
        """As the store takes it."""
        kept: dict[str, Any] = msgspec.to_builtins(self)
        return kept


def as_kept(value: Any) -> Tokens | None:
    """What the store gave; None where it is nothing that `stored` made."""
    try:
        return msgspec.convert(value, Tokens)
    except msgspec.ValidationError:
        return None


def mark_of(token: str) -> str:
    """Tells one token from another without telling what it is: 256 random bits are not to be guessed."""
    return sha256(token.encode()).hexdigest()[:32]


def tokens_of(body: dict[str, Any], used: str, mark: str, at: Instant) -> Tokens | None:
    """The tokens of an answer, dated when they were asked for with the refresh token `used`; None where it has none.

    A refresh token that isn't exchanged for another one (the Owner API's) stays as it is.
    """
    access, refresh = body.get("access_token"), body.get("refresh_token", used)
    life_s = number(body.get("expires_in"), SHORTEST_S, 400.0 * DAY_S)
    if not _like_a_token(access) or not _like_a_token(refresh) or life_s is None:
        return None
    previous = used if refresh != used else ""
    return Tokens(access, refresh, previous, life_s, Instant(at.mono_s, at.wall, at.boot), mark)


def _like_a_token(value: Any) -> TypeGuard[str]:
    """Whether it may go into a header: printable, without blanks."""
    if not isinstance(value, str) or not 0 < len(value) <= _MOST:
        return False
    return value.isascii() and value.isprintable() and " " not in value
