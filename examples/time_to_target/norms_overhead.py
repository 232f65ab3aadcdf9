"""What the norm of the gradient costs at each step, in CPU time of a training step.

python -m examples.time_to_target.norms_overhead
"""

import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from autolr.runtime.gradient_norms import GradientNorms

_WIDTHS = (32, 256, 1024)
_LAYERS, _BATCH, _STEPS = 6, 64, 60


def shares(width: int, order: int) -> tuple[float, float]:
    """Return the CPU seconds of a step of a perceptron, and of its norm: medians over steps."""
    torch.manual_seed(0)
    layers = [part for _ in range(_LAYERS) for part in (nn.Linear(width, width), nn.ReLU())]
    model = nn.Sequential(*layers)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    batch, norms = torch.randn(_BATCH, width), GradientNorms(order)
    times = []
    for _ in range(_STEPS):
        started = time.thread_time()
        optimizer.zero_grad()
        model(batch).square().mean().backward()
        trained = time.thread_time()
        norms.add(model.parameters())
        norms.end_step()
        normed = time.thread_time()
        optimizer.step()
        stepped = time.thread_time()
        times.append((trained - started + stepped - normed, normed - trained))
    step, norm = np.median(times, axis=0)
    return float(step), float(norm)


def rows() -> Iterator[str]:
    """Yield the lines of a table in Markdown."""
    yield "| parameters | step, ms | L2 norm | L1 norm |"
    yield "| --- | --- | --- | --- |"
    for width in _WIDTHS:
        measured = [shares(width, order) for order in (2, 1)]
        step = float(np.mean([step for step, _ in measured]))
        count = _LAYERS * width * (width + 1)
        cells = [f"{count:,}", f"{1e3 * step:.2f}", *(f"{norm / step:.1%}" for _, norm in measured)]
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    torch.set_num_threads(1)
    for row in rows():
        print(row, flush=True)
