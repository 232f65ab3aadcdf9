"""What the norm of the gradient costs at each step, in CPU time of a training step.

python -m examples.time_to_target.norms_overhead
"""

import time
from collections.abc import Iterator

import torch
from torch import nn

from autolr.runtime.gradient_norms import GradientNorms

_WIDTHS = (32, 256, 1024)
_LAYERS, _BATCH, _STEPS, _ROUNDS = 6, 64, 40, 5


def seconds(width: int, norms: GradientNorms | None) -> float:
    """Return the CPU seconds of a step of a perceptron of six layers; the best of five rounds."""
    torch.manual_seed(0)
    layers = [part for _ in range(_LAYERS) for part in (nn.Linear(width, width), nn.ReLU())]
    model = nn.Sequential(*layers)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    batch = torch.randn(_BATCH, width)
    rounds = []
    for _ in range(_ROUNDS):
        started = time.process_time()
        for _ in range(_STEPS):
            optimizer.zero_grad()
            model(batch).square().mean().backward()
            if norms is not None:
                norms.add(model.parameters())
            optimizer.step()
            if norms is not None:
                norms.end_step()
        rounds.append((time.process_time() - started) / _STEPS)
    return min(rounds)


def rows() -> Iterator[str]:
    """Yield the lines of a table in Markdown."""
    yield "| parameters | step, ms | with L2 norm | with L1 norm |"
    yield "| --- | --- | --- | --- |"
    for width in _WIDTHS:
        plain = seconds(width, None)
        ratios = [seconds(width, GradientNorms(order)) / plain for order in (2, 1)]
        count = _LAYERS * width * (width + 1)
        cells = [f"{count:,}", f"{1e3 * plain:.2f}", *(f"{ratio - 1:+.1%}" for ratio in ratios)]
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    torch.set_num_threads(1)
    for row in rows():
        print(row, flush=True)
