"""Profiles chosen inside a Lightning run."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import numpy as np
import pytest
import torch

from autolr.callbacks import AutoLR, FollowCandidate
from autolr.errors import ConfigError
from autolr.online import Annealed, Thresholds
from tests.callbacks.runs import LR, Net, differences, fit, trained
from tests.cases import with_slow

LONG = {"max_epochs": -1, "max_steps": 80, "check_val_every_n_epoch": 6, "log_every_n_steps": 40}
SPACE = {"lr": LR, "schedule": ["linear", "cosine", "exponential"]}


@pytest.mark.filterwarnings("ignore")
def test_a_space_of_one_point_changes_no_bit(tmp_path):
    callback = AutoLR(candidates={"lr": LR, "schedule": "constant"})
    searched = fit(tmp_path / "searched", callbacks=[callback])
    plain = fit(tmp_path / "plain")
    assert callback.result.probe_steps == 0
    assert differences(searched.left, plain.left) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "margin", with_slow({"the default stays": 1e6, "the best wins": 0.0}, "the best wins")
)
def test_a_run_that_chose_a_profile_is_replayed_bit_for_bit(margin, tmp_path):
    strategy = Annealed(thresholds=Thresholds(margin=margin, rollbacks=0), budget=1.0)
    callback = AutoLR(strategy, candidates=SPACE)
    searched = fit(tmp_path / "searched", callbacks=[callback], **LONG)
    result = callback.result
    annealed = [scored for scored in result.scores if scored.annealed]
    assert len(annealed) == 4
    assert annealed[0].kept == (margin > 0 or min(t.score for t in annealed) == annealed[0].score)
    again = FollowCandidate(result.peak, result.schedule)
    replayed = fit(tmp_path / "replayed", callbacks=[again], **LONG)
    assert differences(trained(searched.left), trained(replayed.left)) == []


@pytest.mark.filterwarnings("ignore")
def test_a_rate_of_numpy_is_followed_as_a_float(tmp_path):
    ends = [fit(tmp_path, Net, [FollowCandidate(x, "linear")]) for x in (0.25, np.float32(0.25))]
    assert differences(*(end.left for end in ends)) == []


class Scheduled(Net):
    """With a scheduler of its own."""

    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        return [optimizer], [torch.optim.lr_scheduler.ConstantLR(optimizer)]


def test_profiles_beside_a_scheduler_of_the_modules_own_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"AutoLR\(candidates=...\) and the module's ConstantLR"):
        fit(tmp_path, Scheduled, [AutoLR(candidates="quick")])
