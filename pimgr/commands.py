"""What people ask of a running pimgr over its control socket, and the answer that they get."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pimgr import counting, rehearsing
from pimgr.control import Reply, Request
from pimgr.journal import Journal
from pimgr.loop import Loop
from pimgr.policy.model import Command, Forget, GiveBack
from pimgr.policy.persons import disarm, leases
from pimgr.policy.persons.people import Ack, Arm, Disarm, Keep, LetGo
from pimgr.policy.said import duration
from pimgr.worries import Worries

Answer = Reply | tuple[Command, str]
"""A refusal, or what becomes an input of the next tick and what the person is told."""


@dataclass(frozen=True, kw_only=True)
class Commands:
    """Each becomes an input of the next tick; only a reload is done between two. `reload` answers for itself.

    `budgets`: the keys in a connection's store that a person's look counts in.
    """

    journal: Journal
    loop: Loop
    worries: Worries
    reload: Callable[[], Awaitable[Reply]]
    budgets: Callable[[str], tuple[str, ...]]

    async def handle(self, request: Request) -> Reply:
        """Never raises for what a person may ask."""
        match request.do:
            case "reload":
                return await self.reload()
            case rehearsing.DRILL:
                return await rehearsing.drill(self.loop)
            case counting.COUNT:
                return await counting.count(self.journal, request, self.budgets(request.part))
        answer = self._answer(request)
        if isinstance(answer, Reply):
            return answer
        command, text = answer
        self.loop.told(command)
        return Reply(True, text)

    def _answer(self, request: Request) -> Answer:
        answers: dict[str, Callable[[Request], Answer]] = {
            "forget": self._forget,
            "give back": self._give_back,
            "keep": self._keep,
            "let go": self._let_go,
            "disarm": self._disarm,
            "arm": self._arm,
            "ack": self._ack,
        }
        answer = answers.get(request.do)
        return answer(request) if answer else Reply(False, f"unknown request {request.do!r}")

    def _forget(self, request: Request) -> Answer:
        part, state = request.part, self.journal.state
        if any(c.part == part for c in state.claims + state.questions):
            return Forget(part), f"{part}: written off"
        return _nothing_owed(part)

    def _give_back(self, request: Request) -> Answer:
        part = request.part
        if any(q.part == part for q in self.journal.state.questions):
            return GiveBack(part), f"{part}: will be given back"
        return _nothing_owed(part)

    def _let_go(self, request: Request) -> Answer:
        part = request.part
        if any(lease.part == part for lease in self.journal.state.leases):
            return LetGo(part), f"{part}: you keep it no longer; what was changed for you is given back"
        return Reply(False, f"{part}: you don't keep it on or off; see `pimgr status`")

    def _keep(self, request: Request) -> Answer:
        part, for_s = request.part, request.for_s
        no = leases.refusal(self.loop.policy, part, request.on, for_s)
        if no:
            return Reply(False, no)
        late = "; pimgr is disarmed, and does it afterwards" if self.journal.state.disarmed else ""
        how = "on" if request.on else "off"
        return Keep(part, request.on, for_s), f"{part}: kept {how} for {duration(for_s)}{late}"

    def _disarm(self, request: Request) -> Answer:
        no = disarm.refusal(request.for_s)
        if no:
            return Reply(False, f"pimgr can be disarmed {no}")
        text = f"pimgr does nothing for {duration(request.for_s)}, in an outage too; it arms itself again"
        return Disarm(request.for_s), f"{text}, and `pimgr arm` does so at once"

    def _arm(self, request: Request) -> Answer:
        if self.journal.state.disarmed is None:
            return Reply(False, "pimgr is armed already")
        return Arm(), "pimgr is armed again"

    def _ack(self, request: Request) -> Answer:
        """The alerts of the house are seen in the next tick; those of pimgr itself at once."""
        seen = [*(a.subject for a in self.journal.state.alerts if not a.acked), *self.worries.seen()]
        if not seen:
            return Reply(False, "no critical alert waits for you; see `pimgr status`")
        lines = ["Not mailed again, unless it ends and begins anew:", *(f"  {subject}" for subject in seen)]
        return Ack(), "\n".join(lines)


def _nothing_owed(part: str) -> Reply:
    return Reply(False, f"{part}: nothing is owed to it; see `pimgr status`")
