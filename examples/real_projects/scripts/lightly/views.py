"""Views of scikit-learn's handwritten digits, and a small backbone, for lightly's methods."""

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset

WIDTH = 64  # features of the backbone


class Views(Dataset[Any]):
    """Digits as pictures, transformed as they are read, with their labels."""

    def __init__(self, transform: Callable[[Image.Image], Any], part: slice) -> None:
        images, self.labels = (values[part] for values in load_digits(return_X_y=True))
        pixels = (images.reshape(-1, 8, 8) * 15.9).astype(np.uint8)
        self.pictures = [Image.fromarray(p).convert("RGB").resize((16, 16)) for p in pixels]
        self.transform = transform

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.transform(self.pictures[index]), int(self.labels[index])


def loader(transform: Callable[[Image.Image], Any], *, train: bool) -> DataLoader[Any]:
    """Return batches of 32 of 1,280 views to train on, or of the other digits to validate on."""
    part = slice(1280) if train else slice(1280, None)
    return DataLoader(Views(transform, part), 32, shuffle=train, drop_last=train)


def backbone() -> nn.Module:
    """Return a network from pictures of 16 x 16 to features."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, WIDTH, 3, 2, 1), nn.BatchNorm2d(WIDTH), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip
