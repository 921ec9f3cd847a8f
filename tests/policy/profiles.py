"""How many random examples: the same ones at every change, twenty times as many and new ones every night.

The variable PIMGR_EXAMPLES is the share of them that is tried: a second Python needs no more than a tenth.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

SHARE = float(os.environ.get("PIMGR_EXAMPLES", "1"))
_COMMON = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "database": None,
    "phases": [phase for phase in Phase if phase is not Phase.explain],  # it traces every line, which takes minutes
}
settings.register_profile("ci", derandomize=True, print_blob=True, **_COMMON)  # type: ignore[arg-type]
settings.register_profile("nightly", derandomize=False, print_blob=True, **_COMMON)  # type: ignore[arg-type]


def ci(examples: int) -> settings:
    return settings(settings.get_profile("ci"), max_examples=max(1, round(SHARE * examples)))


def nightly(examples: int) -> settings:
    """`examples` as in CI; the night tries twenty times as many."""
    return settings(settings.get_profile("nightly"), max_examples=20 * examples)
