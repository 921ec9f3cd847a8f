"""`make mutants`: remove each commit, read-back and deadline of the protecting path in turn; each must be noticed.

    run.py [--slow] [--list] [--jobs N] [--within S] [--turn TEXT] [WORD ...]

Only the sites whose id contains one of the words. It ends with 1 if a site is not in table.toml, is gone, or survives;
and if a named test fails on the whole code.
"""

from __future__ import annotations

import argparse
import math
import os
import queue
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from tests.mutants import table  # noqa: E402
from tests.mutants.removing import Removal  # noqa: E402
from tests.mutants.sites import Site, find  # noqa: E402
from tests.mutants.table import Declared  # noqa: E402
from tests.mutants.trees import Fate, Run, Tree  # noqa: E402

T = TypeVar("T")
LIMIT_S = 30.0
"""What the tests of one site may take, without it; then they hang, which is noticing."""
WHOLE_S = 600.0
"""What all named tests may take on the whole code."""


@dataclass(frozen=True)
class Mutant:
    """A site to remove. `before`: the lines that must have given way first."""

    site: Site
    declared: Declared
    before: tuple[Removal, ...] = ()


@dataclass(frozen=True)
class Result:
    mutant: Mutant
    run: Run
    took_s: float

    @property
    def caught(self) -> bool:
        return self.run.fate in (Fate.FAILED, Fate.HUNG)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="pimgr-mutants-") as folder:
        tree = Tree(root, Path(folder) / "0")  # what is found and removed is of the copy, whatever is edited meanwhile
        sites = find(tree.folder)
        if options.list:
            print("\n".join(f"{s.id}\n    {s.path.relative_to(tree.folder)}:{s.line}: {s.text}" for s in sites))
            return 0
        declared = table.read(tree.folder / "tests/mutants" / table.NAME)
        named = [s for s in sites if _is_named(s.id, options)]
        if wrong := table.differences(named, {id: d for id, d in declared.items() if _is_named(id, options)}):
            print("\n".join(wrong))
            return 1
        chosen = [m for m in _mutants(named, sites, declared) if options.slow or not m.declared.slow]
        trees = [tree, *(Tree(tree.folder, Path(folder) / str(n)) for n in range(1, options.jobs))]
        try:
            if not _holds_whole(trees, [m.declared for m in chosen]):
                return 1
            results = _removed(trees, in_turn(chosen, options.turn), options.within)
            return _told(results, len(chosen))
        finally:
            for each in trees:
                each.close()


def _is_named(site: str, options: argparse.Namespace) -> bool:
    return not options.words or any(word in site for word in options.words)


def _mutants(chosen: list[Site], sites: list[Site], declared: dict[str, Declared]) -> list[Mutant]:
    by_id = {site.id: site for site in sites}
    return [
        Mutant(s, declared[s.id], tuple((by_id[b], declared[b].removal) for b in declared[s.id].behind)) for s in chosen
    ]


def in_turn(chosen: list[T], text: str) -> list[T]:
    """All of them, beginning elsewhere for another text: where there is no time for all, no one is always the last."""
    first = zlib.crc32(text.encode()) % len(chosen) if chosen else 0
    return chosen[first:] + chosen[:first]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="*", metavar="WORD", help="only sites whose id contains one of these")
    parser.add_argument("--slow", action="store_true", help="also the sites whose tests take long")
    parser.add_argument("--list", action="store_true", help="only list the sites")
    parser.add_argument("--jobs", type=int, default=max(2, min(4, os.cpu_count() or 2)), help="how many at a time")
    parser.add_argument("--within", type=float, default=math.inf, metavar="S", help="begin none after so many seconds")
    parser.add_argument("--turn", default="", metavar="TEXT", help="which comes first, such as the commit")
    return parser.parse_args(arguments)


def _holds_whole(trees: list[Tree], declared: Iterable[Declared]) -> bool:
    """Whether all named tests pass on the whole code: else nothing that fails later proves anything."""
    tests = sorted({test for d in declared for test in d.tests})
    began, runs = time.monotonic(), {}

    def run(tree: Tree, share: list[str]) -> None:
        runs[tree.folder] = tree.test(share, WHOLE_S)

    shares = [(tree, tests[n :: len(trees)]) for n, tree in enumerate(trees)]
    threads = [threading.Thread(target=run, args=each) for each in shares if each[1]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bad = [run.output or f"{run.fate}, without a word" for run in runs.values() if run.fate is not Fate.PASSED]
    bad += ["some tests were not run"] * (len(runs) < len(threads))
    for output in bad:
        named = [line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]
        print("\n".join([f"the whole code does not pass:\n{output[-6000:]}", *named]))
    print(f"{len(tests)} named tests on the whole code: {'fail' if bad else 'pass'} ({time.monotonic() - began:.0f} s)")
    return not bad


def _removed(trees: list[Tree], chosen: list[Mutant], within_s: float) -> list[Result]:
    """Remove each in turn, one at a time on each tree, as long as there is time."""
    began = time.monotonic()
    waiting: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    results: list[Result] = []
    for each in chosen:
        waiting.put(each)

    def work(tree: Tree) -> None:
        while time.monotonic() - began < within_s:
            try:
                mutant = waiting.get_nowait()
            except queue.Empty:
                return
            result = _remove(tree, mutant)
            results.append(result)
            print(
                f"{'caught' if result.caught else 'NOT CAUGHT':10} {result.took_s:5.1f} s  {mutant.site.id}", flush=True
            )

    threads = [threading.Thread(target=work, args=(tree,)) for tree in trees]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def _remove(tree: Tree, mutant: Mutant) -> Result:
    """Run the tests without the site. A second line must first be seen to make up for the lines before it."""
    began = time.monotonic()
    try:
        if mutant.before:
            with tree.without(mutant.before):
                run = tree.test(mutant.declared.tests, LIMIT_S)
            if run.fate is not Fate.PASSED:
                output = f"it does not make up for {', '.join(mutant.declared.behind)}\n{run.output}"
                return Result(mutant, Run(Fate.BROKEN, output), time.monotonic() - began)
        with tree.without([(mutant.site, mutant.declared.removal), *mutant.before]):
            run = tree.test(mutant.declared.tests, LIMIT_S)
    except (ValueError, SyntaxError) as error:
        run = Run(Fate.BROKEN, f"can't be removed so: {error}")
    return Result(mutant, run, time.monotonic() - began)


def _told(results: list[Result], of: int) -> int:
    missed = [r for r in results if not r.caught]
    for result in sorted(missed, key=lambda r: r.mutant.site.id):
        site, declared, fate = result.mutant.site, result.mutant.declared, result.run.fate
        print(f"\n{'survives' if fate is Fate.PASSED else 'proves nothing'}: {site.id}")
        print(f"    {site.file}:{site.line}: {site.text}")
        print(f"    removed by {declared.removal!r}; tests: {', '.join(declared.tests)}")
        if fate is not Fate.PASSED:
            print("    " + result.run.output[-3000:].replace("\n", "\n    "))
    hung = sum(r.run.fate is Fate.HUNG for r in results)
    print(f"\n{len(results)} sites removed one at a time: {len(results) - len(missed)} caught ({hung} by hanging)")
    if len(results) < of:
        print(f"{of - len(results)} more were not reached in time; `make mutants` alone removes all")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
