"""Five of ten simulated years with random faults."""

from __future__ import annotations

import pytest

from tests.simulate.years import goes_well


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(6, 11))
def test_a_year_of_faults_brings_no_wrong_restore_no_fight_and_no_blind_action(seed):
    goes_well(seed)
