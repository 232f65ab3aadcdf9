"""What loaders and data hold of their own continues where a run was left."""
# mypy: allow-untyped-calls, no-check-untyped-defs, disable-error-code=arg-type

import io

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, RandomSampler, Sampler, Subset

from autolr.runtime.data_sources import DataSources, changed_in_workers


class Noisy(Dataset[float]):
    """Draws noise whose size hooks change."""

    def __init__(self):
        self.level, self.path, self.items = 1.0, "here", list(range(5000))
        self.coin, self.draws = torch.Generator().manual_seed(1), np.random.default_rng(2)

    def __len__(self):
        return 8

    def __getitem__(self, index):
        noise = torch.rand((), generator=self.coin) + self.draws.random()
        return index + self.level * noise


class Counting(Sampler[int]):
    """Draws an order for each epoch, which it counts itself."""

    def __init__(self):
        self.epoch = 0

    def __iter__(self):
        self.epoch += 1
        return iter(torch.randperm(8, generator=torch.Generator().manual_seed(self.epoch)).tolist())


def own_generator():
    """Return a loader that shuffles by a generator of its own."""
    return DataLoader(range(8), 4, shuffle=True, generator=torch.Generator().manual_seed(3))


def own_sampler():
    """Return a loader whose sampler has the generator."""
    sampler = RandomSampler(range(8), generator=torch.Generator().manual_seed(3))
    return DataLoader(range(8), 4, sampler=sampler)


LOADERS = {
    "a generator of the loader": own_generator,
    "a generator of the sampler": own_sampler,
    "a sampler that counts": lambda: DataLoader(range(8), 4, sampler=Counting()),
    "a data set that draws": lambda: DataLoader(Noisy(), 4),
    "a subset of one": lambda: DataLoader(Subset(Noisy(), range(8)), 4),
}


def stored(sources):
    """Return a state as it comes from a file."""
    file = io.BytesIO()
    torch.save(sources.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("make", LOADERS.values(), ids=LOADERS)
def test_the_next_epoch_of_another_process_is_that_of_the_run(make):
    loader = make()
    sources = DataSources([loader])
    list(loader)
    state, expected = stored(sources), list(loader)
    fresh = make()
    again = DataSources([fresh])
    list(fresh), list(fresh)
    again.load_state_dict(state)
    assert str(list(fresh)) == str(expected)


def test_what_training_has_changed_is_stored_and_the_rest_is_not():
    data = Noisy()
    sources = DataSources([DataLoader(data, 4)])
    data.level, data.items = 2.0, [0, *data.items]
    (state,) = stored(sources).values()
    assert state.keys() == {"level", "coin", "draws"}


def test_what_persistent_workers_change_in_their_copies_is_named():
    kept, anew = (
        DataLoader(Noisy(), 4, num_workers=1, persistent_workers=p) for p in (True, False)
    )
    assert changed_in_workers([anew, DataLoader(range(8), 4)]) == []
    assert changed_in_workers([kept]) == ["Noisy.coin", "Noisy.draws"]


def test_a_change_that_came_after_the_state_is_undone():
    data = Noisy()
    sources = DataSources([DataLoader(data, 4)])
    state = stored(sources)
    data.level = 2.0
    sources.load_state_dict(state)
    assert data.level == 1.0
