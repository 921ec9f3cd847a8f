"""Graded loads in the config: what is left to them, and at which level they are kept."""

from __future__ import annotations

import pytest

from pimgr import config
from pimgr.policy.model import Aspect, Level, StandingTarget
from tests.config.house import PLUGINS, VALID, changed

CAR = '\n[connections.car]\ntype = "acme.charger"\n'
IN_TIER = ('loads = ["nas"]', 'loads = ["nas", "car"]')


def errors(text: str) -> list[str]:
    with pytest.raises(config.ConfigErrors) as caught:
        config.parse(text, "pimgr.toml", PLUGINS)
    return [f"{error.key}: {error.expected}; {error.cure}" for error in caught.value.errors]


def test_a_graded_load_in_a_tier_goes_to_what_the_config_leaves_it() -> None:
    house = config.parse(changed(IN_TIER) + CAR + "[loads.car]\nshed_to = 6\nenforce = true\n", "x", PLUGINS)
    car = house.policy.parts["car"]
    assert (car.aspect, car.shed_to, car.enforce) == (Aspect.LEVEL, 6.0, True)
    assert config.parse(changed(IN_TIER) + CAR, "x", PLUGINS).policy.parts["car"].shed_to == 0.0


def test_a_graded_load_is_kept_at_a_level() -> None:
    house = config.parse(VALID + CAR + '[[keep]]\npart = "car"\nlevel = 10\n', "x", PLUGINS)
    assert StandingTarget("car", Level(10.0)) in house.policy.keeps


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("[loads.car]\nshed_to = -1\n", "loads.car.shed_to: a level from 0"),
        ('[loads.car]\nshed_to = "6 A"\n', "loads.car.shed_to: a level from 0"),
        ("[loads.heat-tape]\nshed_to = 6\n", "loads.heat-tape.shed_to: a graded load"),
        ('[[keep]]\npart = "car"\non = true\n', "keep #2.level: a level from 0"),
        ('[[keep]]\npart = "pool-pump"\nlevel = 3\n', "keep #2.on: true or false"),
        ('[[keep]]\npart = "kar"\nlevel = 3\n', "keep #2.part: a load"),
    ],
)
def test_a_level_that_makes_no_sense_is_refused(more: str, told: str) -> None:
    assert told in "\n".join(errors(VALID + CAR + more))


def test_a_protected_load_is_not_kept_at_nothing() -> None:
    text = changed(('never_shed = ["strip/1"]', 'never_shed = ["strip/1", "car"]')) + CAR
    assert "more than 0: this part is protected" in errors(text + '[[keep]]\npart = "car"\nlevel = 0\n')[0]
    assert config.parse(text + '[[keep]]\npart = "car"\nlevel = 16\n', "x", PLUGINS).policy.keeps
