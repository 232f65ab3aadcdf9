"""Tensors that join a rule with a memory of each, as its run is under way."""

from dataclasses import replace

import numpy as np

from autolr.rules.base import Answer, Memory, Rule, Statistics


def answer(rule: Rule, statistics: Statistics, memory: Memory) -> Answer:
    """Return the answer of a rule; tensors behind those in its memory begin with this step.

    Args:
        rule: The rule.
        statistics: Of the step; of a rule with a memory of each tensor with one product for each.
        memory: Of the last step.
    """
    known = min((np.size(value) for value in memory.values()), default=0)
    count = max((np.size(value) for value in statistics.products.values()), default=0)
    if not rule.per_tensor or not memory or known == count:
        return rule.step(statistics, memory)
    size, remembered = rule.step(_part(statistics, slice(known)), memory)
    first, begun = rule.step(_part(statistics, slice(known, None)), {})
    together = {name: np.concatenate([remembered[name], begun[name]]) for name in remembered}
    return np.concatenate([size, first]), together


def _part(statistics: Statistics, members: slice) -> Statistics:
    products = {pair: np.asarray(row)[members] for pair, row in statistics.products.items()}
    return replace(statistics, products=products)
