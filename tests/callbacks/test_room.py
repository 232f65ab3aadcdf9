"""Fewer rivals race where there is no room for more copies of the run."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest

from autolr.callbacks import AutoLR
from autolr.errors import ConfigError
from autolr.online import Annealed
from autolr.runtime.room import Room
from tests.callbacks.changing import LR, Part, fit
from tests.callbacks.namespace import Callback
from tests.cases import only_with_slow

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("given", [0, -1, 1.5, "2", True])
def test_max_copies_is_a_positive_whole_number(given):
    with pytest.raises(ConfigError) as raised:
        AutoLR(max_copies=given)
    assert str(raised.value) == f"max_copies must be a whole number of at least 1, got {given!r}"


class Held(Callback):
    """How many copies a search holds after each step."""

    def __init__(self, searching):
        self.searching = searching
        self.counts = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        rivals = self.searching._rivals
        if rivals is not None:
            self.counts.append(len(rivals._rivals) + (rivals._best is not None))


@pytest.mark.parametrize("most", [1, *only_with_slow(2), 3])
def test_no_more_copies_are_held_than_the_user_allows(most):
    callback = AutoLR(Annealed(race=0.2, budget=2.0), max_copies=most)
    fit(Part, [callback, held := Held(callback)])
    assert max(held.counts) == most
    race = [scored.candidate.peak for scored in callback.result.scores if scored.start == 0]
    near = [LR, LR / 4, LR * 4, LR / 16]
    assert race == pytest.approx(sorted(near[: 1 + most]))
    record = callback.result.copies[0]
    assert (record.step, record.reason, record.unmade) == (0, f"max_copies={most}", True)
    assert record.ended == pytest.approx([*near, LR * 16][1 + most :])


@pytest.mark.slow
def test_with_room_for_all_the_search_is_the_same():
    strategy = Annealed(race=0.2, budget=2.0)
    fit(Part, [free := AutoLR(strategy), held := Held(free)])
    fit(Part, [limited := AutoLR(strategy, max_copies=4)])
    assert limited.result == free.result
    assert max(held.counts) == 4


def test_on_a_gpu_as_many_copies_race_as_fit_into_its_free_memory():
    weights = sum(parameter.nbytes for parameter in Part().parameters())
    callback = AutoLR(Annealed(race=0.2, budget=2.0))
    # 15 for the activations, 3 for the run's own gradients and moments, 5 for each copy
    callback._room = Room(free=lambda _: 30 * weights, of_a_step=lambda _: None)
    fit(Part, [callback])
    (record, *_) = callback.result.copies
    assert "MiB are free, a copy takes" in record.reason
    assert record.ended == pytest.approx([LR / 16, LR * 16])
