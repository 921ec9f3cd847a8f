"""The fault matrix sees what it says it sees: each plugin gone wrong offends one promise, and no other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pimgr import api
from pimgr.testing import Broken, FaultMatrixSuite, NotApplicable, Subject, Trouble, Vendor, run_trouble
from pimgr.testing.bench import Bench, run_in_loop
from pimgr.testing.cell import Cell
from pimgr.testing.matrix import TROUBLES
from tests.testing import lamp as lamps
from tests.testing.lamp import Lamp, lamp

pytest_plugins = ["pytester"]


class TestLamp(FaultMatrixSuite):
    pytestmark = pytest.mark.slow

    @pytest.fixture
    def subject(self) -> Subject:
        return lamp()


def offended(subject: Subject, trouble: Trouble = Trouble.UNREACHABLE) -> set[str]:
    """Which promises this subject breaks in this trouble."""
    problems: list[str] = []

    async def main() -> None:
        async with subject.vendor() as vendor:
            cell = Cell(Bench(subject, vendor), trouble)
            await cell.run()
            problems.extend(cell.problems)

    run_in_loop(main())
    return {problem.partition(":")[0] for problem in problems}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("promise", "kind", "trouble"),
    [
        ("error", lamps.TakesSilenceForNo, Trouble.UNREACHABLE),
        ("error", lamps.LeavesTimeToOthers, Trouble.SILENT),
        ("error", lamps.LeavesTimeToOthers, Trouble.OVERSIZE),
        ("error", lamps.InventsInTrouble, Trouble.CHANGED_IDENTITY),
        ("error", lamps.HasNoCure, Trouble.RATE_LIMITED),
        ("secret", lamps.TellsThePasswordInAnError, Trouble.WRONG_CREDENTIALS),
        ("secret", lamps.LogsThePassword, Trouble.SLOW),
        ("secret", lamps.LogsATraceback, Trouble.CUT),
        ("secret", lamps.TellsThePassword, Trouble.UNREACHABLE),
        ("secret", lamps.StoresThePassword, Trouble.UNREACHABLE),
        ("left", lamps.LeaksASocket, Trouble.UNREACHABLE),
        ("left", lamps.LeavesAThread, Trouble.UNREACHABLE),
        ("left", lamps.LeavesATask, Trouble.UNREACHABLE),
        ("left", lamps.LeavesAProcess, Trouble.UNREACHABLE),
        ("neighbour", lamps.BlocksTheLoop, Trouble.UNREACHABLE),
        ("again", lamps.SulksForEver, Trouble.UNREACHABLE),
        ("again", lamps.SulksAcrossConnections, Trouble.UNREACHABLE),
    ],
)
def test_each_lamp_gone_wrong_offends_one_promise(promise: str, kind: type[Lamp], trouble: Trouble) -> None:
    lamps.LeavesAThread.ended.clear()
    try:
        assert offended(lamp(kind), trouble) == {promise}
    finally:
        lamps.LeavesAThread.ended.set()
        for held in lamps.LeaksASocket.held:
            held.close()
        for process in lamps.LeavesAProcess.left:
            process.kill()
            process.wait()


def test_what_a_subject_gives_a_reason_for_offends_nothing() -> None:
    assert offended(lamp(lamps.BlocksTheLoop, holds_interpreter="its library is written in C")) == set()
    assert offended(lamp(lamps.StoresThePassword, stores_secrets="a token that rotates")) == set()
    refused = {Trouble.UNREACHABLE: (api.Refused,)}
    assert offended(lamp(lamps.TakesSilenceForNo, faults=refused)) == set()


def test_a_trouble_that_nobody_can_bring_about_is_not_in_the_matrix() -> None:
    with pytest.raises(Broken, match=r"not in the matrix.*oversize"):
        run_trouble(Trouble.OVERSIZE, lamp(vendor=_without(Trouble.OVERSIZE)))


def test_a_device_that_cannot_have_a_trouble_is_spared_it_and_says_why() -> None:
    spared = {Trouble.RATE_LIMITED: "it counts no questions"}
    with pytest.raises(NotApplicable, match="counts no questions"):
        run_trouble(Trouble.RATE_LIMITED, lamp(spared=spared, vendor=_without(Trouble.RATE_LIMITED)))
    with pytest.raises(Broken, match="but its vendor can"):
        run_trouble(Trouble.RATE_LIMITED, lamp(spared=spared))
    with pytest.raises(Broken, match="doesn't say why"):
        run_trouble(Trouble.CUT, lamp(spared={Trouble.CUT: " "}))


def test_a_vendor_may_take_its_time_to_be_in_trouble() -> None:
    asked: list[str] = []

    @asynccontextmanager
    async def slowly() -> AsyncIterator[Vendor]:
        async with lamps.lamp_on_loopback() as vendor:
            troubles: dict[Trouble, Any] = {}
            for trouble, be in vendor.troubles.items():

                async def become(trouble: Trouble = trouble, be: Any = be) -> None:
                    asked.append(trouble.value)
                    be()

                troubles[trouble] = become
            yield Vendor(config=vendor.config, troubles=troubles)

    run_trouble(Trouble.UNREACHABLE, lamp(vendor=slowly))
    assert asked == ["unreachable", "none"] * 2


def _without(trouble: Trouble) -> Any:
    @asynccontextmanager
    async def vendor() -> AsyncIterator[Vendor]:
        async with lamps.lamp_on_loopback() as whole:
            troubles = {kind: be for kind, be in whole.troubles.items() if kind is not trouble}
            yield Vendor(config=whole.config, troubles=troubles)

    return vendor


@pytest.mark.slow
def test_a_plugin_author_gets_one_test_per_trouble_from_one_fixture(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from pimgr.testing import FaultMatrixSuite, Trouble
        from tests.testing import lamp as lamps
        from tests.testing.lamp import lamp
        from tests.testing.test_matrix import _without

        class TestSpared(FaultMatrixSuite):
            @pytest.fixture
            def subject(self):
                return lamp(spared={Trouble.CUT: "it has no wire"}, vendor=_without(Trouble.CUT))

        class TestInventing(FaultMatrixSuite):
            @pytest.fixture
            def subject(self):
                return lamp(lamps.InventsInTrouble)
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:asyncio", "--import-mode=importlib")
    result.assert_outcomes(passed=len(TROUBLES) - 1 + 1, skipped=1, failed=len(TROUBLES) - 1)
    result.stdout.fnmatch_lines(["FAILED *TestInventing::test_trouble[[]changed identity[]]*"])
