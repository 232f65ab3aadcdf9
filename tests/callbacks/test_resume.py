"""A fit resumed from a checkpoint ends as the uninterrupted one, down to the bits."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from types import SimpleNamespace

import pytest
import torch

from autolr.callbacks import AutoLR
from autolr.errors import ConfigError, UnsupportedError
from autolr.online import Annealed, Check, Thresholds
from tests.callbacks.namespace import ModelCheckpoint, pl
from tests.callbacks.runs import LR, TRAIN, Net, differences, fit

# Of 56 steps, 7 an epoch: a race of three peaks and the own rate up to step 20, averaged from 15
# on; two rivals from 22 to 30, averaged from 26 on; and the run alone at 45, averaged from 40 on.
EPOCHS = 8
CHECKS = (Check(0.4, 0.55, factors=(0.5, 0.25)), Check(0.8, 0.8))
CUTS = {
    7: "in the race",
    21: "between rounds",
    28: "in a window with rivals",
    35: "between rounds again",
    42: "in a window alone",
    49: "after the search",
}
RATES = (2.0**-10, 2.0**-6)
COMPARED = ("weights and buffers", "optimizer", "generators", "global_step", "modes")


def searcher(**settings):
    strategy = Annealed(candidates=3, race=0.2, checks=CHECKS, budget=3.0)
    return AutoLR(**{"strategy": strategy, "rates": RATES, **settings})


def whole_run(folder, callback, make=Net, **settings):
    """Return a run that is kept at each epoch's end, or as ``keep`` says."""
    keep = settings.pop("keep", {"save_on_train_epoch_end": True})
    kept = ModelCheckpoint(folder / "ckpt", "{step}", save_top_k=-1, **keep)
    run = fit(folder, make, [callback, kept], **{"max_epochs": EPOCHS, **settings})
    actual = {int(path.stem.split("=")[1]): path for path in (folder / "ckpt").glob("step=*.ckpt")}
    return SimpleNamespace(left=run.left, result=callback.result, checkpoints=actual)


def resume(folder, path, callback, make=Net, **settings):
    run = fit(folder, make, [callback], ckpt_path=path, **{"max_epochs": EPOCHS, **settings})
    return SimpleNamespace(left=run.left, result=callback.result)


def assert_same(whole, rest):
    assert rest.result == whole.result
    for name in COMPARED:
        assert differences(whole.left[name], rest.left[name], name) == []
    order = trained_on(rest)
    assert differences(trained_on(whole)[-len(order) :], order) == []


def trained_on(run):
    return [seen[3] for seen in run.left["data order"] if seen[0] == "train"]


def stored(path):
    """Return AutoLR's part of a checkpoint, loaded as a stranger's would be."""
    states = torch.load(path, weights_only=True)["callbacks"]
    (ours,) = (state for name, state in states.items() if name.startswith("AutoLR"))
    return ours


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run with dropout, batch norm and a shuffled loader."""
    return whole_run(tmp_path_factory.mktemp("whole"), searcher())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("step", CUTS, ids=CUTS.get)
def test_a_cut_run_ends_as_the_uninterrupted_one(tmp_path, whole, step):
    assert_same(whole, resume(tmp_path, whole.checkpoints[step], searcher()))


@pytest.mark.filterwarnings("ignore")
def test_so_does_a_run_that_was_cut_between_validation_and_the_epochs_end(tmp_path):
    keep = {"save_on_train_epoch_end": False}
    whole = whole_run(tmp_path / "whole", searcher(), keep=keep)
    for step in (7, 28):
        assert_same(whole, resume(tmp_path / str(step), whole.checkpoints[step], searcher()))


def test_the_cuts_are_where_their_names_say(whole):
    states = {step: stored(path) for step, path in whole.checkpoints.items()}
    searches = {
        step: state["search"] and state["search"]["rivals"] for step, state in states.items()
    }
    assert {step: search and len(search["rivals"]) for step, search in searches.items()} == {
        7: 3,
        14: 3,
        21: 0,
        28: 2,
        35: 0,
        42: 0,
        49: None,
        56: None,
    }
    averaged = {step for step, search in searches.items() if search and search["live"]["average"]}
    assert averaged == {28, 42}
    assert states[49]["result"]["total_steps"] == 56


# --- what else training depends on


@pytest.mark.filterwarnings("ignore")
def test_a_run_cut_beside_a_copy_of_its_best_state_is_put_back_as_if_it_had_not_been_cut(tmp_path):
    class Past(Net):
        """Its metric is best at some distance from the first weights, which training goes past."""

        def __init__(self):
            super().__init__()
            self.first = self.head[1].weight.detach().clone()

        def validation_step(self, batch, batch_idx):
            distance = (self.head[1].weight - self.first).norm()
            self.log("val_loss", 0.1 + (distance - 0.3).abs())

    watches = Annealed(3, 0.2, (*CHECKS[1:], Check(0.92, 0.92)), Thresholds(band=0.0), budget=3.0)
    settings = {"strategy": watches}
    whole = whole_run(tmp_path / "whole", searcher(**settings), Past)
    assert [(made.step, made.to) for made in whole.result.rollbacks] == [(45, 20)]
    search = stored(whole.checkpoints[49])["search"]["rivals"]
    assert (len(search["rivals"]), search["best"] is not None) == (2, True)
    for step in (21, 49):  # behind the best state, and beside a copy of it
        path = whole.checkpoints[step]
        assert_same(whole, resume(tmp_path / str(step), path, searcher(**settings), Past))


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
@pytest.mark.parametrize("step", [16, 24])
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


@pytest.mark.filterwarnings("ignore")
def test_what_a_module_does_behind_the_last_batch_is_done_to_each_rival(tmp_path):
    whole = whole_run(tmp_path / "whole", searcher(), Clipping)
    kept = stored(whole.checkpoints[14])["search"]["rivals"]
    weights = [r["snapshot"]["tensors"].values() for r in kept["rivals"]]
    last = [max(float(tensor.abs().max()) for tensor in tensors) for tensors in weights]
    assert max(last) > 0.1  # not yet
    assert_same(whole, resume(tmp_path / "rest", whole.checkpoints[14], searcher(), Clipping))


# --- runs that do not end as they should


class Fails(pl.Callback):
    def __init__(self, step):
        self.step = step

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.step:
            raise KeyError("the disk is full")


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


@pytest.mark.filterwarnings("ignore")
def test_a_checkpoint_of_a_run_that_was_stopped_early_holds_the_search(tmp_path, whole):
    class Stops(pl.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            trainer.should_stop = trainer.current_epoch == 3

    cut = fit(tmp_path / "cut", Net, [searcher(), Stops()], max_epochs=EPOCHS)
    cut.trainer.save_checkpoint(tmp_path / "cut.ckpt")
    assert_same(whole, resume(tmp_path / "rest", tmp_path / "cut.ckpt", searcher()))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("changed", "trainer", "message"),
    [
        ({"rates": (2.0**-9, 2.0**-6)}, {}, "rates was (0.0009765625, 0.015625), is (0.001953125"),
        (
            {"strategy": Annealed(5, 0.2, CHECKS, budget=3.0)},
            {},
            "strategy's candidates was 3, is 5",
        ),
        ({"strategy": Annealed(3, 0.2, budget=3.0)}, {}, "another strategy's checks"),
        ({"schedule": "cosine"}, {}, "schedule was None, is cosine()"),
        ({}, {"max_epochs": 9}, "the number of steps was 56, is 63"),
        ({"monitor": "val_acc", "mode": "max"}, {}, "mode was 'min', is 'max'"),
    ],
    ids=["rates", "candidates", "checks", "schedule", "length", "monitor"],
)
def test_a_search_that_was_begun_with_other_settings_is_refused(
    tmp_path, whole, changed, trainer, message
):
    path = whole.checkpoints[28]
    with pytest.raises(ConfigError) as refused:
        resume(tmp_path, path, searcher(**changed), **trainer)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.filterwarnings("ignore")
def test_a_checkpoint_of_a_run_without_autolr_is_refused(tmp_path):
    kept = ModelCheckpoint(tmp_path, "cut")
    fit(tmp_path / "plain", Net, [kept], max_epochs=1)
    with pytest.raises(UnsupportedError, match="step 7 holds neither a result nor a search"):
        resume(tmp_path / "rest", tmp_path / "cut.ckpt", searcher())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("change", [{"format": 1}, {"shadows": {"search": {"judgement": {}}}}])
def test_a_search_under_way_of_another_version_is_refused_in_one_line(tmp_path, whole, change):
    checkpoint = torch.load(whole.checkpoints[28], weights_only=False)
    stored = checkpoint["callbacks"]["AutoLR"]["search"]
    if "format" not in change:  # version 0.1 had other keys, and no number
        stored.clear()
    stored.update(change)
    torch.save(checkpoint, tmp_path / "other.ckpt")
    with pytest.raises(UnsupportedError, match="of another version of autolr") as refused:
        resume(tmp_path / "rest", tmp_path / "other.ckpt", searcher())
    assert "\n" not in str(refused.value)


@pytest.mark.filterwarnings("ignore")
def test_a_finished_search_says_in_a_line_that_a_longer_run_does_not_extend_it(tmp_path, whole):
    with pytest.warns(
        UserWarning, match=r"has 56 steps, this run 70; .* at a rate of 0$"
    ) as warned:
        rest = resume(tmp_path, whole.checkpoints[56], searcher(), max_epochs=10)
    assert rest.left["global_step"] == 70
    assert rest.result == whole.result
    assert [str(one.message).count("\n") for one in warned if "AutoLR" in str(one.message)] == [0]


# --- the same callback again


@pytest.mark.filterwarnings("ignore")
def test_a_callback_that_has_seen_a_cut_run_begins_a_new_one_afresh(tmp_path, whole):
    callback = searcher()
    with pytest.raises(KeyError):
        fit(tmp_path / "cut", Net, [callback, Fails(25)], max_epochs=EPOCHS)
    again = whole_run(tmp_path / "again", callback)
    assert again.result == whole.result
    assert differences(again.left["weights and buffers"], whole.left["weights and buffers"]) == []


class WarmedByHand(Net):
    """Writes a rise of 30 steps after each step, without a scheduler."""

    def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure):
        optimizer.step(closure=optimizer_closure)
        for group in optimizer.param_groups:
            group["lr"] = LR * min(1.0, (self.trainer.global_step + 1) / 30)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("cut", [2, 4])
def test_a_race_that_has_seen_a_part_of_a_warm_up_by_hand_waits_for_the_rest_of_it(cut, tmp_path):
    short = {"limit_train_batches": 2, "max_epochs": 24, "make": WarmedByHand}
    whole = whole_run(tmp_path, searcher(rates=None), **short)
    assert min(score.start for score in whole.result.scores) > 10  # in place of 0
    rest = resume(tmp_path / "rest", whole.checkpoints[cut], searcher(rates=None), **short)
    assert_same(whole, rest)
