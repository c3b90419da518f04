"""δ and its companions: values of compare.md 3.4, and identities."""

from __future__ import annotations

import math

import numpy as np
import pytest

from toolkit.core.association import discovery_rates, discrepancy


def test_the_numbers_of_the_paper_trail():
    found = discrepancy(40, 50, 9, 30)
    assert found.delta == pytest.approx(0.5)
    assert (found.low, found.high) == pytest.approx((0.278751, 0.659531), abs=1e-6)
    assert found.information == pytest.approx(0.125791, abs=1e-6)
    assert found.p == pytest.approx(1.3524e-5, rel=1e-4)
    small = discrepancy(2, 2, 0, 2)
    assert small.delta == 1
    assert (small.low, small.high) == pytest.approx((0.069985, 1), abs=1e-6)


def test_false_discovery_rates():
    q = discovery_rates(np.array([0.001, 0.008, 0.039, 0.041, 0.6]))
    np.testing.assert_allclose(q, (0.005, 0.02, 0.05125, 0.05125, 0.6), atol=1e-12)
    turned = discovery_rates(np.array([0.6, 0.041, math.nan, 0.001, 0.039, 0.008]))
    np.testing.assert_allclose(turned[[3, 5, 4, 1, 0]], q, atol=1e-12)
    assert np.isnan(turned[2])
    assert len(discovery_rates(np.array([]))) == 0


def test_a_side_without_images_is_no_number():
    found = discrepancy(3, 5, 0, 0)
    assert math.isnan(found.delta)
    assert math.isnan(found.p)


@pytest.mark.parametrize(("a", "b"), [(0, 0), (5, 5), (0, 5), (3, 3)])
def test_the_interval_holds_the_difference(a, b):
    found = discrepancy(a, 5, b, 5)
    assert found.low <= found.delta <= found.high
    assert found.low >= -1
    assert found.high <= 1
    assert found.information >= -1e-15
