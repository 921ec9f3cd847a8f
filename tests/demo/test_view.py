"""The screen of the rehearsal fits into the smallest usual terminal, and says in words what matters."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from pimgr.demo.full import full
from pimgr.demo.plan import build_house
from pimgr.demo.view import Screen
from pimgr.snapshot import ConnectionLine, SiteFact
from tests.cli.making import earlier, view


def test_the_full_house_fits_into_24_lines_of_80_columns_and_names_who_is_lost(tmp_path: Path) -> None:
    plan = full(1.0)
    house, _ = build_house(plan, tmp_path / "wire.jsonl")
    console = Console(width=80, height=24, file=io.StringIO(), force_terminal=True)
    screen = Screen(house, plan, console)
    try:
        for n in range(30):
            house.wire.note("strip", "1", "switch", "off" * n)
            screen.say("something that takes a rather long line to tell, longer than any screen is wide, " * 2)
        health = {"tesla": "lost", "mail": "lost"}
        lines = [ConnectionLine(id=each.id, type="a.b", health=health.get(each.id, "ok")) for each in house.spec.device]
        fact = SiteFact(name="charge", value="47 %", source="gateway", at=earlier(1))
        screen.show("x" * 200, view(connections=tuple(lines), site=(fact,), grid="down", grid_raw="islanded"))
        shown = ["".join(part.text for part in line) for line in console.render_lines(screen._live.get_renderable())]
    finally:
        screen.close()
        house.wire.close()
    assert len(shown) < 24
    assert max(map(len, shown)) <= 80
    told = "\n".join(shown)
    assert "LOST: tesla mail" in told
    assert "grid down (islanded); gateway tells charge 47 %" in told
