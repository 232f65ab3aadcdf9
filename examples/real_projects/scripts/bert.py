"""BERT of a random configuration: the package of a passage of the standard library's source."""

from typing import Any

import torch
from lightning.pytorch import seed_everything
from transformers import BertConfig, BertForSequenceClassification

from examples.real_projects.fitted import Fitted
from examples.real_projects.scripts import hugging_face as hf

METRIC, SEARCH, SCHEDULED = "val_loss", {"monitor": "val_loss"}, True
RATE = 2e-5  # as in Lightning's tutorial on text transformers
STEPS = 400
_PACKAGES, _LENGTH = ("asyncio", "email", "json", "unittest"), 32


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train a model of two layers with its usual dropout."""
    seed_everything(seed)
    config = BertConfig(
        vocab_size=256, hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=128, max_position_embeddings=_LENGTH, num_labels=len(_PACKAGES),
    )  # fmt: skip
    module = hf.HuggingFace(BertForSequenceClassification(config), rate, warmup=0.0)
    data = []
    for label, text in enumerate(hf.library_files(_PACKAGES)):
        windows = torch.frombuffer(bytearray(text), dtype=torch.uint8).long()
        for start in range(0, len(windows) - _LENGTH, max(_LENGTH, len(windows) // 800)):
            window = windows[start : start + _LENGTH]
            data.append({"input_ids": window, "labels": torch.tensor(label)})
    return hf.train(
        module, (data[::5] + data[1::5] + data[2::5] + data[3::5], data[4::5]), callbacks, max_steps
    )
