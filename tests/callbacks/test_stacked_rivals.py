"""Rivals of a Lightning run that are trained in one pass."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import logging

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from autolr.callbacks import AutoLR, FollowCandidate
from autolr.online import Annealed
from tests.callbacks.runs import LR, Net, fit

RATES = (2.0**-16, 2.0**-6)  # begins with 2**-11, too low for so short a run


@pytest.fixture(autouse=True)
def _heard(caplog, monkeypatch):
    """Let Lightning's logger be heard by others, whatever the tests before have made of it."""
    monkeypatch.setattr(logging.getLogger("lightning.pytorch"), "propagate", True)
    caplog.set_level(logging.INFO, logger="lightning.pytorch")


class Perceptron(Net):
    """Dropout and a frozen batch norm; nothing that a training step changes but weights."""

    def __init__(self, lr=LR):
        super().__init__(lr)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(36, 24), nn.BatchNorm1d(24), nn.ReLU())
        self.body[2].eval().requires_grad_(False)
        self.body[2].train = lambda mode=True: self.body[2]
        self.head[1] = nn.Linear(24, 4)

    def training_step(self, batch, batch_idx):
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return {"loss": loss * (1 + self.global_step % 3)}

    def configure_optimizers(self):
        groups = [
            {"params": self.body.parameters(), "lr": LR / 3, "weight_decay": 0.3},
            {"params": self.head.parameters()},
        ]
        return torch.optim.AdamW(groups, lr=LR)


class Watching(Perceptron):
    """Looks at its gradients."""

    def on_after_backward(self):
        self.log("gradient", self.head[1].weight.grad.norm())


def searcher(**settings):
    strategy = Annealed(candidates=5, race=0.5, budget=5.0)
    return AutoLR(**{"strategy": strategy, "rates": RATES, "stack": True, **settings})


WIDE = Annealed(candidates=9, race=0.5, checks=(), budget=5.0)


def weights(fitted):
    return list(fitted.module.state_dict().values())


CLIPS = {
    "none": {},
    "norm": {"gradient_clip_val": 0.2},
    "value": {"gradient_clip_val": 0.01, "gradient_clip_algorithm": "value"},
}


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.filterwarnings("ignore")
def test_rivals_trained_together_end_as_those_trained_one_by_one(tmp_path, caplog, clip):
    caplog.set_level(logging.INFO, logger="autolr")
    stacked, single = searcher(), searcher(stack=False)
    ours = fit(tmp_path / "stacked", Perceptron, [stacked], **CLIPS[clip])
    theirs = fit(tmp_path / "single", Perceptron, [single], **CLIPS[clip])
    assert "trained together, 4 in one pass" in caplog.text
    assert stacked.result.peak == single.result.peak
    assert stacked.result.peak != pytest.approx(2.0**-11)  # a rival won
    assert list(stacked.result.probes.score) == pytest.approx(
        list(single.result.probes.score), rel=1e-4
    )
    for mine, other in zip(weights(ours), weights(theirs), strict=True):
        # 28 steps of AdamW, which divides by small gradients' own size
        assert torch.allclose(mine, other, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_a_run_whose_winner_was_stacked_replays_up_to_rounding(tmp_path):
    search = searcher()
    searched = fit(tmp_path / "searched", Perceptron, [search])
    again = FollowCandidate(search.result.peak, search.result.schedule)
    replayed = fit(tmp_path / "replayed", Perceptron, [again])
    for mine, other in zip(weights(searched), weights(replayed), strict=True):
        assert torch.allclose(mine, other, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_a_hook_that_has_to_see_every_rival_keeps_them_apart(tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="autolr")
    fit(tmp_path, Watching, [searcher()])
    assert "one by one: the module overrides on_after_backward" in caplog.text


@pytest.mark.filterwarnings("ignore")
def test_eight_rivals_are_trained_together_unasked_and_it_is_said(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    unasked, single = (searcher(strategy=WIDE, stack=stack) for stack in (None, False))
    ours = fit(tmp_path / "unasked", Perceptron, [unasked])
    theirs = fit(tmp_path / "single", Perceptron, [single])
    told = [record.message for record in caplog.records if "probes are" in record.message]
    assert told == ["AutoLR: probes are trained together, 8 in one pass"]
    assert unasked.result.peak == single.result.peak
    for mine, other in zip(weights(ours), weights(theirs), strict=True):
        assert torch.allclose(mine, other, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_four_rivals_are_not_trained_together_unasked(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    unasked, single = (searcher(stack=stack) for stack in (None, False))
    ours = fit(tmp_path / "unasked", Perceptron, [unasked])
    theirs = fit(tmp_path / "single", Perceptron, [single])
    assert "probes are" not in caplog.text
    assert all(map(torch.equal, weights(ours), weights(theirs)))


@pytest.mark.filterwarnings("ignore")
def test_eight_rivals_that_cannot_be_trained_together_are_not_and_it_is_said_why(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    fit(tmp_path, Watching, [searcher(strategy=WIDE, stack=None)])
    assert "AutoLR: probes are trained one by one: the module overrides on_after" in caplog.text
