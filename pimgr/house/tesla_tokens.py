"""The tokens of the Tesla cloud in the house: each refresh token works once, and gives the next one.

Sources: RFC 6749 section 6 and 5.2; Tesla's developer documentation, "Third-Party Tokens" (single use, three months);
the answer to a used one, 401 `login_required`: teslamotors/vehicle-command#132, tesla-fleet-api 1.18 `exceptions.py`.
That a token whose successor was never used is taken once more for a day is what other clients rely on after a lost
answer; Tesla's documentation doesn't say it.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import msgspec


class Refusal(msgspec.Struct, frozen=True):
    """An error of the token endpoint: HTTP status and RFC 6749 error code."""

    status: int
    error: str

    def body(self) -> dict[str, str]:
        return {"error": self.error, "error_description": self.error.replace("_", " ").capitalize()}


@dataclass
class Authority:
    """Issues tokens for one account. `now_s`: real s; `uses`: every refresh token shown to it, oldest first."""

    client: tuple[str, str]
    access_s: float
    grace_s: float
    now_s: Callable[[], float]
    rotates: bool = True
    scopes: tuple[str, ...] = ()
    current: str = ""
    access: dict[str, float] = field(default_factory=dict)
    uses: list[str] = field(default_factory=list)
    _parent: tuple[str, float] = ("", 0.0)

    def authorise(self, token: str = "") -> str:
        """The owner signs in: a first refresh token, and everything older is worth nothing."""
        self.revoke()
        self.current = token or secrets.token_urlsafe(48)
        return self.current

    def revoke(self) -> None:
        """The owner takes the permission back, or changes the password: no token works any more."""
        self.current, self._parent = "", ("", 0.0)
        self.access.clear()

    def expire_access(self) -> None:
        """Every access token is over; refresh tokens are as they were."""
        self.access.clear()

    def valid(self, access: str) -> bool:
        """Whether a call with this access token is let in."""
        return self.now_s() < self.access.get(access, -1.0)

    def refresh(self, form: bytes) -> dict[str, Any] | Refusal:
        """One request to the token endpoint, form-encoded as RFC 6749 wants it."""
        asked = {name: values[0] for name, values in parse_qs(form.decode("ascii", "replace")).items()}
        if asked.get("grant_type") != "refresh_token":
            return Refusal(400, "unsupported_grant_type")
        if asked.get("client_id") != self.client[0] or asked.get("client_secret", "") not in ("", self.client[1]):
            return Refusal(401, "invalid_client")
        token = asked.get("refresh_token", "")
        self.uses.append(token)
        if not self._takes(token):
            return Refusal(401, "login_required")
        access = self._jwt()
        self.access[access] = self.now_s() + self.access_s
        if self.rotates:
            self._parent = (token, self.now_s())
            self.current = secrets.token_urlsafe(48)
        return {
            "access_token": access,
            "refresh_token": self.current,
            "id_token": secrets.token_urlsafe(16),
            "expires_in": int(self.access_s),
            "token_type": "Bearer",
        }

    def permits(self, scope: str) -> bool:
        """Whether the owner granted this to the application."""
        return scope in self.scopes

    def _jwt(self) -> str:
        """An access token: a JWT that says its scopes in "scp", as Tesla's do; nobody here checks its signature."""
        parts = [msgspec.json.encode(part) for part in ({"alg": "none"}, {"scp": self.scopes})]
        words = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts]
        return ".".join([*words, secrets.token_urlsafe(48)])

    def _takes(self, token: str) -> bool:
        """The newest token, or, for a while, the one whose answer may have been lost."""
        parent, since_s = self._parent
        late = self.now_s() - since_s > self.grace_s
        return bool(token) and (token == self.current or (token == parent and not late))
