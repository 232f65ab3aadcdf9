"""The scan for the edge of divergence: which rate follows which losses?"""
# mypy: allow-untyped-calls, no-check-untyped-defs

import json
import math

import numpy as np
import pytest

from autolr.online import Annealed, PeakRange, Scan, SearchSettings
from autolr.online.rounds import price
from autolr.result import opening
from tests.online.runs import progress_of


def descended(curvatures, own=1.0, cap=1000):
    """Return the scan of gradient descent on the sum of c w^2 / 2, from w = 1."""
    weights, scan = np.ones(len(curvatures)), Scan.around(own, cap)
    while (rate := scan.rate) is not None:
        scan = scan.observe(float((curvatures * weights**2).sum() / 2))
        weights = weights * (1 - rate * curvatures)
    return scan


def scanned(losses, own=1.0, cap=1000):
    """Return a scan that has observed losses, until it is over."""
    scan = Scan.around(own, cap)
    for loss in losses:
        if scan.rate is None:
            break
        scan = scan.observe(loss)
    return scan


@pytest.mark.parametrize("condition", [1.0, 1e2, 1e4])
@pytest.mark.parametrize("largest", 10.0 ** np.arange(-0.9, 6.0, 0.37))
def test_the_edge_of_a_quadratic_is_seen_at_a_little_more_than_2_over_the_largest_curvature(
    largest, condition
):
    scan = descended(largest * np.geomspace(1 / condition, 1, 8))
    edge = 2 / largest  # no step at a lower rate raises the loss
    assert edge < scan.edge < 12 * edge
    assert 0.1 * edge < scan.centre < 1.2 * edge
    assert scan.last < 60 * edge  # and then it stops


def test_rates_are_spaced_evenly_in_log_rate_over_all_that_is_usual():
    scan, rates = Scan.around(0.01, 1000), []
    while (rate := scan.rate) is not None:
        rates.append(rate)
        scan = scan.observe(1.0)
    assert (rates[0], rates[-1]) == (1e-6, pytest.approx(1e3))
    np.testing.assert_allclose(np.diff(np.log10(rates)), 1 / 3, rtol=1e-9)
    assert scan.edge is None
    assert scan.centre is None


@pytest.mark.parametrize("own", [1e-12, 1e-7, 1.0, 1e5])
def test_four_decades_on_either_side_of_the_own_rate_are_among_them(own):
    scan = Scan.around(own, 10_000)
    assert scan.low <= own * 1e-4
    assert scan.high >= own * 1e4


def test_a_scan_takes_a_quarter_of_the_budget_at_most_and_is_left_out_where_that_is_little():
    for cap in range(200):
        scan = Scan.around(0.01, cap)
        assert (scan is None) == (cap < 48)
        assert scan is None or scan.most == min(28, cap // 4)


def test_the_loss_has_risen_where_it_is_a_quarter_of_its_fall_above_the_lowest():
    still = [4.0] * 5
    assert scanned([*still, 2.0, 2.4, 2.45]).edge is None
    scan = scanned([*still, 2.0, 2.4, 2.6, 1.0])
    assert (scan.rate, scan.steps) == (None, 8)
    assert scan.edge == pytest.approx(
        Scan.around(1.0, 1000).low * (scan.last / scan.low) ** (6 / 7)
    )


def test_a_loss_that_never_fell_must_rise_by_more_than_a_percent():
    assert scanned([4.0] * 6 + [4.04]).edge is None
    assert scanned([4.0] * 6 + [4.06]).edge is not None
    assert scanned([-4.0] * 6 + [-3.94]).edge is not None


def test_a_loss_that_scatters_while_the_rate_is_next_to_nothing_must_rise_by_more_than_that():
    noise = [1.0, 1.3, 0.8, 1.1]
    assert scanned([*noise, 1.2, 0.7, 1.15]).edge is None
    assert scanned([*noise, 1.2, 0.7, 1.25]).edge is not None


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_ends_the_scan(broken):
    scan = scanned([1.0, 1.0, broken])
    assert (scan.rate, scan.edge) == (None, pytest.approx(scan.low * (scan.last / scan.low) ** 0.5))
    at_once = scanned([broken])
    assert (at_once.rate, at_once.edge) == (None, None)


def test_a_scan_is_stored_as_plain_json():
    scan = scanned([1.0, 1 / 3, math.inf])
    assert Scan.from_dict(json.loads(json.dumps(scan.to_dict(), allow_nan=False))) == scan


def test_where_rates_are_given_nothing_is_scanned():
    assert SearchSettings().scan(0.01, 1000) is not None
    assert SearchSettings(rates=(1e-3, 1e-1)).scan(0.01, 1000) is None
    space = {"lr": {"low": 1e-3, "high": 1e-1, "log": True}}
    assert SearchSettings(candidates=space).scan(0.01, 1000) is None


@pytest.mark.parametrize("steps", [200, 500, 1000, 3000])
@pytest.mark.parametrize("budget", [0.1, 0.25])
def test_scan_and_search_together_stay_within_the_budget(steps, budget):
    settings = SearchSettings(Annealed(budget=budget))
    scan = settings.scan(0.01, steps)
    while scan is not None and scan.rate is not None:
        scan = scan.observe(1.0)
    progress = progress_of(0.01, steps, scan, budget)
    assert progress.scan == scan
    search = progress.state.search
    spent = price(search.rounds, len(search.alive)) + (scan.steps if scan else 0)
    assert spent <= budget * steps


def test_a_line_says_where_it_diverges():
    actual = descended(np.ones(1))
    search = progress_of(actual.centre, 1000, actual)
    peak_range = PeakRange.around(actual.centre)
    (line,) = opening(search, search.candidates[2], 1000)
    between = f"peaks from {peak_range.low:.3g} to {peak_range.high:.3g}"
    message = f"a rate of {actual.edge:.3g} diverges ({actual.steps} steps of a copy)"
    assert line == f"AutoLR: {message}: {between}"
    nothing = scanned([1.0] * 100)
    search = progress_of(0.01, 1000, nothing)
    (line,) = opening(search, search.candidates[2], 1000)
    assert line.startswith(f"AutoLR: no rate up to {nothing.last:.3g} diverges (31 steps")
    assert not list(opening(progress_of(0.01, 1000), search.candidates[2], 1000))
