"""Nothing is lost by SIGKILL. `PIMGR_KILLS` sets how often (200 in CI)."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.kill.harness import Plan, hunt

KILLS = int(os.environ.get("PIMGR_KILLS", "200"))
SEED = int(os.environ.get("PIMGR_SEED", "1"))

pytestmark = pytest.mark.slow


def test_nothing_is_lost_by_killing_it_at_any_moment(tmp_path: Path) -> None:
    findings = asyncio.run(hunt(tmp_path, Plan(kills=KILLS, seed=SEED)))
    assert findings.wrong == [], (tmp_path / "log").read_text()[-8000:]
    assert findings.kills >= KILLS
    assert findings.full_starts >= KILLS // 20 - 1
    assert findings.commands > findings.outages
    print(findings)


def test_the_harness_finds_a_supervisor_that_acts_before_it_writes(tmp_path: Path) -> None:
    findings = asyncio.run(hunt(tmp_path, Plan(kills=KILLS, seed=SEED, wrong_order=True, slow_s=0.25, patience_s=8.0)))
    assert findings.without_intent or findings.wrong_states
