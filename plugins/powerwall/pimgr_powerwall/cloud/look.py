"""A look at the account, as an installer would: the site, what the tokens permit, how old they are."""

from __future__ import annotations

import base64
import json

from pimgr.api import Context, DeviceError, Finding, Refused, Severity
from pimgr_powerwall.cloud.account import Account, Found
from pimgr_powerwall.cloud.budget import Share
from pimgr_powerwall.cloud.errors import Wanted
from pimgr_powerwall.cloud.tokens import WARN_DAYS

_READ, _WRITE = "energy_device_data", "energy_cmds"


async def findings(account: Account, context: Context) -> list[Finding]:
    """What a look shows. Where nothing is kept, a token that has to be renewed first is left to the pimgr that runs."""
    durable = await context.store.put("looked", context.now().wall)
    account.tokens.looking = not durable
    try:
        return await _findings(account)
    except DeviceError as error:
        if not durable and isinstance(error, Refused):
            return [Finding(severity=Severity.WARNING, text=f"not looked at: {error.fact}", cure=error.cure)]
        return [Finding(severity=Severity.CRITICAL, text=str(error), cure=error.cure)]
    finally:
        account.tokens.looking = False


async def _findings(account: Account) -> list[Finding]:
    wanted = account.wanted("a look at the account")
    site = await _site(account, wanted, await account.sites(wanted, Share.WRITE))
    return [site, *_rights(account.tokens.newest()), *_ages(account)]


async def _site(account: Account, wanted: Wanted, found: list[Found]) -> Finding:
    meant = await account.site(wanted)
    name = next((each.name for each in found if each.id == meant), None)
    if name is None:
        listed = ", ".join(f"{each.id} ({each.name})" for each in found) or "none"
        text = f"the account has no energy site {meant}; it has: {listed}"
        return Finding(severity=Severity.CRITICAL, text=text, cure="write site = and the number of the one meant")
    return Finding(severity=Severity.INFO, text=f'the site is "{name}" ({meant})')


def _rights(access: str) -> list[Finding]:
    """What the token says that it permits. It is a JWT with the scopes in "scp"; not verified, it is Tesla's anyway."""
    try:
        payload = access.split(".")[1]
        scopes = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["scp"]
        missing = [scope for scope in (_READ, _WRITE) if scope not in list(scopes)]
    except (IndexError, ValueError, TypeError, KeyError, RecursionError):
        text = "the token doesn't say what it permits: whether settings may be written shows with the first one"
        return [Finding(severity=Severity.INFO, text=text)]
    if not missing:
        return [Finding(severity=Severity.INFO, text="the token permits to read the site and to set it")]
    text = f"the token does not permit {' and '.join(missing)}"
    cure = "authorise again with these scopes, which the application must have too"
    return [Finding(severity=Severity.CRITICAL if _READ in missing else Severity.WARNING, text=text, cure=cure)]


def _ages(account: Account) -> list[Finding]:
    age = account.tokens.age()
    if age is None:
        return []
    days, left = age
    text = f"the refresh token is {days:.0f} days old and expires in {max(0.0, left):.0f} days if it isn't renewed"
    if left < WARN_DAYS:
        cure = "see why Tesla was not reached, or authorise pimgr again"
        return [Finding(severity=Severity.WARNING, text=text, cure=cure)]
    return [Finding(severity=Severity.INFO, text=text)]
