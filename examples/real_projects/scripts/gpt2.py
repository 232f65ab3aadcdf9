"""GPT-2 of a random configuration: the next byte of the standard library's source."""

from typing import Any

import torch
from lightning.pytorch import seed_everything
from transformers import GPT2Config, GPT2LMHeadModel

from examples.real_projects.fitted import Fitted
from examples.real_projects.scripts import hugging_face as hf

METRIC, SEARCH, SCHEDULED = "val_loss", {"monitor": "val_loss"}, True
RATE = 5e-5  # of the library's TrainingArguments
STEPS = 400
_CONTEXT = 32


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train a model of two layers with its usual dropout."""
    seed_everything(seed)
    config = GPT2Config(vocab_size=256, n_positions=_CONTEXT, n_embd=64, n_layer=2, n_head=4)
    module = hf.HuggingFace(GPT2LMHeadModel(config), rate, warmup=0.1)
    (text,) = hf.library_files(["asyncio"])
    windows = torch.frombuffer(bytearray(text), dtype=torch.uint8).long()
    windows = windows[: len(windows) // _CONTEXT * _CONTEXT].view(-1, _CONTEXT)
    data = [{"input_ids": window, "labels": window} for window in windows]
    return hf.train(module, (data[:-256], data[-256:]), callbacks, max_steps)
