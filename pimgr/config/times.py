"""Times of the day and days of the week as the config has them: by the clock of the house."""

from __future__ import annotations

import re
from datetime import time

from pimgr.config.fields import Bad, Field
from pimgr.local_time import DAY_MIN

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"\s*([01]?[0-9]|2[0-3]):([0-5][0-9])\s*")


def minutes(value: object) -> int:
    """Minutes after midnight; raises Bad."""
    if isinstance(value, time):
        raise Bad(f'put it in quotes: "{value:%H:%M}"')
    if not isinstance(value, str):
        raise Bad("put it in quotes")
    found = _TIME.fullmatch(value)
    if found is None:
        raise Bad("write hours and minutes of a day with 24 hours")
    return int(found[1]) * 60 + int(found[2])


TIME = Field('a local time of day, such as "20:00"', minutes)
END = Field('a local time of day, such as "20:00" or "24:00"', lambda v: DAY_MIN if v == "24:00" else minutes(v))
"""As TIME, of something that may go on until midnight."""
