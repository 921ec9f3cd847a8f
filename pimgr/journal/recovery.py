"""How the journal begins: what is on the disk, what was only promised, and what is left when the file is broken."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pimgr import sqlite
from pimgr.api import replace
from pimgr.journal import claims, promises
from pimgr.journal.book import Book, unwritable
from pimgr.journal.content import Content, load
from pimgr.journal.entries import Batch, Entry, Latest, Mail, MailDone, Page
from pimgr.policy.model import State


@dataclass
class Beginning:
    """`content`: what pimgr knows; `promised`: files that go once it is on the disk; `problem`: "" or why it isn't.

    `entries`: what to write so that the journal says the same; `lost`: its content could not be read at all.
    """

    content: Content = field(default_factory=Content)
    notes: list[str] = field(default_factory=list)
    promised: list[Path] = field(default_factory=list)
    problem: str = ""
    entries: list[Entry] = field(default_factory=list)
    lost: bool = False


def begin(book: Book, runtime: Path) -> Beginning:
    """Read everything, resolve it, and write the result down. Raises `NewerJournal` only."""
    beginning = Beginning()
    _open(book, beginning)
    _compare(book.path.parent, beginning)
    _resolve(runtime, beginning)
    if beginning.entries or beginning.problem:
        content = beginning.content
        answer = book.write(Batch((*beginning.entries, Latest.of(content.seq, content.state))))
        beginning.problem = answer.problem
    return beginning


def _open(book: Book, beginning: Beginning) -> None:
    try:
        beginning.content = book.begin()
    except sqlite.Corrupt as error:
        _lose(book, beginning, error)
    except (sqlite.Error, OSError) as error:
        beginning.problem = unwritable(book.path, error)
        if not book.path.exists():
            return
        try:
            with sqlite.reader(book.path) as db:
                beginning.content = load(db)
        except (sqlite.Corrupt, sqlite.Error, OSError) as second:
            beginning.lost = book.distrusted = True
            beginning.notes.append(f"The journal can't be read either ({second}): what is owed is asked, not known.")


def _lose(book: Book, beginning: Beginning, error: Exception) -> None:
    beginning.lost = True
    try:
        aside = book.set_aside()
        beginning.notes.append(
            f"The journal was broken ({error}). It is kept as {aside.name}, and a new one was begun."
        )
        beginning.content = book.begin()
    except (sqlite.Corrupt, sqlite.Error, OSError) as second:
        beginning.problem = f"the journal is broken ({error}) and can't be begun anew: {second}"


def _compare(folder: Path, beginning: Beginning) -> None:
    """Bring claims back from the snapshot where the journal lost them."""
    known, content = claims.newest(folder), beginning.content
    snapshot = known[1] if known else None
    if beginning.lost:
        content.seq, content.state = claims.after_loss(snapshot)
        count = len(content.state.questions)
        parts = ", ".join(sorted({q.part for q in content.state.questions}))
        beginning.notes.append(
            f"Of {count} taken part(s) pimgr no longer knows whether they are still owed: {parts}."
            if count
            else "No snapshot of taken parts says that anything was owed."
        )
    elif snapshot is not None and snapshot.seq > content.seq:
        beginning.notes.append(
            f"The journal ends at decision {content.seq}, but {snapshot.seq} had been written: it lost its last part."
        )
        content.state, content.seq = claims.after_gap(content.state, snapshot), snapshot.seq
    else:
        return
    beginning.entries.append(Latest.of(content.seq, content.state))


def _resolve(runtime: Path, beginning: Beginning) -> None:
    """Take over what was only promised. The highest sequence number wins."""
    content, newer = beginning.content, 0
    for path, promise in promises.read_all(runtime):
        beginning.promised.append(path)
        if promise is None:
            beginning.notes.append(f"{path.name} is not whole, and was ignored.")
        elif isinstance(promise, promises.Promise):
            mails = tuple(promises.mail_of(n, promise.now) for n in promise.decision.notices)
            fresh = tuple(m for m in mails if m.key not in content.seen)
            beginning.entries.append(Page.promised(promise.seq, promise.now, promise.decision, fresh))
            content.seen.update(m.key for m in fresh)
            content.waiting.update((m.key, m) for m in fresh)
            if promise.seq > content.seq:
                content.seq, newer = promise.seq, newer + 1
                content.state = _never_back(promise.decision.state, content)
        else:
            _resolve_mail(promise, beginning)
    if newer:
        beginning.notes.append(f"{newer} decision(s) that the disk had not taken were recovered from promises.")


def _never_back(state: State, content: Content) -> State:
    """The promised state. It replaces questions too: it was the whole truth when the disk failed."""
    before = content.state
    return replace(
        state,
        claim_ids=max(state.claim_ids, before.claim_ids),
        action_ids=max(state.action_ids, before.action_ids),
    )


def _resolve_mail(promise: promises.MailPromise, beginning: Beginning) -> None:
    content, key = beginning.content, promise.mail.key
    beginning.entries.append(Mail(promise.mail, promise.done))
    if promise.done:
        beginning.entries.append(MailDone(key))
        content.waiting.pop(key, None)
    elif key not in content.seen:
        content.waiting[key] = promise.mail
    content.seen.add(key)
