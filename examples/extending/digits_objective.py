"""An objective of your own: plain PyTorch on the digits of scikit-learn, without Lightning.

    autolr tune examples/extending/objective.yaml

It applies the candidate's rate, reports the validation loss at rungs, and writes a checkpoint
where its trial is paused.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from autolr.config import Config
from autolr.driver import tune
from autolr.job import Decision, Judge, TrialJob, TrialResult
from autolr.objective import Checkup

_BATCH = 64


class DigitsObjective:
    """Trains a network with one hidden layer by SGD with momentum.

    Args:
        width: Of the hidden layer; a space may search ``objective.init_args.width``.
        epochs: Passes over the 1,280 training images.
    """

    def __init__(self, width: int = 32, epochs: int = 6) -> None:
        images, labels = load_digits(return_X_y=True)
        self._images = torch.tensor(images, dtype=torch.float32) / 16  # (1797, 64)
        self._labels = torch.tensor(labels)
        self._width = width
        self._steps = epochs * (1280 // _BATCH)

    def check(self, config: Config, folder: Path) -> Checkup:
        """Return the length of a run; there is nothing else that could be wrong."""
        return Checkup(self._steps)

    def run(self, job: TrialJob, judge: Judge, leave: Callable[[], bool]) -> TrialResult:
        """Train from the start or the checkpoint, until the end or a rung that ends the job."""
        started = time.monotonic()
        model, optimizer, step = self._resumed(job)
        decision, loss = Decision.CONTINUE, self._validate(model)
        while step < self._steps and decision is Decision.CONTINUE:
            if leave():
                decision = Decision.PAUSE
                break
            self._train_step(model, optimizer, job, step)
            step += 1
            if step in job.rungs and step not in job.known:
                loss = self._validate(model)
                decision = judge.judge(step, loss)
        paused = decision is Decision.PAUSE and job.pauses
        if paused:
            _save(job, model, optimizer, step)
        loss = self._validate(model)
        return TrialResult(
            value=loss,
            metrics={"val_loss": loss},
            steps=step,
            run_steps=self._steps,
            seconds=time.monotonic() - started,
            peak=job.candidate.peak,
            pruned=decision is Decision.PAUSE and not paused,
            diverged=decision is Decision.STOP,
            paused=paused,
        )

    def _resumed(self, job: TrialJob) -> tuple[nn.Module, torch.optim.Optimizer, int]:
        generator = torch.Generator().manual_seed(job.config.seed)
        model = nn.Sequential(nn.Linear(64, self._width), nn.ReLU(), nn.Linear(self._width, 10))
        for weights in model.parameters():
            nn.init.normal_(weights, std=0.1, generator=generator)
        optimizer = torch.optim.SGD(model.parameters(), momentum=0.9)
        if not job.checkpoint.exists():
            return model, optimizer, 0
        stored: dict[str, Any] = torch.load(job.checkpoint, weights_only=True)
        model.load_state_dict(stored["model"])
        optimizer.load_state_dict(stored["optimizer"])
        return model, optimizer, stored["step"]

    def _train_step(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, job: TrialJob, step: int
    ) -> None:
        rate = (job.candidate.peak or 0.1) * job.candidate.schedule.at(step, self._steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        first = step * _BATCH % 1280
        batch = slice(first, first + _BATCH)
        optimizer.zero_grad()
        _loss(model, self._images[batch], self._labels[batch]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    def _validate(self, model: nn.Module) -> float:
        with torch.no_grad():
            return float(_loss(model, self._images[1280:], self._labels[1280:]))


def _loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    return nn.functional.cross_entropy(model(images), labels)


def _save(job: TrialJob, model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    job.folder.mkdir(parents=True, exist_ok=True)
    draft = job.checkpoint.with_suffix(".new")
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    torch.save(state, draft)
    draft.replace(job.checkpoint)  # never half a file


if __name__ == "__main__":
    best = tune(Path(__file__).with_name("objective.yaml")).best[0]
    print(f"best: trial {best.number}, val_loss {best.value:.4f}, {dict(best.params)}")
