"""Hard starts, transformers: ViT, BERT, a language model with its own warm-up, LoRA."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from examples.time_to_target.data import Arrays, cached, load
from examples.time_to_target.tasks_base import (
    Default,
    Parts,
    Task,
    cross_entropy,
    evaluator,
    grid,
    sampler,
    seeded,
)
from examples.time_to_target.tasks_digits import digits
from examples.time_to_target.tasks_hard_data import of_classes
from examples.time_to_target.tasks_text import GPT, next_byte, windows

_OLD = 5  # classes 0 to 4 are for pre-training
_RANK = 4  # of the adapters
_PRETRAINING_STEPS, _PRETRAINING_RATE, _PRETRAINING_SEED = 800, 1e-3, 99
_WORDS, _LENGTH = 16, 16  # of the sentences that bert reads
_WARMUP = 0.3  # of the language model's run


class Layer(nn.Module):
    """Attention and a perceptron with residuals; norms before as in ViT, or after as in BERT."""

    def __init__(self, width: int, heads: int, *, post: bool) -> None:
        super().__init__()
        self.heads, self.post = heads, post
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, tokens, width) to the same shape."""
        if self.post:
            x = self.norm_1(x + self._attended(x))
            y: Tensor = self.norm_2(x + self.mlp(x))
            return y
        x = x + self._attended(self.norm_1(x))
        z: Tensor = x + self.mlp(self.norm_2(x))
        return z

    def _attended(self, x: Tensor) -> Tensor:
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (batch, heads, tokens, width of a head) each
        mixed: Tensor = self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return mixed


class ViT(nn.Module):
    """Reads a digit as 16 patches of 2 x 2 pixels, behind a token for the class."""

    def __init__(self, classes: int = 10, width: int = 32, depth: int = 4) -> None:
        super().__init__()
        self.patches = nn.Linear(4, width)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.position = nn.Parameter(0.02 * torch.randn(1, 17, width))
        self.layers = nn.Sequential(*(Layer(width, 4, post=False) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (batch, 64) to logits."""
        patches = x.view(-1, 4, 2, 4, 2).transpose(2, 3).reshape(-1, 16, 4)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), self.patches(patches)], 1)
        logits: Tensor = self.head(self.norm(self.layers(tokens + self.position)[:, 0]))
        return logits


def vit_digits(seed: int, scale: float) -> Task:
    """A vision transformer on digits; AdamW. Stands at chance at first."""
    x, y = digits()
    return Task(
        name="vit_digits",
        seed=seed,
        steps=int(792 * scale),
        model=seeded(seed, ViT),
        optimizer="adamw",
        settings={},
        peaks=grid(1e-4, 1e-1, 7),
        **of_classes(x, y, 32, seed),
    )


class Bert(nn.Module):
    """Embedded words, layers with the norm behind, a pooled first token, a linear layer."""

    def __init__(self, width: int = 48, depth: int = 4) -> None:
        super().__init__()
        self.words = nn.Embedding(_WORDS + 1, width)
        self.position = nn.Parameter(0.02 * torch.randn(1, _LENGTH + 1, width))
        self.norm = nn.LayerNorm(width)
        self.layers = nn.Sequential(*(Layer(width, 4, post=True) for _ in range(depth)))
        self.pooler, self.head = nn.Linear(width, width), nn.Linear(width, 10)
        nn.init.normal_(self.words.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Map words (batch, 1 + length), a class token first, to logits."""
        states = self.layers(self.norm(self.words(x) + self.position))
        logits: Tensor = self.head(torch.tanh(self.pooler(states[:, 0])))
        return logits


def _written(x: Tensor) -> Tensor:
    """Return images (n, 64) as words: a class token, then one of 16 for each 2 x 2 pixels."""
    patches = x.view(-1, 4, 2, 4, 2).transpose(2, 3).reshape(-1, _LENGTH, 4)
    bits = (patches > 0.5).long() @ torch.tensor([1, 2, 4, 8])
    return torch.cat([torch.full((len(x), 1), _WORDS), bits], 1)


def bert(seed: int, scale: float) -> Task:
    """Digits written in words, by a post-norm transformer; AdamW with clipping."""
    arrays = load("digits")
    x, y = _written(torch.tensor(arrays["x"])), torch.tensor(arrays["y"]).long()
    return Task(
        name="bert",
        seed=seed,
        steps=int(500 * scale),
        model=seeded(seed, Bert),
        optimizer="adamw",
        settings={},
        peaks=grid(3e-5, 3e-2, 7),
        clip=1.0,
        own=Default(5e-4),
        **of_classes(x, y, 32, seed),
    )


def _warmed(optimizer: Optimizer, steps: int) -> LRScheduler:
    """Return a linear warm-up of 30 % of the run, then half a cosine, as many write it by hand."""
    rise = max(1, int(_WARMUP * steps))

    def multiplier(step: int) -> float:
        if step < rise:
            return (step + 1) / rise
        return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))

    return LambdaLR(optimizer, multiplier)


def char_transformer(seed: int, scale: float) -> Task:
    """The next byte of Python source; AdamW, clipping, own warm-up of 30 % and cosine."""
    texts = load("pysrc") | load("pysrc_test")
    train, *held = (torch.tensor(texts[part]) for part in ("train", "val", "test"))
    val, test = (windows(text, 256, 4242, 32)(0) for text in held)
    return Task(
        name="char_transformer",
        seed=seed,
        steps=int(600 * scale),
        model=seeded(seed, GPT),
        optimizer="adamw",
        settings={"weight_decay": 0.1},
        batch=windows(train, 8, seed, 32),
        loss=next_byte,
        validate=evaluator(next_byte, val),
        validation=Parts(val, 8),
        peaks=grid(1e-4, 1e-1, 7),
        clip=1.0,
        test=evaluator(next_byte, test),
        own=Default(1e-3, _warmed),
    )


class Adapted(nn.Module):
    """A frozen linear layer and a product of two thin matrices beside it, zero at first."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base.requires_grad_(requires_grad=False)
        self.down = nn.Linear(base.in_features, _RANK, bias=False)
        self.up = nn.Linear(_RANK, base.out_features, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., inputs) to (..., outputs)."""
        y: Tensor = self.base(x) + 2 * self.up(self.down(x))
        return y


def _adapted(weights: Arrays) -> ViT:
    """Return the pre-trained network, frozen, with adapters and a new head."""
    model = ViT(_OLD)
    model.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    model.requires_grad_(requires_grad=False)
    for layer in model.layers:
        for name in ("qkv", "out"):
            base = layer.get_submodule(name)
            assert isinstance(base, nn.Linear)
            layer.register_module(name, Adapted(base))
    model.head = nn.Linear(model.head.in_features, 10 - _OLD)
    return model


def _pretrain() -> Arrays:
    """Train a ViT on the old classes with AdamW, linear to 0; return its weights."""
    x, y = digits()
    x, y = x[y < _OLD], y[y < _OLD]
    indices = sampler(len(x), 32, _PRETRAINING_SEED)
    model = seeded(_PRETRAINING_SEED, lambda: ViT(_OLD))
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    for i in range(_PRETRAINING_STEPS):
        optimizer.param_groups[0]["lr"] = _PRETRAINING_RATE * (1 - i / _PRETRAINING_STEPS)
        optimizer.zero_grad()
        rows = indices(i)
        torch.autograd.backward(cross_entropy(model, (x[rows], y[rows])))
        optimizer.step()
    return {name: value.numpy() for name, value in model.state_dict().items()}


def lora_digits(seed: int, scale: float) -> Task:
    """Adapters for the classes that a transformer never saw; AdamW at a rate of fine-tuning."""
    x, y = digits()
    x, y = x[y >= _OLD], y[y >= _OLD] - _OLD
    weights = cached("vit_old_digits", _pretrain)

    return Task(
        name="lora_digits",
        seed=seed,
        steps=int(500 * scale),
        model=seeded(seed, lambda: _adapted(weights)),
        optimizer="adamw",
        settings={},
        peaks=grid(3e-5, 3e-2, 7),
        own=Default(2e-4),
        **of_classes(x, y, 16, seed, held=240),
    )
