"""What a step of each rule costs, beyond a step of plain SGD, at 10^6 parameters on one core.

python -m examples.rules.overhead [NAME ...]

CPU seconds of a training step, forward and backward included; medians of repetitions that
alternate, so that other work on the machine slows all rules alike.
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from autolr import rules
from autolr.rules import LineSearch

_WIDTH, _LAYERS = 500, 4  # 10^6 parameters
_BATCH = 128
_STEPS = 5  # of a repetition
_PEAK = 1e-6  # so small that no rule moves the weights far
_TARGET = 0.25  # largest overhead of a rule without extra passes


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = rules.names()
    parser.add_argument("rules", nargs="*", choices=[[], *names], default=[], metavar="NAME")
    parser.add_argument("--repetitions", type=int, default=15)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    chosen = [name for name in names if name in args.rules] or names
    measured = overheads(chosen, args.repetitions)
    table = Table("rule", "ms / step", "over SGD", "evaluations / step")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, (seconds, over, evaluations) in measured.items():
        mark = " !" if over > _TARGET and evaluations == 1 else ""
        table.add_row(name, f"{1e3 * seconds:.1f}", f"{over:+.0%}{mark}", f"{evaluations:g}")
    Console().print(table)


def overheads(names: Sequence[str], repetitions: int) -> Mapping[str, tuple[float, float, float]]:
    """Return for each rule the seconds of a step, its overhead, and its passes over a batch."""
    plain = _Training(lambda parameters: torch.optim.SGD(parameters, lr=_PEAK))
    trained = {name: _Training(_builder(name)) for name in names}
    units: list[float] = []
    times: dict[str, list[float]] = {name: [] for name in names}
    for repetition in range(repetitions + 1):
        for name, training in trained.items():
            unit, seconds = plain.seconds(), training.seconds()
            if repetition:  # the first one makes states and fills caches
                units.append(unit)
                times[name].append(seconds / unit)
    base = median(units)
    return {
        name: (base * median(times[name]), median(times[name]) - 1, trained[name].evaluations)
        for name in names
    }


class _Training:
    """A small network in training.

    Attributes:
        evaluations: Passes over a batch in a step, mean.
    """

    def __init__(self, build: Callable[[Any], Any]) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            layers = [nn.Linear(_WIDTH, _WIDTH) for _ in range(_LAYERS)]
            self._batch = torch.randn(_BATCH, _WIDTH)
        self._model = nn.Sequential(*layers)
        self._optimizer = build(self._model.parameters())
        self._passes = self._steps = 0

    def seconds(self) -> float:
        """Return the CPU seconds of a step, mean of a few."""
        started = time.process_time()
        for _ in range(_STEPS):
            self._optimizer.step(self._closure)
        self._steps += _STEPS
        return (time.process_time() - started) / _STEPS

    @property
    def evaluations(self) -> float:
        return self._passes / self._steps

    def _closure(self) -> Any:
        self._passes += 1
        self._optimizer.zero_grad(set_to_none=True)
        loss: Any = self._model(self._batch).square().mean()
        loss.backward()
        return loss.detach()


def _builder(name: str) -> Callable[[Any], Any]:
    made = rules.record(name).rule
    searches = made is not None and issubclass(made, LineSearch)  # at so low a peak in vain
    return lambda parameters: rules.build(name, parameters, None if searches else _PEAK)


if __name__ == "__main__":
    main()
