"""One cell of the fault matrix: one connection in one trouble, met through pimgr's own boundary to plugins.

What is found is collected, each with the name of what it offends: `error`, `secret`, `left`, `neighbour`, `again`.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import time
from statistics import median
from typing import Any

from pimgr import api
from pimgr.link import Link, Overdue
from pimgr.testing.asks import Ask, asks
from pimgr.testing.bench import CONNECTION, Bench, LoopBlocked
from pimgr.testing.context import FakeContext
from pimgr.testing.neighbour import Neighbour
from pimgr.testing.subject import FAULTS, Broken, NotApplicable, Trouble
from pimgr.testing.traces import Secrets, Traces, everything_logged, left_since

FOUR = (api.Unreachable, api.Refused, api.Garbled, api.Unsupported)
GRACE_S = 0.5
"""How long after its deadline a plugin may raise; pimgr itself ends the call at the deadline."""
DELAY_S = 0.1
"""How much later than alone another device may obey."""
RUNS = 5
PAUSE_S = 0.01
"""Between two commands to the other device."""
SETTLED_S = 0.05
"""What the vendor's side may take to be in trouble, or well again."""


Answer = tuple[Ask, Any, BaseException | None]
"""What was asked, what was answered, and what was raised instead."""


class Door:
    """The bench's connection behind pimgr's link, with a context of its own on the bench's store."""

    def __init__(self, bench: Bench) -> None:
        context: FakeContext = bench.context()
        self._link = Link(CONNECTION, lambda: bench.type.open(bench.config, context), context.close)

    async def ask(self, ask: Ask) -> Answer:
        got: list[Any] = []

        async def call(connection: api.Connection) -> None:
            got.append(await ask.call(connection))

        error = await self._link.attempt(call, ask.deadline_s + GRACE_S)
        if isinstance(error, LoopBlocked):
            raise error
        return ask, got[0] if got else None, error

    async def close(self) -> None:
        await self._link.close()


class Cell:
    """One trouble on one bench; `problems` fills while it runs."""

    def __init__(self, bench: Bench, trouble: Trouble) -> None:
        self.bench, self.trouble = bench, trouble
        self.expected = bench.subject.faults.get(trouble, FAULTS[trouble])
        self.problems: list[str] = []
        self.asks = list(asks(bench))
        self._secrets = Secrets([*bench.subject.secrets.values(), *(bench.subject.wrong_secrets or {}).values()])

    async def run(self) -> None:
        """Healthy, in trouble, gone, healthy again; and once more on a connection that stays open all the while."""
        if not self.asks:
            raise NotApplicable("it has nothing to read, and must not be commanded")
        for module in self.bench.type.vendor_modules:
            importlib.import_module(module)  # pimgr does so off the loop
        with everything_logged() as lines:
            await self._reads_well("healthy")
            if not self.problems:
                await self._through_trouble()
        self._judge_words(lines)

    async def _through_trouble(self) -> None:
        async with Neighbour(self.bench.clock) as neighbour:
            await self._let(self.trouble)
            await self._troubled(neighbour)
        await self._let(Trouble.NONE)
        await self._reads_well("again")
        if self.trouble is not Trouble.SLOW:
            await self._held()

    # ------------------------------------------------------------------------------------------------------- stages

    async def _let(self, trouble: Trouble) -> None:
        """Have the vendor's side be in this trouble, or well. Whatever rest the plugin gave itself is over then."""
        done = self.bench.vendor.troubles[trouble]()
        if inspect.isawaitable(done):
            await done
        self.bench.clock.advance(self.bench.subject.rest_s)
        await asyncio.sleep(SETTLED_S)

    async def _reads_well(self, stage: str) -> None:
        """A connection of its own asks everything, and gets it. Also pins identities, and warms libraries up."""
        door = Door(self.bench)
        for ask in self.asks:
            _, _, error = await door.ask(ask)
            if error is not None:
                self.problems.append(f"{stage}: {ask.where} raised {error!r}")
        await door.close()

    async def _troubled(self, neighbour: Neighbour) -> None:
        """Ask everything once, judged; with another device switched all the while; then see what is left."""
        before = Traces.now()
        door = Door(self.bench)
        delay_s, answers = await self._paired(door, neighbour)
        for answer in answers:
            self._judge(*answer)
        del answers, answer  # their tracebacks hold what the plugin had in its hands
        if not self.bench.subject.holds_interpreter and delay_s > DELAY_S:
            delays_s = [delay_s, *[(await self._paired(door, neighbour))[0] for _ in range(RUNS - 1)]]
            if median(delays_s) > DELAY_S:
                told = ", ".join(f"{delay * 1000:.0f}" for delay in delays_s)
                self.problems.append(f"neighbour: another device obeyed later by {told} ms")
        await door.close()
        if left := await left_since(before):
            self.problems.append(f"left: after closing there is still {'; '.join(left)}")

    async def _held(self) -> None:
        """A connection that was open before, during and after the trouble reads well again, at the second try."""
        door, ask = Door(self.bench), self.asks[0]
        await door.ask(ask)
        await self._let(self.trouble)
        _, _, error = await door.ask(ask)
        self._judge_text(ask, error)
        if problem := _odd(ask, error):
            self.problems.append(f"error: on a connection that was open before, {problem}")
        await self._let(Trouble.NONE)
        for _ in range(2):
            _, _, error = await door.ask(ask)
            if error is None:
                break
        else:
            self.problems.append(f"again: {ask.where} on the connection that met the trouble raises {error!r}")
        await door.close()

    async def _paired(self, door: Door, neighbour: Neighbour) -> tuple[float, list[Answer]]:
        """Ask everything; by how many seconds the neighbour obeyed later meanwhile, at worst, than alone just before.

        That is more than the median of single commands: a plugin that blocks now and then is found too.
        """
        alone_s = median([await neighbour.switched() for _ in range(RUNS)])
        asking = asyncio.ensure_future(self._ask_all(door))
        meanwhile_s, due = 0.0, time.monotonic()
        while not asking.done():
            await neighbour.switched()
            meanwhile_s = max(meanwhile_s, time.monotonic() - due)
            due = time.monotonic() + PAUSE_S
            await asyncio.wait({asking}, timeout=PAUSE_S)
            meanwhile_s = max(meanwhile_s, time.monotonic() - due)  # it was wanted then, and nothing could be done
        return meanwhile_s - alone_s, asking.result()

    async def _ask_all(self, door: Door) -> list[Answer]:
        return [await door.ask(ask) for ask in self.asks]

    # ------------------------------------------------------------------------------------------------------ verdicts

    def _judge(self, ask: Ask, answer: Any, error: BaseException | None) -> None:
        """The answer is right in this trouble, or the error is, and says all it must."""
        if error is None:
            problem = self._unfit(ask, answer)
        elif not (problem := _odd(ask, error)):
            problem = self._wrong(ask, error)
        if problem:
            self.problems.append(f"error: {problem}")
        self._judge_text(ask, error)

    def _judge_text(self, ask: Ask, error: BaseException | None) -> None:
        if self._secrets.told_in(f"{error} {error!r}"):
            self.problems.append(f"secret: the error of {ask.where} tells one")

    def _unfit(self, ask: Ask, answer: Any) -> str:
        """Why there should have been no such answer."""
        if isinstance(answer, api.HostReading) and not answer.up:  # how a host says Unreachable
            awaited = api.Unreachable in self.expected or not (self.expected or self.trouble is Trouble.SLOW)
            return "" if awaited else f"{ask.where} took the host for silent"
        if self.expected:
            return f"{ask.where} gave {answer!r}, not {_names(self.expected)}"
        if ask.reading is not None and not isinstance(answer, ask.reading):
            return f"{ask.where} gave a {type(answer).__name__}, not a {ask.reading.__name__}"
        return ""

    def _wrong(self, ask: Ask, error: BaseException) -> str:
        if type(error) in self.expected:
            return ""
        wanted = _names(self.expected) if self.expected else "no error"
        return f"{ask.where} raised {error!r}, not {wanted}"

    def _judge_words(self, lines: list[str]) -> None:
        """Nothing that was logged, stored, told or recorded holds a secret."""
        told = next((line for line in lines if self._secrets.told_in(line)), "")
        if told:
            self.problems.append(f"secret: a log line tells one, of {told.partition(':')[0]}")
        for context in self.bench.contexts:
            if self._secrets.told_in(repr(context.told) + repr(context.recorded)):
                self.problems.append("secret: what is told or recorded tells one")
        if not self.bench.subject.stores_secrets and self._secrets.told_in(self.bench.store.texts()):
            self.problems.append("secret: one is stored; if it must be, say why in `stores_secrets`")


def _odd(ask: Ask, error: BaseException | None) -> str:
    """Why no plugin may raise this in any trouble; "" if one may."""
    if error is None:
        return ""
    if isinstance(error, Overdue):
        return f"{ask.where} went on past its deadline of {ask.deadline_s:g} s; set the vendor's own time-outs below it"
    if type(error) not in FOUR:
        return f"{ask.where} raised {error!r}, none of the four errors"
    assert isinstance(error, api.DeviceError)
    missing = [name for name in ("part", "wish", "fact", "cure") if not _text(getattr(error, name))]
    if missing:
        return f"{ask.where} raised {error!r} without its {' and '.join(missing)}"
    if not error.part.startswith(CONNECTION):
        return f"{ask.where} calls itself {error.part!r}; use context.connection"
    return ""


def _text(value: object) -> bool:
    return type(value) is str and bool(value.strip())


def _names(kinds: tuple[type[api.DeviceError], ...]) -> str:
    return " or ".join(kind.__name__ for kind in kinds)


async def run_cell(bench: Bench, trouble: Trouble) -> None:
    """Run one cell. Raises Broken with everything that was found."""
    cell = Cell(bench, trouble)
    await cell.run()
    if cell.problems:
        raise Broken("; ".join(cell.problems))
