"""The states of the random generators."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import contextlib
import random

import numpy as np
import torch

from autolr.runtime.generators import Generators, kept_generators


def draw():
    normal = np.random.standard_normal()  # of pairs: the second is kept in the state
    return random.gauss(0, 1), normal, np.random.rand(), torch.rand(3).tolist(), torch.randperm(5)


def same(left, right):
    return left[:-1] == right[:-1] and torch.equal(left[-1], right[-1])


def test_what_is_drawn_after_restoring_is_what_was_drawn_after_capturing():
    random.gauss(0, 1)  # an odd number of draws, so that a state has a half-used pair
    np.random.standard_normal()
    before = Generators.capture()
    first = draw()
    draw()
    before.restore()
    assert same(draw(), first)
    before.restore()
    assert same(draw(), first)


def test_a_block_leaves_every_generator_as_it_was_even_if_it_raises():
    before = Generators.capture()
    expected = draw()
    before.restore()
    with contextlib.suppress(ZeroDivisionError), kept_generators():
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)
        draw()
        raise ZeroDivisionError
    assert same(draw(), expected)


def test_a_captured_state_is_not_changed_by_later_draws():
    before = Generators.capture()
    kept = before.cpu.clone()
    draw()
    assert torch.equal(before.cpu, kept)
