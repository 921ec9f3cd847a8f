"""The outbox: what was delivered is done for good, what was not says why and is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from pimgr.api import Deadlines
from pimgr.journal import Journal
from pimgr.mailer import Mailer
from pimgr.testing import Fault, run_virtual
from tests.journal.making import notice
from tests.shell.rig import Shell

Story = Callable[[Shell, Journal, Mailer], Awaitable[None]]


def played(folder: Path, story: Story) -> None:
    """With one scripted notifier, and a mailer that runs."""

    async def main() -> None:
        journal = await Journal.open(folder, folder / "run")
        async with Shell() as shell:
            shell.add("mail", "notifier")
            mailer = Mailer(journal, shell.clock, shell.tasks, lambda: ("mail",))
            running = asyncio.create_task(mailer.run())
            try:
                await story(shell, journal, mailer)
            finally:
                running.cancel()
                await asyncio.wait({running})
        await journal.close()

    run_virtual(main())


async def waiting(folder: Path) -> list[str]:
    """What is in the outbox for whoever starts next."""
    journal = await Journal.open(folder, folder / "run")
    keys = [mail.key for mail in await journal.pending_mail()]
    await journal.close()
    return keys


def test_what_was_delivered_is_not_delivered_again_after_a_restart(tmp_path: Path) -> None:
    async def story(shell: Shell, journal: Journal, mailer: Mailer) -> None:
        await journal.add_notice(notice("a"), shell.clock.now())
        mailer.nudge()
        await shell.until(lambda: len(shell.world.messages()) == 1)
        await shell.settle()

    played(tmp_path, story)
    assert asyncio.run(waiting(tmp_path)) == []


def test_what_is_refused_waits_and_says_why(tmp_path: Path) -> None:
    async def story(shell: Shell, journal: Journal, mailer: Mailer) -> None:
        shell.world.fault("mail", Fault.UNREACHABLE)
        await journal.add_notice(notice("a"), shell.clock.now())
        mailer.nudge()
        await shell.settle(5.0)
        (mail,) = await journal.pending_mail()
        assert mail.tries >= 1
        assert "mail" in mail.problem

    played(tmp_path, story)
    assert asyncio.run(waiting(tmp_path)) == ["a"]


def test_a_notifier_that_is_back_gets_what_waited_without_anybody_asking(tmp_path: Path) -> None:
    async def story(shell: Shell, journal: Journal, mailer: Mailer) -> None:
        shell.world.fault("mail", Fault.UNREACHABLE)
        await journal.add_notice(notice("a"), shell.clock.now())
        mailer.nudge()
        await shell.settle(5.0)
        shell.world.fault("mail", Fault.NONE)
        await shell.until(lambda: len(shell.world.messages()) == 1, timeout_s=600.0)

    played(tmp_path, story)


def test_a_mailbox_that_nobody_empties_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    async def story(shell: Shell, journal: Journal, mailer: Mailer) -> None:
        shell.runners["mail"].cancel()
        await asyncio.wait({shell.runners["mail"]})
        await journal.add_notice(notice("a"), shell.clock.now())
        mailer.nudge()
        await shell.settle(2 * Deadlines().cloud_s + 5.0)
        (mail,) = await journal.pending_mail()
        assert "no answer" in mail.problem

    played(tmp_path, story)
