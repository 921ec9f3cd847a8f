"""Plays the plan against a house and a supervisor process, and judges what came over the wire."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from rich.console import Console

from pimgr.demo.full import full
from pimgr.demo.plan import Plan, build_house, config_text
from pimgr.demo.score import COMMANDS, Score, Witness, judge
from pimgr.demo.stage import Stage
from pimgr.demo.tables import Writer
from pimgr.demo.view import Lines, Screen, View, scorecard
from pimgr.house import Fault, House
from pimgr.snapshot import Snapshot

FAST = 3.5
RESTART_S = 0.3
"""What systemd waits before it starts a service again, here."""
LOOK_S = 0.05
SCENARIOS: dict[str, Callable[[float], Plan]] = {"house": lambda pace: Plan(pace=pace), "full": full}
"""What can be played, at which pace."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """`json`: where the scorecard goes; `fast`: under 20 s; `tty`: a live view; `mutant`: a broken supervisor."""

    json: Path | None = None
    fast: bool = False
    scenario: str = "house"
    tty: bool = True
    mutant: str = ""
    keep: Path | None = None
    """A folder that the supervisor's log, journal and the wire log are left in."""


def main(options: Options) -> int:
    """Play, print the scorecard, and give 0 only if everything held."""
    plan = SCENARIOS[options.scenario](FAST if options.fast else 1.0)
    console = Console()
    with tempfile.TemporaryDirectory(prefix="pimgr-demo-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        score = asyncio.run(_play(plan, options, folder, console))
    scorecard(console, plan, score)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(score)))
    return 1 if score.failures else 0


async def _play(plan: Plan, options: Options, folder: Path, console: Console) -> Score:
    house, ssh_key = build_house(plan, folder / "wire.jsonl")
    async with house:
        stage = Stage(folder, options.mutant)
        ca_file = folder / "house-ca.pem"
        ca_file.write_text(house.ca_pem, encoding="utf-8")
        stage.write(config_text(plan, house, ca_file), Writer(house, ca_file).secrets(ssh_key))
        screen = options.tty and sys.stdout.isatty()
        view: View = Screen(house, plan, console) if screen else Lines(house, lambda text: print(text, flush=True))
        show = asyncio.create_task(_show(view, stage))
        try:
            return await _Rehearsal(plan, house, stage, view).play()
        finally:
            show.cancel()
            await asyncio.wait({show})
            view.show(stage.status, stage.snapshot())
            view.close()
            await stage.close()


async def _show(view: View, stage: Stage) -> None:
    while True:
        view.show(stage.status, stage.snapshot())
        await asyncio.sleep(0.25)


class _Rehearsal:
    """One run. The battery's fall is watched in the house, not asked of pimgr."""

    def __init__(self, plan: Plan, house: House, stage: Stage, view: View) -> None:
        self.plan, self.house, self.stage, self.view = plan, house, stage, view
        self.fell_at: float | None = None
        self.killed_at: float | None = None
        self.alone: Snapshot | None = None
        """What pimgr showed at the end of the time without internet."""

    async def play(self) -> Score:
        plan, house = self.plan, self.house
        took = await self.stage.start()
        self.view.say(f"the supervisor is ready after {took:.1f} s")
        began = asyncio.get_running_loop().time()
        before = self._states()
        await self._until(began, plan.down_s)
        self.view.say("the grid fails")
        house.grid_up(False)
        if plan.offline_s is not None:
            await self._until(began, plan.offline_s)
            self.view.say("the internet fails too")
            house.internet_up(False, Fault.REFUSING)
        await self._until(began, plan.fall_s)
        self.view.say(f"the battery falls to {plan.charge_after:g} %")
        house.set_charge(plan.charge_after)
        self.fell_at = time.clock_gettime(time.CLOCK_BOOTTIME)
        await self._kill_half_way()
        await self._until_shed()
        began = max(began, asyncio.get_running_loop().time() - plan.at(plan.person_s))  # a slow machine is waited for
        await self._until(began, plan.person_s)
        self.view.say(f"somebody turns {plan.person} on again")
        house.switch_by_person(plan.person, True)
        await self._until(began, plan.up_s)
        self.view.say("the grid returns")
        house.grid_up(True)
        if plan.offline_s is not None:
            self.alone = self.stage.snapshot()
            await self._until(began, plan.online_s)
            self.view.say("the internet is back")
            house.internet_up(True)
        await self._until_given_back(before, began + plan.at(plan.end_s))
        witness = Witness(
            wire=tuple(house.wire),
            before=before,
            after=self._states(),
            fell_at=self.fell_at,
            killed_at=self.killed_at,
            mails=len(house.mails),
            alone=self.alone,
        )
        return judge(plan, witness)

    async def _kill_half_way(self) -> None:
        """SIGKILL between the first and the last load of the second tier; if none goes off, after a while."""
        since = len(self.house.wire)
        try:
            await self.house.wire.wait_for(lambda e: e.what in COMMANDS, self.plan.at(10.0), since=since)
        except TimeoutError:
            self.view.say("nothing went off")
        self.killed_at = await self.stage.kill()
        self.view.say("the supervisor is killed (SIGKILL)")
        await asyncio.sleep(RESTART_S)
        took = await self.stage.start()
        self.view.say(f"and is back after {took:.1f} s")

    async def _until_shed(self) -> None:
        """Until all of the last tier was seen to be off, or has had the time that it may take."""
        tier, seen = self.plan.tiers[-1], set[str]()
        while self._since_it_fell_s() < tier.limit_s and not seen.issuperset(tier.loads):
            seen |= {part for part, on in self._states().items() if not on}
            await asyncio.sleep(LOOK_S)

    async def _until_given_back(self, before: dict[str, bool], end: float) -> None:
        """Until all is as before (persons aside) and has stayed so for a moment, or until the end of the plan."""
        loop = asyncio.get_running_loop()
        steady_since = None
        while loop.time() < end:
            after = self._states()
            same = all(after[part] == before[part] for part in before if part != self.plan.person)
            same = same and (self.plan.offline_s is None or bool(self.house.mails))
            steady_since = (steady_since or loop.time()) if same else None
            if steady_since is not None and loop.time() - steady_since > self.plan.at(4.0):
                return
            await asyncio.sleep(LOOK_S)

    def _since_it_fell_s(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME) - (self.fell_at or 0.0)

    async def _until(self, began: float, seconds: float) -> None:
        left = began + self.plan.at(seconds) - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, left))

    def _states(self) -> dict[str, bool]:
        state = self.house.state()
        return {load.id: load.on for load in state.loads} | {h.id: self.house.host_up(h.id) for h in state.hosts}
