"""A person asks for a drill now, and is shown what it found; it is mailed as well."""

from __future__ import annotations

import asyncio

from pimgr.control import Reply
from pimgr.loop import Loop
from pimgr.policy.model import Phase
from pimgr.policy.news.drill import KEY, LOOK_S
from pimgr.policy.news.report_words import Drill

DRILL = "drill"
PATIENCE_S = LOOK_S + 7.0
"""What the drill may take, and a slow commit; whoever asks waits 30 s."""


async def drill(loop: Loop) -> Reply:
    """Have every part read, and tell what would go off. Nothing is switched."""
    if loop.state.phase in (Phase.OUTAGE, Phase.SETTLING):
        return Reply(False, "this is no time for a drill: the grid is down; see `pimgr status`")
    try:
        async with asyncio.timeout(PATIENCE_S):
            notice = await loop.asked(Drill(), KEY)
    except TimeoutError:
        return Reply(False, f"the drill is not over after {PATIENCE_S:g} s; it will be mailed when it is")
    return Reply(True, f"{notice.subject}\n\n{notice.text}")
