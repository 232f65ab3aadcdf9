"""A fit resumed from a checkpoint ends as the uninterrupted one, down to the bits."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from autolr.callbacks import AutoLR
from autolr.errors import ConfigError, UnsupportedError
from autolr.online import Annealed, Check, Judgement
from tests.callbacks.runs import TRAIN, Net, differences, fit, train_loader

# Of 56 steps, 7 an epoch: a race of three up to step 20, averaged from 15 on; two rivals from 22
# to 30, averaged from 26 on; and the run alone at 45, averaged from 40 on.
EPOCHS = 8
CHECKS = (Check(0.4, 0.55, factors=(0.5, 2.0)), Check(0.8, 0.8))
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
    strategy = Annealed(candidates=3, race=0.2, checks=CHECKS)
    return AutoLR(**{"strategy": strategy, "rates": RATES, "budget": 3.0, **settings})


def whole_run(folder, callback, make=Net, **settings):
    """Return a run that is kept at each epoch's end, or as ``keep`` says."""
    keep = settings.pop("keep", {"save_on_train_epoch_end": True})
    kept = ModelCheckpoint(folder / "ckpt", "{step}", save_top_k=-1, **keep)
    run = fit(folder, make, [callback, kept], **{"max_epochs": EPOCHS, **settings})
    found = {int(path.stem.split("=")[1]): path for path in (folder / "ckpt").glob("step=*.ckpt")}
    return SimpleNamespace(left=run.left, result=callback.result, checkpoints=found)


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


@pytest.fixture(scope="module", params=["epoch's end", "validation's end"])
def whole(request, tmp_path_factory):
    """A run with dropout, batch norm and a shuffled loader."""
    keep = {"save_on_train_epoch_end": request.param == "epoch's end"}
    return whole_run(tmp_path_factory.mktemp("whole"), searcher(), keep=keep)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("step", CUTS, ids=CUTS.get)
def test_a_cut_run_ends_as_the_uninterrupted_one(tmp_path, whole, step):
    assert_same(whole, resume(tmp_path, whole.checkpoints[step], searcher()))


def test_the_cuts_are_where_their_names_say(whole):
    states = {step: stored(path) for step, path in whole.checkpoints.items()}
    searches = {step: state["search"] and state["search"]["shadows"] for step, state in states.items()}
    assert {step: search and len(search["rivals"]) for step, search in searches.items()} == {
        7: 2, 14: 2, 21: 0, 28: 2, 35: 0, 42: 0, 49: None, 56: None
    }
    averaged = [step for step, search in searches.items() if search and search["live"]["average"]]
    assert averaged == [28, 42]
    assert states[49]["result"]["total_steps"] == 56
