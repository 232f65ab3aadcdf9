"""What a run depends on beside its weights comes back as it continues."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch

from tests.callbacks.cut_runs import EPOCHS, Fails, assert_same, resume, searcher, stored, whole_run
from tests.callbacks.namespace import ModelCheckpoint, pl
from tests.callbacks.runs import LR, TRAIN, Net, fit
from tests.cases import only_with_slow


class Resumable:
    """Batches in an order that differs from epoch to epoch, with a state of its own."""

    def __init__(self):
        self.epoch = self.position = 0

    def __len__(self):
        return 7

    def __iter__(self):
        order = torch.randperm(98, generator=torch.Generator().manual_seed(self.epoch)).view(7, 14)
        for position in range(self.position, 7):
            last = position == 6
            self.epoch, self.position = self.epoch + last, 0 if last else position + 1
            yield [tensor[order[position]] for tensor in TRAIN.tensors]

    def state_dict(self):
        return {"epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state):
        self.__dict__.update(state)


@pytest.fixture(scope="module")
def resumable(tmp_path_factory):
    """A run whose loader keeps its state."""
    folder, keep = tmp_path_factory.mktemp("resumable"), {"every_n_train_steps": 4}
    return whole_run(folder, searcher(), keep=keep, train=Resumable())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("step", [*only_with_slow(16), 24])
def test_a_run_cut_in_mid_epoch_ends_the_same_with_a_loader_that_keeps_its_state(
    tmp_path, resumable, step
):
    rest = resume(tmp_path, resumable.checkpoints[step], searcher(), train=Resumable())
    assert_same(resumable, rest)


class SavesAt(pl.Callback):
    """Writes a checkpoint after a batch, whatever the optimizer has done with it."""

    def __init__(self, path, batch):
        self.path, self.batch = path, batch

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.fit_loop.total_batch_idx == self.batch:
            trainer.save_checkpoint(self.path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_gradients_that_are_being_accumulated_are_kept(tmp_path):
    settings = {"accumulate_grad_batches": 3, "max_epochs": 16}
    path = tmp_path / "cut.ckpt"
    callbacks = [searcher(), SavesAt(path, batch=15)]  # the second of three, in the race
    whole = fit(tmp_path / "whole", Net, callbacks, train=Resumable(), **settings)
    search = stored(path)["search"]["rivals"]
    assert [len(search["rivals"]), len(search["gradients"])] == [3, 6]
    whole.result = callbacks[0].result
    rest = resume(tmp_path / "rest", path, searcher(), train=Resumable(), **settings)
    assert_same(whole, rest)


class Counting(Net):
    """Keeps a mean of its losses beside its weights, and trains by it; has an own scheduler."""

    def __init__(self):
        super().__init__()
        self.mean = torch.zeros(())

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx) * (1 + self.mean)
        self.mean = 0.9 * self.mean + 0.1 * loss.detach().tanh()
        return loss

    def on_save_checkpoint(self, checkpoint):
        checkpoint["mean"] = self.mean

    def on_load_checkpoint(self, checkpoint):
        self.mean = checkpoint["mean"]

    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 56)
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_what_a_module_keeps_beside_its_weights_comes_back_with_each_rival(tmp_path):
    keep = {"every_n_train_steps": 12}  # as an epoch begins rivals take on what the run has
    whole = whole_run(tmp_path / "whole", searcher(), Counting, keep=keep, train=Resumable())
    path = whole.checkpoints[12]
    kept = stored(path)["search"]["rivals"]
    means = [rival["snapshot"]["attributes"][0]["mean"] for rival in kept["rivals"]]
    assert means[0] != means[1]
    rest = resume(tmp_path / "rest", path, searcher(), Counting, train=Resumable())
    assert_same(whole, rest)
    assert rest.result.own_peak == LR


class Clipping(Net):
    """Clips its weights after each batch, in a hook that comes behind the callbacks'."""

    def on_train_batch_end(self, outputs, batch, batch_idx):
        with torch.no_grad():
            self.head[1].weight.clamp_(-0.1, 0.1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_what_a_module_does_behind_the_last_batch_is_done_to_each_rival(tmp_path):
    whole = whole_run(tmp_path / "whole", searcher(), Clipping)
    kept = stored(whole.checkpoints[14])["search"]["rivals"]
    weights = [r["snapshot"]["tensors"].values() for r in kept["rivals"]]
    last = [max(float(tensor.abs().max()) for tensor in tensors) for tensors in weights]
    assert max(last) > 0.1  # not yet
    assert_same(whole, resume(tmp_path / "rest", whole.checkpoints[14], searcher(), Clipping))


@pytest.mark.filterwarnings("ignore")
def test_a_checkpoint_that_is_written_as_the_run_fails_holds_the_search(tmp_path, resumable):
    kept = ModelCheckpoint(tmp_path / "ckpt", "cut", save_on_exception=True)
    callbacks = [searcher(), Fails(25), kept]
    with pytest.raises(KeyError):
        fit(tmp_path / "cut", Net, callbacks, train=Resumable(), max_epochs=EPOCHS)
    rivals = stored(tmp_path / "ckpt" / "cut.ckpt")["search"]["rivals"]
    assert [rivals["step"], len(rivals["rivals"])] == [25, 2]
    rest = resume(tmp_path / "rest", tmp_path / "ckpt" / "cut.ckpt", searcher(), train=Resumable())
    assert rest.left["global_step"] == 55  # the batch at which it failed has been drawn
    assert len(rest.result.scores) == len(resumable.result.scores)
