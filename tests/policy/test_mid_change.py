"""A part that changes hands, or is on its way back, and a charge that arrives late: what is written of them then."""

from __future__ import annotations

from pimgr.api import SiteReading
from pimgr.policy.model import ClaimStatus
from pimgr.units import Percent
from tests.policy.desk import Desk
from tests.policy.world import GATEWAY


def test_a_part_that_is_taken_already_belongs_to_the_new_outage_and_is_owed_no_more():
    desk = Desk()
    first = desk.taken()
    desk.lost("pump")  # so that it can't be given back
    desk.tick(1010, "up")
    assert desk.claim("pump").owed_since is not None
    desk.t = 1100
    desk.load("pump", False)
    desk.tick(grid="down")
    claim = desk.claim("pump")
    assert (claim.id, claim.status) == (first.id, ClaimStatus.TAKEN)
    assert claim.episode == "outage-2"
    assert claim.owed_since is None


def test_a_part_that_was_on_its_way_back_is_taken_again_on_record_while_it_does_not_answer():
    desk = Desk()
    desk.taken()
    desk.t = 1010
    desk.load("pump", False)
    desk.tick(grid="up")
    assert desk.claim("pump").status is ClaimStatus.RETURNING
    desk.t = 1100
    desk.lost("pump")
    desk.tick(grid="down")
    assert desk.claim("pump").status is ClaimStatus.TAKING


def test_a_part_on_its_way_back_is_looked_at_until_it_was_seen_given_back():
    desk = Desk()
    desk.taken()
    desk.t = 1010
    desk.load("pump", False)
    desk.tick(grid="up")
    assert desk.claim("pump").status is ClaimStatus.RETURNING
    desk.t = 1011
    assert "pump" in desk.tick().look


def test_a_charge_that_arrives_late_does_not_replace_one_that_was_measured_after_it():
    desk = Desk()
    desk.charged(40)
    assert desk.tick(1000).charge == 40
    desk.site = SiteReading(at=desk.instant(990), source=GATEWAY, charge=Percent(70))
    assert desk.tick(1001).charge == 40
