"""`pytorch_lightning` serves as well as `lightning.pytorch`: alone, or both in one process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = (  # what is attached, leaves no trace, is replayed, resumed, left, applied, handed over
    "test_neutrality.py::test_a_search_whose_rivals_all_lose_changes_no_bit[logging in hooks]",
    "test_neutrality.py::test_a_search_whose_rivals_all_lose_changes_no_bit"
    "[accumulated gradients, a partial last window]",
    "test_replay.py::test_the_run_ends_as_one_at_the_chosen_peak_from_its_first_step[plain]",
    "test_resume.py::test_a_cut_run_ends_as_the_uninterrupted_one[in the race]",
    "test_pause.py::test_a_run_left_at_its_rungs_ends_as_the_one_that_was_not[(5, 10)-plain]",
    "test_pause.py::test_a_search_inside_the_run_continues",
    "test_prune.py::test_a_pruned_run_stops_at_its_rung",
    "test_prune.py::test_a_run_with_its_own_scheduler_is_scored_and_not_changed",
    "test_rule.py::test_the_optimizer_of_the_module_gives_way_to_the_rules",
    "test_rule.py::test_a_grad_scaler_leaves_the_rule_its_loss",
    "test_rule.py::test_checkpoints_of_weights_alone_are_refused",
    "test_supported.py::test_averages_begin_anew_from_the_winner[False]",
    "test_swa.py::test_where_none_fits_the_customary_peak_is_kept",
    "test_swa.py::test_a_search_with_one_candidate_changes_no_bit[at once]",
)
RUN_CORE = """
import sys
import pytorch_lightning
import pytest
status = pytest.main(["-n", "0", "-q", "-p", "no:cacheprovider", *sys.argv[1:]])
assert "lightning" not in sys.modules, "both namespaces were loaded"
sys.exit(status)
"""
BOTH = """
from pathlib import Path

from autolr.callbacks import AutoLR, FollowCandidate  # as isort has it: before Lightning
import lightning.pytorch
import pytorch_lightning as pl
import torch
from pytest import raises
from torch.utils.data import DataLoader, TensorDataset

from autolr.callbacks.rule_checks import check_checkpoints
from autolr.callbacks.swa import swa_of
from autolr.errors import ConfigError, UnsupportedError
from autolr.objective.lightning_cli import lightning_errors

assert issubclass(FollowCandidate, pl.Callback)
assert issubclass(FollowCandidate, lightning.pytorch.Callback)

def line(base):
    class Line(base):
        def __init__(self):
            super().__init__()
            self.net = torch.nn.Linear(3, 1)

        def loss(self, batch):
            return (self.net(batch[0]) - batch[1]).square().mean()

        def training_step(self, batch, batch_idx):
            assert self.trainer.early_stopping_callback is not None
            return self.loss(batch)

        def validation_step(self, batch, batch_idx):
            self.log("val_loss", self.loss(batch))

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), 1e-3)

    return Line()

x = torch.randn(160, 3)
data = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), 8)
for names in pl, lightning.pytorch:
    search, stop = AutoLR(), names.callbacks.EarlyStopping("val_loss", patience=99)
    trainer = names.Trainer(max_epochs=6, accelerator="cpu", logger=False, callbacks=[search, stop],
                            enable_checkpointing=False, enable_progress_bar=False)
    trainer.fit(line(names.LightningModule), data, data)
    assert search.result.probe_steps > 0
    averages = names.callbacks.StochasticWeightAveraging(0.1)
    weights = names.callbacks.ModelCheckpoint(save_weights_only=True)
    trainer = names.Trainer(accelerator="cpu", logger=False, callbacks=[averages, weights])
    assert swa_of(trainer) is averages
    with raises(UnsupportedError):
        check_checkpoints(trainer)
    with raises(ConfigError), lightning_errors(Path()):
        names.Trainer(fast_dev_run=-1)  # a MisconfigurationException
pl.Trainer(accelerator="cpu", callbacks=AutoLR())  # a Trainer takes a callback alone, of its own
"""


def python(program: str, *arguments: str, **environment: str) -> None:
    """Run a program in a process of its own, in which nothing is imported yet."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_core_of_these_tests_holds_under_the_other_namespace_alone() -> None:
    core = [f"tests/callbacks/{test}" for test in CORE]
    python(RUN_CORE, *core, NAMESPACE="pytorch_lightning", PYTEST_ADDOPTS="")


@pytest.mark.slow
def test_callbacks_are_of_both_namespaces_where_both_are_loaded() -> None:
    python(BOTH)
