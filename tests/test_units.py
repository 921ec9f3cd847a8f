"""What a house can produce, whatever a parser makes of a number."""

import math

import pytest

from pimgr.units import finite_and_in_range


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400, -(10**400), 100.5, -0.5])
def test_what_no_house_has_is_out_of_range_and_never_an_error(value: float) -> None:
    assert not finite_and_in_range(value, 0.0, 100.0)


@pytest.mark.parametrize("value", [0, 100, 0.0, 99.5])
def test_the_ends_belong_to_the_range(value: float) -> None:
    assert finite_and_in_range(value, 0.0, 100.0)
