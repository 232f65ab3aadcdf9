"""The states of the random generators."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import contextlib
import random

import numpy as np
import torch

from autolr.rng import RngState, isolated_rng


def draw():
    normal = np.random.standard_normal()  # of pairs: the second is kept in the state
    return random.gauss(0, 1), normal, np.random.rand(), torch.rand(3).tolist(), torch.randperm(5)


def same(left, right):
    return left[:-1] == right[:-1] and torch.equal(left[-1], right[-1])


def test_what_is_drawn_after_restoring_is_what_was_drawn_after_capturing():
    random.gauss(0, 1)  # an odd number of draws, so that a state has a half-used pair
    np.random.standard_normal()
    before = RngState.capture()
    first = draw()
    draw()
    before.restore()
    assert same(draw(), first)
    before.restore()
    assert same(draw(), first)


def test_a_block_leaves_every_generator_as_it_was_even_if_it_raises():
    before = RngState.capture()
    expected = draw()
    before.restore()
    with contextlib.suppress(ZeroDivisionError), isolated_rng():
        random.seed(0)
        np.random.seed(987_654)  # no test before has left NumPy in a state of this seed
        torch.manual_seed(0)
        draw()
        raise ZeroDivisionError
    assert same(draw(), expected)


def test_a_captured_state_is_not_changed_by_later_draws():
    before = RngState.capture()
    kept = before.cpu.clone()
    draw()
    assert torch.equal(before.cpu, kept)


def test_half_a_pair_of_normals_is_put_back_even_though_no_word_was_drawn():
    np.random.standard_normal()
    before = RngState.capture()
    half = np.random.standard_normal()
    after = RngState.capture()
    pair = np.random.standard_normal(2).tolist()
    before.restore()
    assert np.random.standard_normal() == half
    assert np.random.standard_normal(2).tolist() == pair
    before.restore()
    after.restore()
    assert np.random.standard_normal(2).tolist() == pair
    after.restore()
    before.restore()
    assert np.random.standard_normal() == half


def test_the_same_of_pythons_normals():
    random.gauss(0, 1)
    before = RngState.capture()
    half = random.gauss(0, 1)
    after = RngState.capture()
    assert after.python == random.getstate() != before.python
    pair = [random.gauss(0, 1), random.gauss(0, 1)]
    before.restore()
    assert random.getstate() == before.python
    assert [random.gauss(0, 1) for _ in range(3)] == [half, *pair]
    before.restore()
    after.restore()
    assert [random.gauss(0, 1) for _ in range(2)] == pair


def test_pythons_state_is_the_present_one_after_any_change():
    RngState.capture().restore()
    for draws in (0, 1, 623, 624, 625):
        random.seed(3)
        for _ in range(draws):
            random.getrandbits(32)
        expected = random.getstate()
        captured = RngState.capture()
        assert captured.python == expected
        random.seed(4)
        RngState.capture()
        captured.restore()
        assert random.getstate() == expected


def test_a_captured_state_is_the_present_one_after_any_change():
    RngState.capture().restore()
    for draws in (0, 1, 623, 624, 625):
        np.random.seed(3)
        np.random.randint(0, 2**32, draws, dtype=np.uint32)
        expected = np.random.get_state()[1:3]
        captured = RngState.capture()
        np.random.seed(4)
        RngState.capture()
        captured.restore()
        result = np.random.get_state()[1:3]
        assert result[1] == expected[1]
        assert result[0].tolist() == expected[0].tolist()


def test_another_bit_generator_of_numpy_is_put_back_too():
    twister = np.random.get_bit_generator()
    before = RngState.capture()
    try:
        np.random.set_bit_generator(np.random.PCG64(1))
        with isolated_rng():
            drawn = np.random.rand(3).tolist()
        assert np.random.rand(3).tolist() == drawn
    finally:
        np.random.set_bit_generator(twister)
        before.restore()
