"""Tensors that join a rule with a memory of each tensor in the middle of a run."""
# mypy: allow-untyped-calls

import numpy as np
import torch

from autolr import rules
from autolr.rules.base import Statistics
from autolr.rules.distance import LDoG
from autolr.rules.joining import answer

RULE = LDoG(alpha=0.5)


def statistics(*columns: tuple[float, float, float]) -> Statistics:
    gradients, reaches, weights = (np.array(row) for row in zip(*columns, strict=True))
    return Statistics(3, 1.0, 0.0, {"g.g": gradients, "r.r": reaches, "x.x": weights})


def test_a_tensor_that_joins_begins_as_in_a_run_of_its_own() -> None:
    old, new = (4.0, 0.25, 9.0), (16.0, 0.0, 1.0)
    _, memory = RULE.step(statistics((1.0, 0.0, 4.0)), {})
    size, remembered = answer(RULE, statistics(old, new), memory)
    size_old, memory_old = RULE.step(statistics(old), memory)
    size_new, memory_new = RULE.step(statistics(new), {})
    assert np.array_equal(size, [*np.atleast_1d(size_old), *np.atleast_1d(size_new)])
    for name, values in remembered.items():
        parts = (np.atleast_1d(part[name]) for part in (memory_old, memory_new))
        assert np.array_equal(values, np.concatenate(list(parts)))


def test_without_one_that_joins_the_answer_is_that_of_the_rule() -> None:
    now = statistics((4.0, 0.25, 9.0))
    _, memory = RULE.step(now, {})
    size, remembered = answer(RULE, now, memory)
    expected, kept = RULE.step(now, memory)
    assert np.array_equal(size, expected)
    assert all(np.array_equal(remembered[name], kept[name]) for name in kept)


def test_every_tensor_moves_after_a_group_has_joined() -> None:
    first, second = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
    optimizer = rules.build("ldog", [first], alpha=0.1)
    for step in range(4):
        if step == 2:
            optimizer.add_param_group({"params": [second]})
        optimizer.zero_grad()
        (first.square().sum() + second.square().sum()).backward()
        before = second.detach().clone()
        optimizer.step()
        assert torch.equal(second, before) == (step < 2)
    assert float(first.mean().detach()) < 1
