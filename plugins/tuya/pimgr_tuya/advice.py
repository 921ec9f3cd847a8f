"""Tuya's error codes as a home owner should hear them: what is so, and the step that mends it.

Source: Tuya's "Global Error Codes" (developer.tuya.com, K989ruxx88swc, 2024-07-22); the 28841xxx are not on that page:
TuyaAPI/cli#169 (…002, …107), localtuya#2079 (…004), tuya-homebridge#108 and #114 (…101, …106), tuya-home-assistant's
wiki "Error code and Troubleshooting" (…105), localtuya#1695 (…001). The menus: Tuya's "Request Tuya Cloud API Key"
(Kff30z8sv62ah, 2026-03-24).
"""

from __future__ import annotations

from collections.abc import Mapping

from pimgr.api import DeviceError, Garbled, Refused, Unreachable, Unsupported
from pimgr_tuya.failure import Failed

TOKEN_CODES = frozenset({"1002", "1010", "1011", "1012", "1400"})
"""The token has run out: a new one helps."""

_AT = "at platform.tuya.com"
_SERVICE = f"{_AT}, Cloud > Cloud Project > Cloud Services: subscribe IoT Core, and authorize your project for it"
_TRIAL = (
    f"{_AT}, Cloud > Cloud Project > Cloud Services > IoT Core: extend the trial; then set trial_ends to its new end"
)
_LINK = f"{_AT}, your project > Devices > Link Tuya App Account > Add App Account: scan the QR code with the app"
_CENTRE = (
    "use the data centre of your app account's region: set cloud_region, and add it to the project by Overview > Edit"
)
_SECRET = f"{_AT}, your project > Overview > Authorization Key: copy Client ID and Client Secret anew"

Advice = tuple[type[DeviceError], str, str]
ADVICE: Mapping[int, Advice] = {
    500: (Unreachable, "it has trouble of its own", "it passes by itself"),
    501: (Unreachable, "it has trouble of its own", "it passes by itself"),
    1001: (Refused, "the secret is not the project's", _SECRET),
    1004: (Refused, "the signature is wrong: Client ID and Client Secret don't belong together", _SECRET),
    1005: (Refused, "it knows no project with this Client ID in this data centre", f"{_SECRET}; {_CENTRE}"),
    1013: (Refused, "this box's clock is wrong", "check that the box has the time: timedatectl"),
    1106: (Refused, "this project has no right to the device: no app account is linked, or another data centre has it",
           f"{_LINK}; {_CENTRE}"),
    1110: (Refused, "it was asked too often", "let other programs ask it less often"),
    1111: (Unreachable, "it is busy", "it passes by itself"),
    1114: (Refused, "the project lets in other internet addresses only",
           f"{_AT}, your project: switch the IP allowlist off, or add your house's address to it"),
    1199: (Refused, "it was asked too often", "let other programs ask it less often"),
    2001: (Unreachable, "Tuya has lost sight of the plug too", "check its power and its Wi-Fi"),
    2003: (Unsupported, "the plug has no such switch", "set cloud_codes to the name of the switch in the cloud"),
    2007: (Refused, "it is asked in another part of the world than the project's", _CENTRE),
    2008: (Unsupported, "the plug has no such switch", "set cloud_codes to the name of the switch in the cloud"),
    2009: (Unsupported, "the plug can't be switched by the cloud", "remove the cloud_ keys"),
    2010: (Refused, "it knows no such device", f"check device_id; {_LINK}"),
    28841001: (Refused, "the project has no right to this service", _SERVICE),
    28841002: (Refused, "the trial of the project has expired", _TRIAL),
    28841004: (Refused, "the trial's calls of this month are used up",
               "they come back with the next month; keep the plug reachable at home, let others ask less often"),
    28841101: (Refused, "the project isn't subscribed to the service IoT Core", _SERVICE),
    28841105: (Refused, "the service isn't authorized for the project", _SERVICE),
    28841106: (Refused, "the project isn't subscribed to the service IoT Core", _SERVICE),
    28841107: (Refused, "the data centre is suspended in the project",
               f"{_AT}, your project > Overview > Edit: remove the data centre, save, add it again; {_TRIAL}"),
}  # fmt: skip
_DIGITS = 12
"""The longest codes have eight."""
_PASSING = frozenset({500, 501, 1110, 1111, 1199, 2001})
"""Nothing that its owner did or forgot."""


def refused(code: object, message: object) -> Failed:
    """What an answer without success means."""
    plain = isinstance(code, int) or (isinstance(code, str) and code.isascii() and code.isdigit())
    number = int(str(code)) if plain and not isinstance(code, bool) and len(str(code)) <= _DIGITS else 0
    kind, fact, cure = ADVICE.get(number, (Refused, f"it refused: {str(message)[:80]!r}", "see docs/plugins/tuya.md"))
    if number == 0:
        return Failed(Garbled, "it answered neither yes nor no", "check cloud_region and cloud_endpoint")
    return Failed(kind, f"{fact} (code {number})", cure, told=number not in _PASSING)
