"""A run that was left at a rung continues as if it had not been."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import json
import shutil
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from autolr import schedules
from autolr.callbacks import AutoLR, FollowCandidate, PruneTrial
from autolr.callbacks.pause import PauseTrial, TrialPaused
from autolr.callbacks.position import DataPosition
from autolr.callbacks.record import JsonLines
from autolr.errors import UnsupportedError
from autolr.job import Decision
from autolr.online import Annealed
from tests.callbacks.namespace import pl
from tests.callbacks.runs import LR, TRAIN, Net, Stream, differences, fit, train_loader, val_loader
from tests.cases import only_with_slow

pytestmark = pytest.mark.filterwarnings("ignore")

LEFT = ("weights and buffers", "optimizer", "global_step", "generators")


class Judge:
    """Lets a run wait at some rungs, once at each; records the scores."""

    def __init__(self, waits=()):
        self.waits = set(waits)
        self.judged = {}

    def judge(self, step, score):
        assert step not in self.judged
        self.judged[step] = score
        return Decision.PAUSE if step in self.waits else Decision.CONTINUE


class Augmented(Dataset[Any]):
    """Images that are changed by the global generator as they are loaded."""

    def __len__(self):
        return len(TRAIN)

    def __getitem__(self, index):
        image, label = TRAIN[index]
        return image + 0.1 * torch.randn(image.shape), label


def job(
    folder, judge, setter, rungs=(5, 10), leave_requested=lambda: False, known=None, **settings
):
    """Train until the end or until the run is left; return the run, or None, and its scores."""
    file = folder / "rung.ckpt"
    pause = PauseTrial(judge, file, leave_requested, list(judge.judged) if known is None else known)
    callbacks = [pause, setter(), PruneTrial(pause, rungs, window=0.3)]
    end = DataPosition(pause.leaving)
    try:
        return fit(
            folder / "run",
            callbacks=[*callbacks, end],
            ckpt_path=str(file) if file.exists() else None,
            **settings,
        )
    except TrialPaused:
        return None


def follow():
    return FollowCandidate(2 * LR, schedules.warmup(0.2) | schedules.cosine())


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {},  # 7 batches an epoch: 5 is in the middle of one
        {"val_check_interval": 0.5, "num_sanity_val_steps": 0},
        {"accumulate_grad_batches": 2},
        {"train": DataLoader(Augmented(), 16, shuffle=True)},
        {"train": train_loader(num_workers=1)},
        {"train": DataLoader(Stream(TRAIN), 16)},
    ],
    ids=["plain", "validating", "accumulating", "augmenting", "workers", "stream"],
)
@pytest.mark.parametrize("rungs", [(5, 10), (7, 14), (1, 8)], ids=str)
def test_a_run_left_at_its_rungs_ends_as_the_one_that_was_not(tmp_path, rungs, settings):
    if "train" in settings and isinstance(settings["train"].dataset, Stream):
        settings = {**settings, "max_steps": 28}
    whole, parts = Judge(), Judge(waits=rungs)
    expected = job(tmp_path / "whole", whole, follow, rungs, **settings)
    for _ in rungs:
        assert job(tmp_path / "parts", parts, follow, rungs, **settings) is None
    run = job(tmp_path / "parts", parts, follow, rungs, **settings)
    assert parts.judged == whole.judged
    for name in LEFT:
        assert differences(run.left[name], expected.left[name]) == [], name


@pytest.mark.slow
def test_a_search_inside_the_run_continues(tmp_path):
    def search():
        return AutoLR(Annealed(budget=3.0), rates=(LR / 16, LR * 16))

    whole, parts = Judge(), Judge(waits=(3, 20))
    expected = job(tmp_path / "whole", whole, search, (3, 20))
    for _ in range(2):
        assert job(tmp_path / "parts", parts, search, (3, 20)) is None
    run = job(tmp_path / "parts", parts, search, (3, 20))
    assert parts.judged == whole.judged
    for name in LEFT:
        assert differences(run.left[name], expected.left[name]) == [], name


# in the window of rung 10, and not
@pytest.mark.parametrize("step", [*only_with_slow(4), 9])
def test_a_run_that_has_to_leave_continues_from_there(tmp_path, step):
    expected = job(tmp_path / "whole", whole := Judge(), follow)

    class Steps(FollowCandidate):
        made = 0

        def on_train_batch_end(self, trainer, *_):
            Steps.made = trainer.global_step

    def counted():
        return Steps(2 * LR, schedules.warmup(0.2) | schedules.cosine())

    judge = Judge()
    leave_requested = lambda: Steps.made == step - 1  # noqa: E731  # seen at the end of the next step
    assert job(tmp_path / "parts", judge, counted, leave_requested=leave_requested) is None
    assert torch.load(tmp_path / "parts/rung.ckpt", weights_only=True)["global_step"] == step
    run = job(tmp_path / "parts", judge, counted)
    assert judge.judged == whole.judged
    for name in LEFT:
        assert differences(run.left[name], expected.left[name]) == [], name


def test_a_score_that_the_study_does_not_have_is_reported_again(tmp_path):
    class Dying(Judge):
        def judge(self, step, score):
            super().judge(step, score)
            raise KeyboardInterrupt  # between the checkpoint and the study

    dying, judge = Dying(), Judge()
    with pytest.raises(SystemExit):
        job(tmp_path, dying, follow)
    job(tmp_path, judge, follow, known=())
    assert list(judge.judged) == [5, 10]
    assert judge.judged[5] == dying.judged[5]


def test_a_rung_that_the_study_has_is_not_reported_again(tmp_path):
    judge = Judge(waits=(5,))
    assert job(tmp_path, judge, follow) is None
    shutil.copy(tmp_path / "rung.ckpt", tmp_path / "kept.ckpt")
    job(tmp_path, judge, follow, known=(5,))
    assert list(judge.judged) == [5, 10]


def test_scores_under_way_of_another_version_are_refused_in_one_line(tmp_path):
    assert job(tmp_path, Judge(waits=(5,)), follow) is None
    checkpoint = torch.load(tmp_path / "rung.ckpt", weights_only=False)
    stored = checkpoint["callbacks"]["PruneTrial"]
    assert stored["scores"]["rungs"] == [10]
    checkpoint["callbacks"]["PruneTrial"] = {"shadows": {}, "learner": stored["learner"]}  # 0.1
    torch.save(checkpoint, tmp_path / "rung.ckpt")
    with pytest.raises(UnsupportedError, match="of another version of autolr") as refused:
        job(tmp_path, Judge(), follow)
    assert "\n" not in str(refused.value)


def test_what_is_logged_continues_behind_the_last_line_that_counts(tmp_path):
    first = JsonLines(tmp_path)
    for step in range(6):
        first.log_metrics({"loss": step / 2, "bad": float("nan")}, step)
    first.finalize("failed")
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')  # killed
    resumed = JsonLines(tmp_path, resumed=4)
    resumed.log_metrics({"loss": 9.0}, 4)
    resumed.finalize("success")
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line["loss"]) for line in lines] == [
        *((step, step / 2) for step in range(4)),
        (4, 9.0),
    ]
    assert lines[0]["bad"] is None
    JsonLines(tmp_path).log_metrics({"loss": 1.0}, 0)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) <= 1


def test_the_callbacks_change_nothing_of_a_run(tmp_path):
    pause = PauseTrial(Judge(), tmp_path / "rung.ckpt")
    prune = PruneTrial(pause, (5, 10))
    watched = fit(tmp_path / "a", Net, [pause, prune, DataPosition(pause.leaving)])
    plain = fit(tmp_path / "b", Net)
    watched.left["checkpoint"].pop("autolr_position")
    assert differences(watched.left, plain.left) == []
    assert isinstance(watched.trainer, pl.Trainer)
    assert len(val_loader()) == 3
