"""Validation loaders of a search: their workers end, and the run has its own."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import itertools

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import LearningRateFinder
from torch.utils.data import DataLoader

from autolr.callbacks import AutoLR
from autolr.callbacks.kept_batches import KeptBatches
from tests.callbacks.runs import LR, RACE, VAL, Net, fit, val_loader
from tests.cases import only_with_slow

pytestmark = pytest.mark.filterwarnings("ignore")


class Holding(DataLoader[list[torch.Tensor]]):
    """Keeps all that has ever iterated over it."""

    made = None

    def _get_iterator(self):
        iterator = super()._get_iterator()
        self.made.append(iterator)
        return iterator


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("taken", [1, None], ids=["some", "all"])
def test_no_worker_outlives_a_pass(taken, persistent):
    loader = Holding(VAL, batch_size=16, num_workers=1, persistent_workers=persistent)
    loader.made = []
    (kept,) = KeptBatches().loaders([loader])
    drawing = iter(kept)
    assert len(list(itertools.islice(drawing, taken))) == (taken or 3)
    drawing.close()
    assert not any(worker.is_alive() for one in loader.made for worker in one._workers)


class AtMilestones(LearningRateFinder):
    """Looks for a rate again as later epochs begin, as Lightning's manual shows it."""

    def on_fit_start(self, *args):
        """Do nothing before training."""

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch in (0, 1):
            self.lr_find(trainer, pl_module)


@pytest.mark.parametrize("limit", [0, *only_with_slow(1.0)])
def test_a_finder_in_the_fit_may_drop_the_validation_loaders(limit, tmp_path):
    finder = AtMilestones(num_training_steps=3, early_stop_threshold=None)
    callback = AutoLR(RACE, rates=(2.0**-16, 2.0**-6))
    settings = {"best": None, "limit_val_batches": limit, "num_sanity_val_steps": 0}
    searched = fit(tmp_path, Plain, [finder, callback], default_root_dir=tmp_path, **settings)
    assert searched.trainer.global_step == 28
    assert callback.result.compared


class Plain(Net):
    """Has no metric objects, which a tuner would leave in another state."""

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))


@pytest.mark.parametrize("sanity", [*only_with_slow(0), 2])
def test_validation_loaders_are_reloaded_in_the_epochs_of_the_run(sanity, tmp_path):
    settings = {"reload_dataloaders_every_n_epochs": 3, "check_val_every_n_epoch": 2}

    def loaded_in(callbacks, folder):
        epochs = []

        class Reloading(Plain):
            def val_dataloader(self):
                if not self.trainer.sanity_checking:
                    epochs.append(self.trainer.current_epoch)
                return val_loader()

        settings["num_sanity_val_steps"] = sanity
        fit(folder, Reloading, callbacks, val=None, max_epochs=9, **settings)
        return epochs

    alone = loaded_in([], tmp_path / "alone")
    beside = loaded_in([AutoLR(rates=(LR, LR))], tmp_path / "beside")
    assert beside == alone if sanity else beside == [0, *alone]
