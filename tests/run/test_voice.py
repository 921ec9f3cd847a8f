"""What connections tell a person and the history: once each way, across restarts, and harmless whatever they say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pimgr.api import Context, Finding, Grid, LoadReading, Severity
from pimgr.folding import OLD_S
from pimgr.journal import read_history
from pimgr.testing import Fault
from tests.run.rig import Box, config, plugin, table, virtually
from tests.shell.rig import Odd
from tests.shell.test_folding import notice


def runs_out(days: int, severity: Severity = Severity.WARNING, cure: str = "authorise it again") -> Finding:
    return Finding(severity=severity, text=f"its token runs out in {days} days", cure=cure)


class Speaker:
    """A plug in the config as `account` that says something at its next reading."""

    def __init__(self, folder: Path) -> None:
        self.to_say: list[Callable[[Context], None]] = []
        self.odd = Odd(read=self._read)
        self.box = Box(folder, plugins={"odd": plugin(self.odd.type(floor_s=0.1))})
        self.box.write(config("WORLD", table("account", "odd.plug")))

    async def _read(self, context: Context) -> Any:
        for word in self.to_say:
            word(context)
        self.to_say.clear()
        return LoadReading(at=context.now(), source="account", on=True)

    async def tell(self, finding: Finding | None, key: str = "token") -> None:
        self.to_say.append(lambda context: context.tell(key, finding))
        await self.heard()

    async def heard(self) -> None:
        await self.box.until(lambda: not self.to_say)
        await asyncio.sleep(10.0)

    def mails(self) -> list[str]:
        return [subject for subject in self.box.mails() if "account" in subject]


ABOUT = "account: its token runs out in {} days"


def test_what_a_connection_tells_is_mailed_once_and_once_when_it_is_over(tmp_path: Path) -> None:
    async def main() -> None:
        speaker = Speaker(tmp_path)
        async with speaker.box.on():
            for days in (15, 14, 13):
                await speaker.tell(runs_out(days))
            assert speaker.mails() == [ABOUT.format(15)]
            assert ABOUT.format(13) in speaker.box.trouble()
            await speaker.tell(None)
            assert ABOUT.format(13) not in speaker.box.trouble()
            await speaker.tell(None)
            assert speaker.mails() == [ABOUT.format(15), f"Over: {ABOUT.format(15)}"]

    virtually(main())


def test_what_a_connection_tells_is_mailed_again_when_its_severity_or_its_cure_changes(tmp_path: Path) -> None:
    async def main() -> None:
        speaker = Speaker(tmp_path)
        async with speaker.box.on():
            await speaker.tell(runs_out(15))
            await speaker.tell(runs_out(3, Severity.CRITICAL))
            await speaker.tell(runs_out(2, Severity.CRITICAL))
            await speaker.tell(runs_out(1, Severity.CRITICAL, cure="do it today"))
            assert speaker.mails() == [ABOUT.format(days) for days in (15, 3, 1)]
            mails = [m for m in speaker.box.world.messages() if "account" in m.subject]
            assert [m.severity for m in mails] == [Severity.WARNING, Severity.CRITICAL, Severity.CRITICAL]
            assert "Do it today." in mails[-1].text

    virtually(main())


def test_what_a_connection_tells_again_after_a_restart_is_not_mailed_again_but_that_it_is_over_is(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        speaker = Speaker(tmp_path)
        async with speaker.box.on():
            await speaker.tell(runs_out(15))
        async with speaker.box.on():
            await speaker.tell(runs_out(14))
            assert speaker.mails() == [ABOUT.format(15)]
            assert ABOUT.format(14) in speaker.box.trouble()
        async with speaker.box.on():
            await speaker.tell(None)
            assert speaker.mails() == [ABOUT.format(15), f"Over: {ABOUT.format(15)}"]

    virtually(main())


def test_good_news_is_mailed_once_and_is_not_among_what_is_not_well(tmp_path: Path) -> None:
    async def main() -> None:
        speaker = Speaker(tmp_path)
        async with speaker.box.on():
            await speaker.tell(runs_out(14))
            for _ in range(2):
                await speaker.tell(Finding(severity=Severity.INFO, text="it took the authorisation"))
            assert speaker.mails() == [ABOUT.format(14), "account: it took the authorisation"]
            assert not [text for text in speaker.box.view().trouble if "account" in text]

    virtually(main())


def test_a_hostile_text_becomes_a_harmless_line(tmp_path: Path) -> None:
    async def main() -> None:
        speaker = Speaker(tmp_path)
        hostile = "\x1b]0;owned\x07\r\nBcc: x@example.net\u202e\udc80" + "x" * 100_000
        async with speaker.box.on():
            await speaker.tell(Finding(severity=Severity.WARNING, text=hostile, cure=hostile), key=hostile)
            speaker.to_say.append(lambda context: context.record(hostile))
            await speaker.heard()
            subject = speaker.mails()[0]
            [said] = [t for t in speaker.box.view().trouble if "account" in t]
            [line] = [h.text for h in read_history(speaker.box.state, "account", 10)]
            for text in (subject, said, line):
                assert text.isprintable()
                assert "\\x1b" in text
                assert len(text) < 1100

    virtually(main())


def test_what_a_connection_records_is_in_the_history_and_mailed_to_nobody(tmp_path: Path) -> None:
    async def main() -> None:
        speaker = Speaker(tmp_path)
        async with speaker.box.on():
            speaker.to_say.append(lambda context: context.record("the token was renewed"))
            await speaker.heard()
            assert [h.text for h in read_history(speaker.box.state, "account", 10)] == [
                "account: the token was renewed"
            ]
            assert speaker.mails() == []

    virtually(main())


def test_what_was_told_by_a_connection_that_left_the_config_is_gone(tmp_path: Path) -> None:
    async def main() -> None:
        speaker = Speaker(tmp_path)
        async with speaker.box.on():
            await speaker.tell(runs_out(15))
            speaker.box.write(config("WORLD", table("account-2", "odd.plug")))
            assert (await speaker.box.reload()).ok
            await asyncio.sleep(10.0)
            assert "token" not in speaker.box.trouble()
            assert speaker.mails() == [ABOUT.format(15)]
            speaker.box.write(config("WORLD", table("account", "odd.plug")))
            assert (await speaker.box.reload()).ok
            await speaker.tell(runs_out(9))
            assert speaker.mails() == [ABOUT.format(15), ABOUT.format(9)]

    virtually(main())


def test_a_connection_is_told_when_the_grid_is_gone_and_when_it_is_back(tmp_path: Path) -> None:
    async def main() -> None:
        speaker = Speaker(tmp_path)
        seen: list[bool] = []
        async with speaker.box.on():
            for grid in ("up", "down", "up"):
                speaker.box.world.set_grid(Grid(grid))
                await asyncio.sleep(1000.0)
                speaker.to_say.append(lambda context: seen.append(context.alert))
                await speaker.heard()
        assert seen == [False, True, False]

    virtually(main())


def test_a_house_is_told_times_by_its_own_clock_also_once_it_has_moved(tmp_path: Path) -> None:
    """A box is usually set to UTC."""

    async def main() -> None:
        box = Box(tmp_path)
        async with box.on():
            box.world.fault("mail", Fault.UNREACHABLE)
            begin = datetime.fromtimestamp(box.clock.now().wall, ZoneInfo("Asia/Tokyo"))
            for n in range(8):
                await box.journal.add_notice(notice(n), box.clock.now())
            box.write(config("WORLD", '[place]\ntimezone = "Asia/Tokyo"'))
            assert (await box.reload()).ok
            await asyncio.sleep(2 * OLD_S)
            box.world.fault("mail", Fault.NONE)
            await box.until(lambda: any("What happened" in subject for subject in box.mails()), 2000.0)
            told = next(message.text for message in box.world.messages() if "What happened" in message.subject)
            assert f"\n{begin:%a %d %b %H:%M}  news 0!\n" in told
            assert box.view().zone == "Asia/Tokyo"

    virtually(main())
