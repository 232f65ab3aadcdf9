"""A trial that was paused draws the batches that it would have drawn, whatever they come from."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from tests.callbacks.runs import TRAIN, Net, differences, train_loader
from tests.callbacks.test_trial_state import Judge, job

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


class Growing(Dataset[list[torch.Tensor]]):
    """Adds noise that grows from epoch to epoch, drawn by a generator of its own."""

    def __init__(self):
        self.level, self.draws = 0.0, torch.Generator().manual_seed(1)

    def __len__(self):
        return len(TRAIN)

    def __getitem__(self, index):
        image, label = TRAIN[index]
        return image + self.level * torch.randn(image.shape, generator=self.draws), label


class Noisier(Net):
    """Raises the level of its data."""

    def on_train_epoch_end(self):
        data = self.trainer.train_dataloader.dataset
        if isinstance(data, Growing):
            data.level += 0.3


def shuffled(data):
    """Return a loader with a generator of its own."""
    return DataLoader(data, 16, shuffle=True, generator=torch.Generator().manual_seed(2))


def persistent(**settings):
    """Return a loader whose worker lives from epoch to epoch."""
    return train_loader(num_workers=1, persistent_workers=True, **settings)


LOADERS = {
    "a growing data set": lambda: shuffled(Growing()),
    "a persistent worker": persistent,
    "with a generator": lambda: persistent(generator=torch.Generator().manual_seed(2)),
}


@pytest.mark.parametrize("make", LOADERS.values(), ids=LOADERS)
def test_a_promoted_trial_draws_as_one_that_was_not_paused(tmp_path, make):
    expected = job(tmp_path / "whole", whole := Judge(), Noisier, (), train=make())
    judge = Judge((5, 14))
    for _ in range(3):
        run = job(tmp_path / "parts", judge, Noisier, (), train=make())
    assert judge.judged == whole.judged
    for name in ("weights and buffers", "optimizer"):
        assert differences(run.left[name], expected.left[name]) == [], name
