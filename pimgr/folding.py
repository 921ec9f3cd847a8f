"""Old news folded: after days without internet, one message tells what happened, and the present stands beside it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

from pimgr.api import Frozen, Message, Severity
from pimgr.journal import OutboxMessage
from pimgr.local_time import shown
from pimgr.text import safe, safe_lines

OLD_S = 3600.0
FEW = 5
"""So many old messages still go one by one."""
MOST = 50
LENGTH = 12_000
"""Of a folded message, so that no notifier cuts it; what is left makes another one."""
RANK = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)


class Post(Frozen):
    """What is sent at once, and the keys of what it stands for."""

    message: Message
    keys: tuple[str, ...]


def posts(waiting: Sequence[OutboxMessage], wall: float, zone: str) -> list[Post]:
    """What waits for one notifier, oldest first, as it is to be sent at `wall` (UTC in s), told by the clock of `zone`.

    What is critical and still so is never folded: only a later message about the same makes it old news.
    """
    old = [mail for number, mail in enumerate(waiting) if _is_old_news(mail, waiting[number + 1 :], wall)]
    if len(old) <= FEW:
        return [_alone(mail) for mail in waiting]
    keys = {mail.key for mail in old}
    return [*_folded(old, zone), *(_alone(mail) for mail in waiting if mail.key not in keys)]


def _is_old_news(mail: OutboxMessage, later: Sequence[OutboxMessage], wall: float) -> bool:
    if wall - mail.message.written < OLD_S:
        return False
    return mail.message.severity is not Severity.CRITICAL or any(mail.about and m.about == mail.about for m in later)


def _alone(mail: OutboxMessage) -> Post:
    return Post(mail.message, (mail.key,))


def _folded(old: Sequence[OutboxMessage], zone: str) -> Iterator[Post]:
    """As few messages as they fit into."""
    taken: list[OutboxMessage] = []
    length = 0
    for mail in old:
        size = len(_entry(mail, zone))
        if taken and (len(taken) >= MOST or length + size > LENGTH):
            yield _fold(taken, zone)
            taken, length = [], 0
        taken.append(mail)
        length += size
    yield _fold(taken, zone) if len(taken) > 1 else _alone(taken[0])


def _fold(mails: Sequence[OutboxMessage], zone: str) -> Post:
    keys = tuple(mail.key for mail in mails)
    mark = zlib.crc32("\n".join(keys).encode(errors="replace"))
    text = "\n".join(
        ["This is old news, in the order in which it happened. What is still so comes by itself.", ""]
        + [_entry(mail, zone) for mail in mails]
    )
    message = Message(
        key=f"folded {mark:08x} {keys[0]}",
        severity=max((mail.message.severity for mail in mails), key=RANK.index),
        subject=f"What happened while nobody could be told ({len(mails)} messages)",
        text=text,
        written=mails[-1].message.written,
    )
    return Post(message, keys)


def _entry(mail: OutboxMessage, zone: str) -> str:
    """One message within a folded one: when, what, and its text indented."""
    lines = safe_lines(mail.message.text, LENGTH).split("\n")
    when = shown(mail.message.written, zone, "%a %d %b %H:%M")
    return "\n".join([f"{when}  {safe(mail.message.subject)}", *(f"    {x}" for x in lines), ""])
