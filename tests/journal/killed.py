"""Kill a pimgr that commits, again and again, and look what is left: ``killed.py FOLDER KILLS SEED [broken]``.

Run as a process of its own, so that it can fork children without threads. A child writes one line for each acknowledged
commit; the last number it told is the least that the journal must know. With `broken` the child acknowledges before it
commits: the same harness must then find losses.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import select
import signal
import sys
import time
from pathlib import Path

from pimgr.journal import Journal, read_actions, read_seq, read_state
from pimgr.policy.model import State
from tests.journal.making import record, state


def claims_of(n: int) -> tuple[int, ...]:
    return tuple(range(max(1, n - n % 5), n + 1))


async def work(folder: Path, tell: int, broken: bool) -> None:
    journal = await Journal.open(folder, folder / "run")
    while True:
        n = journal.seq + 1
        if broken:
            os.write(tell, f"{n}\n".encode())
        await journal.commit(record(journal.state, n, claims_of(n), (f"m{n}",)))
        if not broken:
            os.write(tell, f"{n}\n".encode())


def one_life(folder: Path, rng: random.Random, broken: bool) -> int:
    """Fork, let it live for a random while, kill it; gives the last commit that it acknowledged."""
    hear, tell = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            asyncio.run(work(folder, tell, broken))
        finally:
            os._exit(1)
    os.close(tell)
    select.select([hear], [], [], 10)  # the first word of it
    time.sleep(rng.uniform(0.0, 0.03))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    heard = b""
    while more := os.read(hear, 65536):
        heard += more
    os.close(hear)
    return max((int(line) for line in heard.split(b"\n")[:-1]), default=0)


def look(folder: Path, told: int) -> list[str]:
    """What is wrong after a kill."""
    seq, left = read_seq(folder), read_state(folder)
    wrong = []
    if seq < told:
        wrong.append(f"{told} was acknowledged, the journal ends at {seq}")
    if left != (state(seq, claims_of(seq)) if seq else State()):
        wrong.append(f"the state is not that of decision {seq}")
    if [(a.id, a.seq) for a in read_actions(folder)] != [(n, n) for n in range(1, seq + 1)]:
        wrong.append(f"the actions are not those of 1 to {seq}")
    return wrong


def main() -> None:
    folder, kills, rng, broken = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3])), sys.argv[4:]
    wrong: list[str] = []
    told = 0
    for _ in range(kills):
        told = max(told, one_life(folder, rng, bool(broken)))
        wrong += look(folder, told)
    print(json.dumps({"wrong": wrong, "told": told, "seq": read_seq(folder)}))


if __name__ == "__main__":
    main()
