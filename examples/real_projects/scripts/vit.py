"""A vision transformer of a random configuration, on scikit-learn's handwritten digits."""

from typing import Any

import torch
from lightning.pytorch import seed_everything
from sklearn.datasets import load_digits
from transformers import ViTConfig, ViTForImageClassification

from examples.real_projects.fitted import Fitted
from examples.real_projects.scripts import hugging_face as hf

METRIC, SEARCH, SCHEDULED = "val_loss", {"monitor": "val_loss"}, False
RATE = 5e-5  # of the library's TrainingArguments
STEPS = 400


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train a model of three layers on patches of 2 x 2 pixels, at a constant rate."""
    seed_everything(seed)
    config = ViTConfig(
        image_size=8, patch_size=2, num_channels=1, hidden_size=48, num_hidden_layers=3,
        num_attention_heads=4, intermediate_size=96, num_labels=10,
    )  # fmt: skip
    module = hf.HuggingFace(ViTForImageClassification(config), rate, warmup=None)
    images, labels = load_digits(return_X_y=True)
    pixels = torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8) / 8 - 1
    data = [
        {"pixel_values": image, "labels": label}
        for image, label in zip(pixels, torch.tensor(labels), strict=True)
    ]
    return hf.train(module, (data[:1400], data[1400:]), callbacks, max_steps)
