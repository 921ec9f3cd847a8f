"""The order of machines in the config: who goes off after whom, and the outlets that feed them."""

from __future__ import annotations

import pytest

from pimgr import config
from pimgr.policy.model import PartPolicy
from tests.config.house import PLUGINS, VALID, changed

PCS = '\n[connections.pc1]\ntype = "acme.host"\n\n[connections.pc2]\ntype = "acme.host"\n'
ORDER = changed(('witness = "strip/1"', 'witness = "strip/1"\nafter = ["pc1", "pc2"]\noutlet = "strip/4"')) + PCS


def errors(text: str) -> list[str]:
    with pytest.raises(config.ConfigErrors) as caught:
        config.parse(text, "pimgr.toml", PLUGINS)
    return [f"{error.key}: {error.found} | {error.expected} | {error.cure}" for error in caught.value.errors]


def test_a_machine_has_its_place_in_the_order_and_an_outlet() -> None:
    parts = config.parse(ORDER + '[loads.pc1]\ndeadline = "2min"\n', "x", PLUGINS).policy.parts
    nas = parts["nas"]
    assert (nas.after, nas.outlet, nas.cut_after_s, nas.witness) == (("pc1", "pc2"), "strip/4", 30.0, "strip/1")
    assert (parts["pc1"].deadline_s, parts["pc2"].deadline_s) == (120.0, 300.0)


def test_what_is_not_said_is_as_the_policy_has_it() -> None:
    usual, read = PartPolicy.__struct_defaults__, config.parse(ORDER + "[loads.pc1]\n", "x", PLUGINS)
    assert read.policy.parts["pc1"].deadline_s in usual
    assert read.policy.parts["nas"].cut_after_s in usual


def test_a_load_may_go_off_after_a_machine() -> None:
    house = config.parse(VALID + '[loads.heat-tape]\nafter = ["nas"]\n', "x", PLUGINS)
    assert house.policy.parts["heat-tape"].after == ("nas",)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ('[loads.pc1]\nafter = ["nas"]\n', "loads.nas.after: nas after pc1 after nas | an order with an end"),
        (
            '[loads.pc1]\nafter = ["pc2"]\n[loads.pc2]\nafter = ["nas"]\n',
            "loads.nas.after: nas after pc2 after nas |",
        ),
        ('[loads.pc1]\nafter = ["pc1"]\n', 'loads.pc1.after: ["pc1"] | other parts than itself'),
        ('[loads.pc1]\nafter = ["pc3"]\n', 'loads.pc1.after #1: "pc3" | a load or a host'),
        ('[loads.pc1]\nafter = "pc2"\n', 'loads.pc1.after: "pc2" | a list of names'),
        ('[loads.pc1]\nafter = ["strip/4"]\n', 'loads.pc1.after #1: "strip/4" | no outlet of a host | name nas'),
        ('[loads."strip/4"]\nafter = ["pc1"]\n', 'loads."strip/4".after: "strip/4", which feeds nas | no outlet'),
        ('[loads.pc1]\noutlet = "strip/4"\n', 'loads.pc1.outlet: "strip/4", which feeds nas too | an outlet for one'),
        ('[loads.pc1]\noutlet = "strip/1"\n', 'loads.pc1.outlet: "strip/1" | an outlet that isn\'t protected'),
        (
            '[loads.pc1]\noutlet = "strip/3"\n',
            'loads.pc1.outlet: "strip/3", which is in the tier "at once" | an outlet',
        ),
        ('[loads.pc1]\noutlet = "pc2"\n', 'loads.pc1.outlet: "pc2", which is a host | a load that is switched'),
        ('[loads.heat-tape]\noutlet = "strip/5"\n', 'loads.heat-tape.outlet: "strip/5" | a host'),
        ('[loads.pc1]\ncut_after = "30s"\n', 'loads.pc1.cut_after: "30s" | nothing: no outlet is named'),
        (
            '[loads.pc1]\noutlet = "strip/5"\ncut_after = "2h"\n',
            'loads.pc1.cut_after: "2h" | a duration from 0 s to 1 h',
        ),
        ("[loads.pc1]\ndeadline = 5\n", "loads.pc1.deadline: 5 | a duration from 10 s to 1 h"),
        ('[[keep]]\npart = "strip/4"\non = false\n', 'loads.nas.outlet: "strip/4", which a [[keep]] turns off'),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(more: str, told: str) -> None:
    found = errors(ORDER + more)
    assert any(told in error for error in found), found
    assert len(found) == 1


def test_everything_that_is_wrong_with_an_order_is_told_at_once_and_a_long_circle_only_once() -> None:
    text = ORDER + '[loads.pc1]\nafter = ["pc2"]\ndeadline = 1\n[loads.pc2]\nafter = ["nas"]\noutlet = "strip/1"\n'
    assert len(errors(text)) == 3
