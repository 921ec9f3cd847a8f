"""What people ask of a running pimgr over its control socket, and the answer that they get."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pimgr import counting, rehearsing
from pimgr.control import Reply, Request
from pimgr.journal import Journal
from pimgr.loop import Loop
from pimgr.policy.model import Forget, GiveBack


class Commands:
    """Each becomes an input of the next tick; only a reload is done between two. `reload` answers for itself.

    `budgets`: the keys in a connection's store that a person's look counts in.
    """

    def __init__(
        self,
        journal: Journal,
        loop: Loop,
        reload: Callable[[], Awaitable[Reply]],
        budgets: Callable[[str], tuple[str, ...]],
    ) -> None:
        self._journal, self._loop, self._reload, self._budgets = journal, loop, reload, budgets

    async def handle(self, request: Request) -> Reply:  # noqa: PLR0911 - one line a request
        """Never raises for what a person may ask."""
        match request.do:
            case "reload":
                return await self._reload()
            case rehearsing.DRILL:
                return await rehearsing.drill(self._loop)
            case "forget" if self._has_claim(request.part):
                self._loop.told(Forget(request.part))
                return Reply(True, f"{request.part}: written off")
            case "give back" if any(q.part == request.part for q in self._journal.state.questions):
                self._loop.told(GiveBack(request.part))
                return Reply(True, f"{request.part}: will be given back")
            case counting.COUNT:
                return await counting.count(self._journal, request, self._budgets(request.part))
            case "forget" | "give back":
                return Reply(False, f"{request.part}: nothing is owed to it; see `pimgr status`")
            case _:
                return Reply(False, f"unknown request {request.do!r}")

    def _has_claim(self, part: str) -> bool:
        state = self._journal.state
        return any(c.part == part for c in state.claims + state.questions)
