"""What of the tokens outlives a restart."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from pimgr.api import Frozen, Instant

DAY_S = 86_400.0
LIFE_DAYS = 90.0
"""Life of a refresh token: "expires after 3 months". Source: Tesla's documentation, "Third-Party Tokens"."""


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


def as_instant(at: Instant) -> Instant:
    """Without what a subclass adds."""
    return Instant(at.mono_s, at.wall, at.boot)
