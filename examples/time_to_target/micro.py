"""What the machinery of a search costs, in units of one training step, on one core.

python -m examples.time_to_target.micro

CPU seconds, the least of several repetitions.
"""

import math
import time
from collections.abc import Callable
from functools import partial

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from autolr import TorchLearner
from autolr.candidate import Candidate
from autolr.online import AnnealedState, Progress, Round, Search
from autolr.runtime.rates import Rates
from autolr.runtime.rivals import Rivals
from autolr.runtime.snapshot import Snapshot
from autolr.schedules import constant
from examples.time_to_target.tasks_base import Batches
from examples.time_to_target.workloads import make

_SIZES = (10**5, 10**6, 10**7)  # parameters
_LAYERS = 4
_BATCH = 32
_RIVALS = (1, 2, 4, 8)
_SMALL = ("mlp_flights", "finetune_digits")  # tasks whose steps cost little beside the machinery
_REPETITIONS = 12
_STEPS = 30  # of a measurement of rivals
_FAR = 10**6  # steps: a horizon that is not reached


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    console = Console()
    console.print(snapshots())
    console.print(rivals())


def snapshots() -> Table:
    """Time a copy of weights, gradients and Adam's state, and its exchange with the live one.

    Taken and restored is a snapshot in the memory of an old one.
    """
    header = ("parameters", "step", "take the first", "exchange", "take + restore")
    table = _table("Snapshot of an MLP with Adam", *header)
    for size in _SIZES:
        table.add_row(*_snapshot_row(size))
    return table


def rivals() -> Table:
    """Time a live step with K rivals beside it against K + 1 plain steps."""
    table = _table("Rivals", "model", "rivals K", "time", "K + 1 plain steps", "overhead")
    learners = {name: partial(_learner, name) for name in _SMALL}
    for name, learner in {**learners, "MLP of 1e6": partial(_perceptron, 10**6)}.items():
        plain = _plain_steps(learner())
        for number in _RIVALS:
            one, beside = _least(plain, _steps_with_rivals(learner(), number))
            due = (number + 1) * one
            times = (f"{1e3 * beside / _STEPS:.2f} ms", f"{1e3 * due / _STEPS:.2f} ms")
            table.add_row(name, str(number), *times, f"{beside / due - 1:+.0%}")
    return table


def _snapshot_row(size: int) -> tuple[str, ...]:
    learner = _perceptron(size)
    model, optimizer = learner.model, learner.optimizer
    learner.next_batch()
    step = learner.train
    step()  # there is no state to copy before
    snapshot = Snapshot(model, optimizer)

    def take_and_restore() -> None:
        snapshot.renew()
        snapshot.exchange()

    first = partial(Snapshot, model, optimizer)
    unit, *others = _least(step, first, snapshot.exchange, take_and_restore)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    steps = (f"{seconds / unit:.3f} steps" for seconds in others)
    return f"{parameters:.1e}", f"{1e3 * unit:.2f} ms", *steps


def _plain_steps(learner: TorchLearner) -> Callable[[], None]:
    def steps() -> None:
        for _ in range(_STEPS):
            learner.next_batch()
            learner.train()

    return steps


def _steps_with_rivals(learner: TorchLearner, number: int) -> Callable[[], None]:
    """Return steps of a run whose search does not end."""
    candidates = tuple(
        Candidate(peak=1e-3 * 1.1**index, schedule=constant()) for index in range(number + 1)
    )
    rates = Rates.of(learner.optimizer)
    search = Progress(AnnealedState(Search(candidates, (Round(0, _FAR, 2),))))
    rivals = Rivals(learner, rates, search, _FAR, candidates[0])

    def steps() -> None:
        for _ in range(_STEPS):
            learner.next_batch()
            before = rivals.capture()
            rates.factor = rivals.factor
            rivals.repeat_step(learner.train(), before, stepped=True)

    return steps


def _learner(name: str) -> TorchLearner:
    task = make(name)
    return TorchLearner(task.model, task.make_optimizer(1e-3), Batches(task), task.loss)


def _perceptron(size: int) -> TorchLearner:
    """Return a run of ``size`` parameters with Adam, of which every batch is the same."""
    width = round((size / _LAYERS) ** 0.5)
    model = nn.Sequential(*(nn.Linear(width, width) for _ in range(_LAYERS)))
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    batches = [torch.randn(_BATCH, width)]
    return TorchLearner(model, optimizer, batches, lambda m, batch: m(batch).square().mean())


def _least(*actions: Callable[[], object]) -> list[float]:
    """Return the CPU seconds of each action's fastest call.

    The actions take turns, so that what else the machine does slows all of them alike.
    """
    least = [math.inf] * len(actions)
    for _ in range(_REPETITIONS):
        for index, action in enumerate(actions):
            started = time.process_time()
            action()
            least[index] = min(least[index], time.process_time() - started)
    return least


def _table(title: str, *header: str) -> Table:
    table = Table(*header, title=title)
    for column in table.columns:
        column.justify = "right"
    return table


if __name__ == "__main__":
    main()
