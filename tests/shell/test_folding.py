"""Old news comes as one message, in order and whole; what is critical and still so comes by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pimgr.api import Message, Severity
from pimgr.folding import FEW, LENGTH, OLD_S, Post, posts
from pimgr.journal import Journal, OutboxMessage
from pimgr.mailer import Mailer
from pimgr.policy.model import Notice
from pimgr.testing import FakeClock, Fault, World, run_virtual
from tests.journal.making import crash
from tests.policy.profiles import ci
from tests.shell.rig import TYPES, Shell

Story = Callable[[Shell, Journal], Awaitable[None]]
NOW = 1_800_000_000.0
INFO, WARNING, CRITICAL = Severity


def mail(
    n: int, *, age_s: float = 7200.0, severity: Severity = INFO, about: str = "", text: str = "how"
) -> OutboxMessage:
    message = Message(key=f"k{n}", severity=severity, subject=f"news {n}!", text=text, written=NOW - age_s)
    return OutboxMessage(message=message, about=about)


def subjects(made: list[Post]) -> list[str]:
    return [post.message.subject for post in made]


def test_a_few_old_messages_and_any_number_of_new_ones_go_one_by_one():
    for waiting in ([mail(n) for n in range(FEW)], [mail(n, age_s=OLD_S - 1) for n in range(50)]):
        assert [post.message for post in posts(waiting, NOW, "")] == [m.message for m in waiting]


def test_many_old_ones_are_one_message_in_order_with_their_times_and_texts():
    waiting = [mail(n, age_s=90000.0 - n, text=f"first {n}\nsecond {n}") for n in range(8)]
    (post,) = posts([*waiting, mail(8, age_s=10.0)], NOW, "")[:1]
    assert post.keys == tuple(f"k{n}" for n in range(8))
    assert post.message.subject == "What happened while nobody could be told (8 messages)"
    places = [post.message.text.index(f"news {n}!\n    first {n}\n    second {n}\n") for n in range(8)]
    assert places == sorted(places)
    assert subjects(posts([*waiting, mail(8, age_s=10.0)], NOW, ""))[1:] == ["news 8!"]


def test_times_are_those_of_the_house_though_the_box_has_another_clock(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    waiting = [mail(n, age_s=NOW - datetime(2026, 7, 31, 21, 30, tzinfo=UTC).timestamp()) for n in range(8)]
    for zone, time in (("America/New_York", "17:30"), ("", "21:30"), ("Mars/Base", "21:30 UTC")):
        assert f"\nFri 31 Jul {time}  news 0!\n" in posts(waiting, NOW, zone)[0].message.text
    never = [mail(n, age_s=1e300) for n in range(8)]
    assert "\na time that no calendar has  news 0!" in posts(never, NOW, "")[0].message.text


def test_what_is_critical_and_still_so_comes_by_itself_after_the_story():
    waiting = [mail(0, severity=CRITICAL, about="budget"), *(mail(n) for n in range(1, 8))]
    assert subjects(posts(waiting, NOW, "")) == ["What happened while nobody could be told (7 messages)", "news 0!"]


def test_what_was_critical_and_is_over_is_part_of_the_story_and_as_severe():
    waiting = [mail(0, severity=CRITICAL, about="outage-3"), *(mail(n) for n in range(1, 6)), mail(6, about="outage-3")]
    (post,) = posts(waiting, NOW, "")
    assert (len(post.keys), post.message.severity) == (7, CRITICAL)
    new_outage = [*waiting, mail(7, severity=CRITICAL, about="outage-4", age_s=0.0)]
    assert subjects(posts(new_outage, NOW, ""))[1:] == ["news 7!"]


def test_one_message_stands_for_fifty_at_most():
    made = posts([mail(n) for n in range(120)], NOW, "")
    assert [len(post.keys) for post in made] == [50, 50, 20]


def test_what_is_folded_again_has_the_same_key():
    waiting = [mail(n) for n in range(9)]
    assert posts(waiting, NOW, "") == posts(waiting, NOW, "")
    assert posts(waiting, NOW, "")[0].message.key != posts(waiting[1:], NOW, "")[0].message.key


mails = st.lists(
    st.tuples(
        st.sampled_from([0.0, 100.0, 3599.0, 3600.0, 86400.0, -1e9, 1e12]),
        st.sampled_from(Severity),
        st.sampled_from(["", "outage-1", "site"]),
        st.integers(0, 2 * LENGTH),
    ),
    max_size=150,
)


@ci(100)
@given(mails)
def test_nothing_is_lost_or_told_twice_and_each_message_is_short_enough(kinds):
    waiting = [
        mail(n, age_s=age_s, severity=severity, about=about, text="x" * length)
        for n, (age_s, severity, about, length) in enumerate(kinds)
    ]
    made = posts(waiting, NOW, "")
    assert sorted(key for post in made for key in post.keys) == sorted(m.key for m in waiting)
    for post in made:
        assert post.keys == tuple(sorted(post.keys, key=lambda key: int(key[1:]))), "in order"
        assert all(f"news {key[1:]}!" in post.message.subject + post.message.text for key in post.keys)
        if len(post.keys) > 1:
            assert len(post.message.text) < LENGTH + 1000
    alone = [post.keys[0] for post in made if len(post.keys) == 1]
    assert [k for k in alone if k not in {post.keys[0] for post in made[: len(made) - len(alone)]}] == alone


# ------------------------------------------------------------------------------------------------------ the whole way


def notice(n: int) -> Notice:
    return Notice(key=f"k{n}", severity=INFO, subject=f"news {n}!", text="how it was")


@dataclass
class Play:
    """A shell, a journal in `folder`, and a mailer that runs; "sms" is of another world. `later_s`: on the clocks."""

    folder: Path
    notifiers: tuple[str, ...] = ("mail",)
    before_commit: Callable[[], None] = lambda: None
    later_s: float = 0.0

    def __call__(self, story: Story) -> None:
        async def main() -> None:
            journal = await Journal.open(self.folder, self.folder / "run", before_commit=self.before_commit)
            async with Shell() as shell:
                shell.clock.advance(self.later_s)
                self.sms = World(f"{shell.world.name}-sms", now=lambda: shell.clock.now().instant)
                for each, world in (("mail", shell.world), ("sms", self.sms)):
                    kind = TYPES["scripted.notifier"]
                    shell.add(each, kind, kind.config(world=world.name))
                mailer = Mailer(journal, shell.clock, shell.tasks, lambda: self.notifiers)
                running = asyncio.create_task(mailer.run())
                try:
                    await story(shell, journal)
                finally:
                    running.cancel()
                    await asyncio.wait({running})
                    self.sms.close()
            await journal.close()

        run_virtual(main())


async def days_without_internet(shell: Shell, journal: Journal, count: int = 12) -> None:
    for n in range(count):
        await journal.add_notice(notice(n), shell.clock.now())
        await shell.settle(3600.0)


def test_after_days_without_internet_one_message_tells_all_and_nothing_waits_any_more(tmp_path: Path) -> None:
    async def story(shell: Shell, journal: Journal) -> None:
        shell.world.fault("mail", Fault.UNREACHABLE)
        await days_without_internet(shell, journal)
        shell.world.fault("mail", Fault.NONE)
        await shell.until(lambda: len(shell.world.messages()) == 1, 2000.0)
        assert [f"news {n}!" in shell.world.messages()[0].text for n in range(12)] == [True] * 12
        await shell.settle(7200.0)
        assert len(shell.world.messages()) == 1
        assert await journal.pending_mail() == []

    Play(tmp_path)(story)

    async def again() -> None:
        journal = await Journal.open(tmp_path, tmp_path / "run")
        assert await journal.pending_mail() == []
        assert not await journal.add_notice(notice(3), FakeClock().now()), "what was folded is known for good"
        await journal.close()

    asyncio.run(again())


def test_where_there_is_nobody_to_tell_nothing_waits(tmp_path: Path) -> None:
    async def story(shell: Shell, journal: Journal) -> None:
        await journal.add_notice(notice(1), shell.clock.now())
        await shell.settle(100.0)
        assert await journal.pending_mail() == []

    Play(tmp_path, ())(story)


def test_a_crash_after_sending_repeats_that_one_message_and_its_key(tmp_path: Path) -> None:
    moments: list[Path] = []
    watching: list[Shell] = []

    def before_commit() -> None:
        if watching and watching[0].world.messages() and not moments:
            moments.append(crash(tmp_path / "house", tmp_path / "crashed"))

    async def story(shell: Shell, journal: Journal) -> None:
        shell.world.fault("mail", Fault.UNREACHABLE)
        await days_without_internet(shell, journal)
        watching.append(shell)
        shell.world.fault("mail", Fault.NONE)
        await shell.until(lambda: bool(moments), 2000.0)
        keys.append(shell.world.messages()[0].key)

    async def after(shell: Shell, journal: Journal) -> None:
        assert len(await journal.pending_mail()) == 12, "sent, and not yet ticked off"
        await shell.until(lambda: bool(shell.world.messages()))
        await shell.settle(60.0)
        keys.extend(m.key for m in shell.world.messages())

    keys: list[str] = []
    (tmp_path / "house").mkdir()
    Play(tmp_path / "house", before_commit=before_commit)(story)
    Play(tmp_path / "crashed", later_s=1e6)(after)
    assert len(keys) == 2
    assert keys[0] == keys[1]


def test_what_one_notifier_took_it_does_not_get_again_after_a_restart(tmp_path: Path) -> None:
    first, second = (Play(tmp_path, ("mail", "sms"), later_s=later_s) for later_s in (0.0, 1e6))

    async def story(shell: Shell, journal: Journal) -> None:
        first.sms.fault("sms", Fault.UNREACHABLE)
        await days_without_internet(shell, journal, 8)
        assert len(shell.world.messages()) == 8
        assert len(await journal.pending_mail()) == 8

    async def after(shell: Shell, journal: Journal) -> None:
        await shell.until(lambda: bool(second.sms.messages()))
        await shell.settle(60.0)
        assert [m.subject for m in second.sms.messages()] == ["What happened while nobody could be told (8 messages)"]
        assert shell.world.messages() == []
        assert await journal.pending_mail() == []

    first(story)
    second(after)


def test_a_folded_message_that_is_refused_is_taken_apart(tmp_path: Path) -> None:
    async def story(shell: Shell, journal: Journal) -> None:
        shell.world.fault("mail", Fault.UNREACHABLE)
        await days_without_internet(shell, journal, 8)
        shell.world.fault("mail", Fault.REFUSED)
        await shell.settle(2500.0)
        shell.world.fault("mail", Fault.NONE)
        await shell.until(lambda: len(shell.world.messages()) == 8, 8000.0)
        assert [m.subject for m in shell.world.messages()] == [f"news {n}!" for n in range(8)]

    Play(tmp_path)(story)
