"""A search under manual optimization that is cut and resumed ends as the uninterrupted one."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from types import SimpleNamespace

import pytest

from autolr.callbacks import AutoLR, FollowCandidate
from autolr.errors import ConfigError
from autolr.online import Annealed, Check
from tests.callbacks.cut_runs import assert_same, searcher
from tests.callbacks.manual import Accumulating, Gan, Raw, Two, circle
from tests.callbacks.namespace import Callback
from tests.callbacks.runs import Bare, fit
from tests.callbacks.test_several_optimizers import Rates

OWN = 2e-3


class Both(Two, Bare):
    """Without dropout: a batch is drawn by the loader alone."""


class EverySecond(Accumulating, Bare):
    """Steps on every second batch; gradients wait at the end of some epochs."""

    every = 2

    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx + self.current_epoch)


class Plain(Raw, Bare):
    pass


def gan_search():
    strategy = Annealed(
        candidates=3, race=0.2, checks=(Check(0.5, 0.6, factors=(0.5,)),), budget=3.0
    )
    return AutoLR(strategy, monitor="distance", mode="min", rates=(OWN / 16, OWN * 4))


CASES = {
    "two optimizers": (lambda: searcher(monitor="val_loss", rates=None), Both, dict),
    "a GAN": (gan_search, Gan, circle),
    "gradients accumulated by hand": (searcher, EverySecond, lambda: {"max_epochs": 16}),
    "steps that Lightning does not count": (searcher, Plain, dict),
}


class Kept(Callback):
    """Keeps a checkpoint of each epoch; Lightning's own callback skips those without a new step."""

    def __init__(self, folder):
        self.folder = folder

    def on_train_epoch_end(self, trainer, pl_module):
        trainer.save_checkpoint(self.folder / f"{trainer.current_epoch}.ckpt")


EPOCHS = (0, 2, 4, 6)  # after which a run is cut: in the race, between rounds, and later


def run(folder, case, path=None, callbacks=(), **settings):
    search, make, given = CASES[case]
    callback = search()
    settings = {"max_epochs": 8, **given(), **settings}
    made = fit(folder, make, [callback, *callbacks], ckpt_path=path, **settings)
    return SimpleNamespace(left=made.left, result=callback.result)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES)
def test_a_cut_run_ends_as_the_uninterrupted_one(case, tmp_path):
    whole = run(tmp_path / "whole", case, callbacks=[Kept(tmp_path)])
    for epoch in EPOCHS:
        path = tmp_path / f"{epoch}.ckpt"
        assert_same(whole, run(tmp_path / f"cut {epoch}", case, path))


@pytest.mark.filterwarnings("ignore")
def test_a_search_is_not_resumed_in_a_run_of_another_length(tmp_path):
    run(tmp_path / "whole", "a GAN", callbacks=[Kept(tmp_path)])
    path = tmp_path / "0.ckpt"
    with pytest.raises(ConfigError, match="max_epochs, max_steps and the batches of an epoch was"):
        run(tmp_path / "longer", "a GAN", path, max_epochs=9)


@pytest.mark.filterwarnings("ignore")
def test_a_followed_schedule_continues_by_steps_and_not_by_the_trainers_count(tmp_path):
    def rates(folder, path=None):
        seen, follower = Rates(), FollowCandidate(OWN, "linear")
        callbacks = [follower, seen, Kept(folder)]
        fit(folder, Gan, callbacks, ckpt_path=path, **circle())
        return [first for first, _ in seen.seen]

    whole = rates(tmp_path / "whole")
    assert whole == pytest.approx([OWN * (1 - step / 28) for step in range(28)])
    assert rates(tmp_path / "rest", tmp_path / "whole" / "1.ckpt") == whole[14:]
