"""Text: a byte-level GPT on the source of the standard library."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from examples.time_to_target.data import load
from examples.time_to_target.tasks_base import Batch, Parts, Task, evaluator, grid, seeded

_CONTEXT = 64  # bytes that the model sees
_SYMBOLS = 128  # ASCII


class Block(nn.Module):
    """Attention and a perceptron, each added to its input."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, time, width) to the same shape."""
        qkv = self.qkv(self.norm_1(x)).unflatten(-1, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (batch, heads, time, width of a head) each
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        mixed: Tensor = x + self.down(F.gelu(self.up(self.norm_2(x))))
        return mixed


class GPT(nn.Module):
    """Predicts the next byte."""

    def __init__(self, width: int = 48, layers: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.token, self.position = nn.Embedding(_SYMBOLS, width), nn.Embedding(_CONTEXT, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, _SYMBOLS, bias=False)
        self.apply(_initialize)

    def forward(self, x: Tensor) -> Tensor:
        """Map bytes (batch, time) to logits (batch, time, symbols)."""
        x = self.token(x) + self.position.weight[: x.shape[1]]
        logits: Tensor = self.head(self.norm(self.blocks(x)))
        return logits


def _initialize(module: nn.Module) -> None:
    """Draw the weights of a layer by its fan-in."""
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=module.in_features**-0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.1)


def windows(text: Tensor, size: int, seed: int, context: int = _CONTEXT) -> Callable[[int], Batch]:
    """Return batch i: ``size`` random windows of the text, and the byte after each of theirs."""

    def batch(i: int) -> Batch:
        generator = torch.Generator().manual_seed(seed * 9_999_991 + i)
        start = torch.randint(0, len(text) - context - 1, (size,), generator=generator)
        window = text[start[:, None] + torch.arange(context + 1)].long()
        return window[:, :-1], window[:, 1:]

    return batch


def next_byte(model: nn.Module, batch: Batch) -> Tensor:
    """Return the mean cross-entropy in nats a byte."""
    return F.cross_entropy(model(batch[0]).flatten(0, 1), batch[1].flatten())


def gpt_pysrc(seed: int, scale: float) -> Task:
    """The next byte of Python source; AdamW with clipping."""
    arrays = load("pysrc")
    val = windows(torch.tensor(arrays["val"]), 128, seed=4242)(0)
    test = windows(torch.tensor(load("pysrc_test")["test"]), 128, seed=4242)(0)
    return Task(
        name="gpt_pysrc",
        seed=seed,
        steps=int(540 * scale),
        model=seeded(seed, GPT),
        optimizer="adamw",
        settings={"betas": (0.9, 0.95), "weight_decay": 0.1},
        batch=windows(torch.tensor(arrays["train"]), 8, seed),
        loss=next_byte,
        validate=evaluator(next_byte, val),
        validation=Parts(val, 8),
        test=evaluator(next_byte, test),
        peaks=grid(2e-4, 2e-1),
        clip=1.0,
        stackable=True,
    )
