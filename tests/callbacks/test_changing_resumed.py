"""Runs in which what trains changes on the way, cut and resumed."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from functools import partial

import pytest
import torch

from autolr import schedules
from autolr.callbacks import AutoLR, FollowCandidate, PruneTrial
from autolr.callbacks.pause import PauseTrial, TrialPaused
from autolr.callbacks.position import DataPosition
from autolr.errors import ConfigError
from autolr.job import Decision
from autolr.online import Annealed
from tests.callbacks.changing import KINDS, LR, Frozen, Growing, Part, Refrozen, fit, pruning
from tests.callbacks.namespace import ModelCheckpoint
from tests.callbacks.runs import differences
from tests.callbacks.test_changing import left

pytestmark = pytest.mark.filterwarnings("ignore")

RUNGS = (18, 23, 44)  # the first in the epoch before the change, the second in that of it


class Evaluated(Frozen):
    """The backbone is frozen and in evaluation mode, set as the training starts."""

    def on_train_start(self):
        self.backbone.requires_grad_(False).eval()

    def change(self):
        self.backbone.requires_grad_(True).train()


RESUMED = {
    **{name: KINDS[name] for name in ("BackboneFinetuning", "BaseFinetuning")},
    **{make.__name__: (make, None) for make in (Frozen, Refrozen, Evaluated)},
}


class Judge:
    """Lets a run wait at each rung once, or never; records the scores."""

    def __init__(self, waits):
        self.waits = waits
        self.judged = {}

    def judge(self, step, score):
        self.judged[step] = score
        return Decision.PAUSE if self.waits else Decision.CONTINUE


def trial(folder, judge, make, callbacks, setter):
    """Train until the end, or until the next rung: then return None."""
    file = folder / "rung.ckpt"
    pause = PauseTrial(judge, file, known=list(judge.judged))
    ours = [pause, setter(), PruneTrial(pause, RUNGS, window=0.3)]
    given = [*ours, *callbacks(), DataPosition(pause.leaving)]
    try:
        return fit(make, given, ckpt_path=str(file) if file.exists() else None)
    except TrialPaused:
        return None


def follow():
    return FollowCandidate(2 * LR, schedules.cosine())


def search(race=0.35):
    return AutoLR(Annealed(race=race, budget=1.5), rates=(LR / 8, LR * 8))


@pytest.mark.slow
@pytest.mark.parametrize("setter", [follow, search])
@pytest.mark.parametrize("name", RESUMED)
def test_a_promoted_trial_ends_as_one_that_was_never_paused(tmp_path, name, setter):
    make, callback = RESUMED[name]
    callbacks = lambda: [] if callback is None else [callback()]  # noqa: E731
    whole, parts = Judge(waits=False), Judge(waits=True)
    for folder in ("whole", "parts"):
        (tmp_path / folder).mkdir()
    run = trial(tmp_path / "whole", whole, make, callbacks, setter)
    resumed = partial(trial, tmp_path / "parts", parts, make, callbacks, setter)
    assert [resumed() for _ in RUNGS] == [None] * len(RUNGS)
    assert differences(left(*run), left(*resumed())) == []
    assert parts.judged == whole.judged


@pytest.mark.parametrize(
    ("make", "callbacks", "name"),
    [(Growing, list, "extra.bias"), (Part, lambda: [pruning()], "backbone.0.weight")],
    ids=["a module joins", "ModelPruning"],
)
def test_a_trial_that_a_new_model_could_not_continue_is_not_paused(tmp_path, make, callbacks, name):
    with pytest.raises(ConfigError) as raised:
        trial(tmp_path, Judge(waits=False), make, callbacks, follow)
    message = str(raised.value)
    assert f"({name})" in message
    assert "pruner: {name: hyperband, pause: false}" in message


@pytest.mark.slow
@pytest.mark.parametrize("race", [0.2, 0.35])
@pytest.mark.parametrize("epoch", [2, 3, 5], ids=["as it unfreezes", "next", "later"])
@pytest.mark.parametrize("name", ["BackboneFinetuning", "Frozen"])
def test_a_search_that_is_resumed_behind_an_unfreezing_ends_as_the_uninterrupted_one(
    tmp_path, name, epoch, race
):
    make, callback = KINDS[name]
    kept = ModelCheckpoint(
        tmp_path,
        "{step}",
        save_top_k=-1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    given = {"enable_checkpointing": True}
    others = lambda: [] if callback is None else [callback()]  # noqa: E731
    whole = fit(make, [ours := search(race), *others(), kept], **given)
    rest = fit(
        make, [again := search(race), *others()], ckpt_path=tmp_path / f"step={10 * epoch}.ckpt"
    )
    assert differences(left(*whole), left(*rest)) == []
    assert again.result == ours.result
    assert torch.isfinite(torch.tensor(ours.result.scores[-1].score))
