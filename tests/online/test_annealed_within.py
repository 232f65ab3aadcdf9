"""The default strategy within a range of peaks."""

import math
from dataclasses import replace

import pytest

from autolr.online.annealed import Annealed, default_schedule
from autolr.online.annealed_within import AnnealedWithin
from autolr.online.peaks import PeakRange
from autolr.online.prior_peak import PriorPeak
from autolr.online.settings import SearchSettings


def peaks(low: float, high: float, *, prior: float = 0.1, near: float | None = None) -> list[float]:
    known = None if near is None else PriorPeak(near, default_schedule(()), 2000)
    settings = SearchSettings(AnnealedWithin(low=low, high=high), prior=known)
    search = settings.begin(settings.run_info(prior, 2000))
    return [float(one.peak or math.nan) for one in search.candidates]


def test_a_wide_range_races_the_peaks_around_the_customary_one_as_without_it() -> None:
    usual = SearchSettings(Annealed())
    alone = [one.peak for one in usual.begin(usual.run_info(0.1, 2000)).candidates]
    assert peaks(1e-6, 100.0) == alone


def test_the_peaks_that_race_are_in_the_range() -> None:
    raced = peaks(0.02, 0.3)
    assert (raced[0], raced[-1], len(raced)) == (0.02, 0.3, 5)
    assert peaks(1e-4, 0.1)[-1] == 0.1


def test_a_range_apart_from_the_customary_peak_races_evenly() -> None:
    assert peaks(1e-5, 1e-4) == pytest.approx([1e-5 * 10 ** (k / 4) for k in range(5)])


def test_around_an_earlier_peak_race_those_that_the_range_has_however_far_they_are() -> None:
    assert peaks(1e-4, 3.0, near=0.02) == pytest.approx([0.01, 0.02, 0.04, 0.1])
    assert peaks(1e-6, 1e-4, near=1e-5) == pytest.approx([5e-6, 1e-5, 2e-5])
    assert peaks(1e-6, 1e-2, near=1e-5) == pytest.approx([5e-6, 1e-5, 2e-5])  # 0.1 is outside
    assert peaks(1e-3, 10.0, near=300.0) == pytest.approx([0.1, 5.0, 10.0])


def test_later_rivals_may_go_to_the_ends_of_the_range_and_no_further() -> None:
    settings = SearchSettings(AnnealedWithin(low=1e-4, high=3.0))
    state = settings.searcher.begin(settings.run_info(0.1, 2000))
    assert (state.search.lowest, state.search.highest) == (1e-4, 3.0)


def test_the_part_of_a_range_in_another_one() -> None:
    around = PeakRange.around(0.1)
    assert around.within(0.05, 10.0) == PeakRange(0.05, 1.6, 0.1, limits=True)
    assert around.within(0.2, 0.4) == PeakRange(0.2, 0.4, 0.2, limits=True)
    assert around.within(5.0, 20.0) == PeakRange(5.0, 20.0, 10.0, limits=True)


def test_the_stored_state_is_that_of_the_range() -> None:
    strategy = AnnealedWithin(low=1e-4, high=3.0)
    settings = SearchSettings(strategy)
    state = strategy.begin(settings.run_info(0.1, 2000))
    assert strategy.state_from_dict(state.to_dict()) == state
    assert replace(strategy, high=2.0) != strategy
