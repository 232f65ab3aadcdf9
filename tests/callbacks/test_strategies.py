"""A strategy of the user's own in a Trainer: its actions are carried out, its state is stored."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from dataclasses import dataclass, field, replace

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from autolr import schedules
from autolr.callbacks import AutoLR
from autolr.candidate import Candidate
from autolr.errors import ConfigError
from autolr.online import Commit, Observation, Probe, Rollback, Save
from tests.callbacks.runs import Net, fit

SEEN: list[Observation] = []  # the observations of the search that was made last
RUN = Candidate(peak=2.0**-6, schedule=schedules.constant())
RIVAL = replace(RUN, peak=2.0**-7)


@dataclass(frozen=True)
class Scripted:
    """Answers with the actions of a list, whatever it observes."""

    actions: tuple[object, ...]
    at: int = 0
    budget: float = field(default=1.0, compare=False)
    rewinds: bool = field(default=False, compare=False)

    def begin(self, run):
        SEEN.clear()
        return self

    @property
    def action(self):
        return self.actions[self.at]

    def observe(self, observation):
        SEEN.append(observation)
        return replace(self, at=self.at + 1)

    def to_dict(self):
        return {"at": self.at}

    def state_from_dict(self, values):
        return replace(self, **values)


RACE = Probe((RUN, RIVAL), 0, 5, 2)
WATCH = Probe((RIVAL,), 6, 9, 2)


class Weights(pl.Callback):
    """Keeps the weights with which each step begins."""

    def __init__(self):
        self.at = {}

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        weights = [parameter.detach().clone() for parameter in pl_module.parameters()]
        self.at[trainer.global_step] = weights


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.filterwarnings("ignore")
def test_its_actions_are_carried_out_in_their_order(tmp_path):
    lower = replace(RIVAL, peak=2.0**-9)
    actions = (RACE, Save(RIVAL), WATCH, Rollback(RIVAL, 0.25), Commit(lower))
    callback, weights = AutoLR(Scripted(actions)), Weights()
    fit(tmp_path, Net, [weights, callback])
    assert [seen.step for seen in SEEN] == [5, 5, 9, 9]
    assert [len(seen.scores) for seen in SEEN] == [2, 0, 1, 0]
    assert {seen.step + seen.steps_left for seen in SEEN} == {28}
    assert callback.result.candidate == lower
    assert [
        (rollback.step, rollback.to, rollback.factor) for rollback in callback.result.rollbacks
    ] == [(9, 5, 0.25)]
    averaged, later = weights.at[9], weights.at[8]
    assert not same(averaged, later)
    assert max(float((a - b).abs().max()) for a, b in zip(averaged, weights.at[5], strict=True)) < (
        max(float((a - b).abs().max()) for a, b in zip(later, weights.at[5], strict=True))
    )


@pytest.mark.filterwarnings("ignore")
def test_its_state_is_stored_and_the_fit_continues_with_it(tmp_path):
    strategy = Scripted((RACE, Save(RIVAL), WATCH, Commit(RIVAL)))
    kept = ModelCheckpoint(tmp_path / "kept", "{step}", every_n_train_steps=7, save_top_k=-1)
    whole = AutoLR(strategy)
    left = fit(tmp_path / "whole", Net, [whole, kept]).left
    rest = AutoLR(strategy)
    path = tmp_path / "kept" / "step=7.ckpt"
    stored = torch.load(path, weights_only=False)["callbacks"]["AutoLR"]["search"]
    assert stored["rivals"]["search"]["state"] == {"at": 2}
    resumed = fit(tmp_path / "rest", Net, [rest], ckpt_path=path).left
    assert rest.result == whole.result
    weights = (one["checkpoint"]["state_dict"].values() for one in (left, resumed))
    assert same(*weights)


@pytest.mark.filterwarnings("ignore")
def test_it_is_informed_that_training_will_stop(tmp_path):
    class Stops(pl.Callback):
        def on_train_batch_end(self, trainer, *_):
            trainer.should_stop = trainer.global_step == 9

    strategy = Scripted((RACE, Save(RIVAL), WATCH, Commit(RIVAL)))
    fit(tmp_path, Net, [Stops(), AutoLR(strategy)])
    assert [seen.stop_requested for seen in SEEN] == [False, False, True]


@pytest.mark.parametrize("strategy", [3, object(), Scripted, RACE])
def test_what_is_no_strategy_is_refused_in_one_line(strategy):
    with pytest.raises(ConfigError, match=r"strategy must be .*a frozen dataclass") as refused:
        AutoLR(strategy)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("val_mse", "write monitor='val_mse'"),
        ("valid/score", "write monitor='valid/score'"),
        ("top5acc", "write monitor='top5acc'"),
        ("cosine", "did you mean schedule='cosine'?"),
        ("anealed", "did you mean 'annealed'?"),
    ],
)
def test_another_setting_in_the_first_place_is_named(given, meant):
    with pytest.raises(ConfigError, match="strategy") as refused:
        AutoLR(given)
    assert str(refused.value).endswith(meant)


@pytest.mark.parametrize("monitor", ["", " ", 5, ["val_loss"]])
def test_what_is_no_name_of_a_metric_is_refused_at_once(monitor):
    with pytest.raises(ConfigError, match="monitor must be the name of a metric"):
        AutoLR(monitor=monitor)
