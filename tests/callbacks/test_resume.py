"""A fit resumed from a checkpoint ends as the uninterrupted one, down to the bits."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch

from autolr.errors import ConfigError, UnsupportedError
from autolr.online import Annealed, Check, Thresholds
from tests.callbacks.cut_runs import (
    CHECKS,
    EPOCHS,
    Fails,
    assert_same,
    resume,
    searcher,
    stored,
    whole_run,
)
from tests.callbacks.namespace import ModelCheckpoint, pl
from tests.callbacks.runs import LR, Net, differences, fit
from tests.cases import with_slow

CUTS = {
    7: "in the race",
    21: "between rounds",
    28: "in a window with rivals",
    35: "between rounds again",
    42: "in a window alone",
    49: "before the end alone",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run with dropout, batch norm and a shuffled loader."""
    return whole_run(tmp_path_factory.mktemp("whole"), searcher())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "step",
    with_slow({v: k for k, v in CUTS.items()}, "in the race", "in a window with rivals"),
)
def test_a_cut_run_ends_as_the_uninterrupted_one(tmp_path, whole, step):
    assert_same(whole, resume(tmp_path, whole.checkpoints[step], searcher()))


@pytest.mark.slow
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
        49: 0,
        56: None,
    }
    averaged = {step for step, search in searches.items() if search and search["live"]["average"]}
    assert averaged == {28, 42}
    ends = {step: [w for w, _ in search["ends"]] for step, search in searches.items() if search}
    assert {step: begun for step, begun in ends.items() if begun} == {
        28: [34],
        35: [34, 22],
        42: [34, 22],
        49: [34, 22, 11],
    }
    assert states[56]["result"]["total_steps"] == 56


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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
