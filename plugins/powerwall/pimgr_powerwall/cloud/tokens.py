"""The tokens: an access token for some hours, and a refresh token that works once and gives the next one.

What may happen between two lines here is a power cut. So: a note that a refresh is under way, durable; the refresh;
the new tokens, durable, before anything is asked with them; and the refresh token before them is kept until they
worked. A refresh that was refused, or never answered, changes none of what is kept.

Sources: RFC 6749 section 6; Tesla's developer documentation, "Third-Party Tokens": single use, three months.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from pimgr.api import Context, DeviceError, Finding, Garbled, Instant, Refused, Severity
from pimgr_powerwall.cloud import CloudConfig
from pimgr_powerwall.cloud.budget import Budget
from pimgr_powerwall.cloud.errors import Wanted, as_device_error, error_word, json_object, refused
from pimgr_powerwall.cloud.kept import DAY_S, LIFE_DAYS, Tokens, as_kept, mark_of, tokens_of
from pimgr_powerwall.cloud.wire import Ask, Wire

WARN_DAYS = 15.0
HASTE_S = 60.0
"""A token younger than this is not renewed for any reason: it would be refused for the same one."""
REST_S = 600.0
"""After a failure, a token that still works is not tried to be renewed for so long."""
HOPELESS_S = 1800.0
"""A refresh token that was refused is shown again after this at the earliest."""
SPENT_S = 60.0
"""An access token counts as over so long before it is."""
_FAREWELL_S, _TORN_S = 0.6, 0.2
"""What closing waits for a refresh, and for its thread once its socket was torn; together less than a second."""
_GONE = frozenset({"invalid_grant", "login_required"})
"""What the token endpoint says of a refresh token that is used, expired or revoked.

Sources: RFC 6749 section 5.2; teslamotors/vehicle-command#132."""


@dataclass(frozen=True)
class _Candidate:
    """A refresh token to try, and the authorisation that it came from. `sure`: only if what comes of it is kept."""

    token: str
    mark: str
    sure: bool = False


class Refresher:
    """The only one who refreshes. One at a time, whatever asks at once."""

    def __init__(self, config: CloudConfig, context: Context, wire: Wire, budget: Budget) -> None:
        self._config, self._context, self._wire, self._budget = config, context, wire, budget
        self._lock = asyncio.Lock()
        self._refused: dict[str, Instant] = {}
        self._failed: Instant | None = None
        self._dead = ""
        self._cut_off = False
        self._running: asyncio.Future[str] | None = None
        self._days_told: int | None = None
        self.early = False
        """The grid was seen to fail: the internet may follow, so the next call renews first."""
        self.looking = False
        """Nothing is renewed: in a check beside a pimgr that runs, that would take its refresh token away."""

    async def access(self, wanted: Wanted) -> str:
        """An access token that should work now. Raises the four errors."""
        async with self._lock:
            await self._let_finish(_until(wanted))
            kept, new = self._kept(), self._authorised_anew()
            self._tell_expiry(kept)
            if kept is None or new or self._over(kept):
                return await self._renewed(wanted, kept, new)
            if self._due(kept) and not self.looking:
                return await self._renewed_if_possible(wanted, kept)
            return kept.access

    async def after_refusal(self, wanted: Wanted, access: str) -> str:
        """Another access token, since a call was answered 401 with this one. Raises Refused if that can't help."""
        async with self._lock:
            await self._let_finish(_until(wanted))
            kept = self._kept()
            if kept is None or kept.access != access:
                return kept.access if kept is not None else await self._renewed(wanted, None, True)
            if self._age_s(kept) < (HOPELESS_S if kept.previous else HASTE_S):
                fact = "it refuses a token that it has just given (HTTP 401)"
                raise Refused(wanted.part, wanted.wish, fact, "it passes by itself; if not, authorise pimgr again")
            self._dead = access
            return await self._renewed(wanted, kept, False)

    async def worked(self, access: str) -> None:
        """A call went through with this access token: the refresh token before it is needed no more."""
        async with self._lock:
            kept = self._kept()
            if kept is not None and kept.access == access and kept.previous:
                await self._context.store.put("tokens", msgspec.structs.replace(kept, previous="").stored())

    async def close(self, tear: Callable[[], None]) -> None:
        """End within a second; a refresh that is under way gets most of it, since its answer can't be had again."""
        await self._let_finish(_FAREWELL_S)
        tear()
        await self._let_finish(_TORN_S)
        if self._running is not None:
            self._running.cancel()

    def age(self) -> tuple[float, float] | None:
        """Days since the refresh token was given, and until it expires; None where there is none yet."""
        kept = self._kept()
        days = None if kept is None else self._age_s(kept) / DAY_S
        return None if days is None else (days, LIFE_DAYS - days)

    def newest(self) -> str:
        """The access token that is kept, whether it works or not; "" before the first."""
        kept = self._kept()
        return "" if kept is None else kept.access

    # --------------------------------------------------------------------------------------------------- what is due

    def _kept(self) -> Tokens | None:
        return as_kept(self._context.store.get("tokens"))

    def _age_s(self, kept: Tokens) -> float:
        """Seconds since they were asked for. Where a wrong clock dated them ahead: old enough to be renewed."""
        now = self._context.now()
        if kept.got.boot != now.boot and now.wall < kept.got.wall:
            return max(kept.life_s / 2.0, HOPELESS_S) + 1.0
        return now.since(kept.got)

    def _over(self, kept: Tokens) -> bool:
        """Whether it has run out, or a call was refused for it."""
        return kept.access == self._dead or self._age_s(kept) > kept.life_s - SPENT_S

    def _due(self, kept: Tokens) -> bool:
        """Whether half of its life is gone, or the internet may be soon; not again right after a failure."""
        if self._failed is not None and self._context.now().since(self._failed) < REST_S:
            return False
        age_s = self._age_s(kept)
        return age_s > kept.life_s / 2.0 or (self.early and age_s > HASTE_S)

    def _authorised_anew(self) -> bool:
        """Whether the secret holds another text than the one that the kept tokens came from."""
        kept, text = self._kept(), self._context.secret(self._config.refresh_token)
        return (kept is None or kept.mark != mark_of(text)) and not self._hopeless(text)

    def _hopeless(self, token: str) -> bool:
        since = self._refused.get(mark_of(token))
        return since is not None and self._context.now().since(since) < HOPELESS_S

    # --------------------------------------------------------------------------------------------------- refreshing

    async def _renewed_if_possible(self, wanted: Wanted, kept: Tokens) -> str:
        """A newer access token, or the present one, which works yet. At most half of the time that is left goes by."""
        now_s = asyncio.get_running_loop().time()
        hasty = replace(wanted, ends_s=now_s + (wanted.ends_s - now_s) / 2.0)
        try:
            access = await self._tried(hasty, kept, _Candidate(kept.refresh, kept.mark, sure=True))
            if access:
                return access
            self._revoked(wanted)
        except DeviceError as error:
            self._context.record(f"its token was not renewed yet: {error.fact}")
        self._failed = self._context.now()
        return kept.access

    async def _renewed(self, wanted: Wanted, kept: Tokens | None, new: bool) -> str:
        """The access token of a refresh by the first refresh token that is taken: a new authorisation's, else kept."""
        if self.looking:
            fact = "its token has to be renewed, and what comes of that can't be kept here"
            raise Refused(wanted.part, wanted.wish, fact, "start pimgr: it renews its token and keeps it")
        if new:
            text = self._context.secret(self._config.refresh_token)
            if access := await self._tried(wanted, kept, _Candidate(text, mark_of(text))):
                return access
            if kept is not None and not self._over(kept):
                self._tell_unused()
                return kept.access
        for token in () if kept is None else (kept.refresh, kept.previous):
            mark = "" if kept is None else kept.mark
            if not token or self._hopeless(token):
                continue
            if access := await self._tried(wanted, kept, _Candidate(token, mark)):
                return access
        raise self._revoked(wanted)

    async def _tried(self, wanted: Wanted, kept: Tokens | None, candidate: _Candidate) -> str:
        """The access token that this refresh token gives; "" where it is used, expired or revoked.

        It goes on when the call that needs it is cancelled, as pimgr does at a deadline or for a command.
        """
        self._running = asyncio.ensure_future(self._refreshed(wanted, kept, candidate))
        self._running.add_done_callback(_heard)
        return await asyncio.shield(self._running)

    async def _let_finish(self, within_s: float) -> None:
        """Wait for a refresh that was left going on."""
        if self._running is not None and not self._running.done():
            await asyncio.wait({self._running}, timeout=max(0.0, within_s))

    async def _refreshed(self, wanted: Wanted, kept: Tokens | None, candidate: _Candidate) -> str:
        given = await self._refresh(wanted, candidate)
        if given is None:
            self._refused[mark_of(candidate.token)] = self._context.now()
            return ""
        await self._keep(kept, given)
        return given.access

    async def _refresh(self, wanted: Wanted, candidate: _Candidate) -> Tokens | None:
        """New tokens; None where this refresh token is used, expired or revoked. Raises the four errors."""
        form = {"grant_type": "refresh_token", "client_id": self._config.client, "refresh_token": candidate.token}
        if self._config.client_secret is not None:
            form["client_secret"] = self._context.secret(self._config.client_secret)
        self._budget.rested(wanted)
        if self._context.store.get("refreshing") == mark_of(candidate.token):
            self._cut_off = True
            self._context.record("the last renewal was cut off before its answer was kept; its token is tried again")
        if not await self._note(candidate.token) and candidate.sure:
            fact = "the disk does not take what comes of it now"
            raise Refused(wanted.part, wanted.wish, fact, "see what pimgr says of the disk")
        at = self._context.now()
        try:
            reply = await self._wire.exchange(Ask("POST", self._config.token_url, {}, form=form), wanted.ends_s)
        except Exception as error:
            raise as_device_error(replace(wanted, url=self._config.token_url), error) from None
        if reply.status in (400, 401):
            if error_word(reply).removeprefix(", ") in _GONE:
                await self._context.store.put("refreshing", None)
                return None
            fact = f"Tesla refuses this application (HTTP {reply.status}{error_word(reply)})"
            raise Refused(wanted.part, wanted.wish, fact, "check client_id and client_secret at developer.tesla.com")
        if not 200 <= reply.status < 300:
            await self._budget.heed(reply)
            raise refused(wanted, reply)
        given = tokens_of(json_object(wanted, reply), candidate.token, candidate.mark, at)
        if given is None:
            raise Garbled(wanted.part, wanted.wish, "it answered no tokens", "if it lasts, please report it")
        return given

    async def _note(self, token: str) -> bool:
        """Write down that this refresh token is being used up. False where that isn't durable."""
        self._context.record("its token is being renewed")
        return await self._context.store.put("refreshing", mark_of(token))

    async def _keep(self, kept: Tokens | None, given: Tokens) -> None:
        """Make the new tokens durable, and only then let anybody use them."""
        await self._context.store.put("tokens", given.stored())
        await self._context.store.put("refreshing", None)
        self._failed, self._days_told, self.early, self._cut_off = None, None, False, False
        self._context.record("its token was renewed")
        self._context.tell("expiry", None)
        if given.mark != mark_of(self._context.secret(self._config.refresh_token)):
            self._tell_unused()
            return
        self._context.tell("token", None)
        if kept is None or kept.mark != given.mark:
            text = "Tesla has taken the authorisation: readings and settings of the site go through its cloud"
            self._context.tell(f"authorised {given.mark[:8]}", Finding(severity=Severity.INFO, text=text))

    # ------------------------------------------------------------------------------------------------ what is told

    def _revoked(self, wanted: Wanted) -> Refused:
        fact = "Tesla takes its refresh token no more: it was used, revoked, has expired, or the password was changed"
        if self._cut_off:
            fact += "; its last renewal was cut off, as by a power cut, and Tesla does not repeat its answer"
        cure = f'authorise pimgr again and put the new refresh token into the secret "{self._secret_name}"'
        self._context.tell("token", Finding(severity=Severity.CRITICAL, text=fact, cure=cure))
        return Refused(wanted.part, wanted.wish, fact, cure)

    def _tell_unused(self) -> None:
        text = "the new refresh token in the secret was refused; pimgr goes on with the authorisation it had"
        cure = f'put a fresh refresh token into the secret "{self._secret_name}", or the one that was there before'
        self._context.tell("token", Finding(severity=Severity.WARNING, text=text, cure=cure))

    def _tell_expiry(self, kept: Tokens | None) -> None:
        """From 15 days before the refresh token expires, since it could not be renewed for so long."""
        age = None if kept is None else self.age()
        left = None if age is None else int(age[1])
        if left is None or left >= WARN_DAYS or left == self._days_told:
            return
        self._days_told = left
        text = f"its refresh token could not be renewed for long and expires in {max(0, left)} days"
        cure = f'see why Tesla is not reached, or authorise pimgr again (secret "{self._secret_name}")'
        self._context.tell("expiry", Finding(severity=Severity.WARNING, text=text, cure=cure))

    @property
    def _secret_name(self) -> str:
        return self._config.refresh_token.secret


def _until(wanted: Wanted) -> float:
    """Seconds that are left for a wish."""
    return wanted.ends_s - asyncio.get_running_loop().time()


def _heard(done: asyncio.Future[str]) -> None:
    """Nobody may be left to hear how it ended."""
    if not done.cancelled():
        done.exception()
