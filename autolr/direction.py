"""Whether lower or higher values of a metric are better, inferred from its name.

>>> named_mode("val_loss"), named_mode("valid/mIoU"), named_mode("val_score")
('min', 'max', None)
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from autolr.errors import ConfigError

MODES = ("min", "max")
_OF_CLASSES = {"acc", "accuracy", "auroc", "auc", "f1", "precision", "recall", "iou", "map"}
_OF_TEXTS_AND_VALUES = {"bleu", "rouge", "r2", "psnr", "ssim"}
_HIGHER = _OF_CLASSES | _OF_TEXTS_AND_VALUES
_LOWER = {"loss", "error", "perplexity", "mae", "mse", "rmse", "wer"}
_NEGATED = "neg"  # scikit-learn's neg_mean_squared_error, of which higher values are better
_CHUNK = re.compile(r"[^\W_]+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|.")


def mode_of(monitor: str, mode: str | None, setting: str = "mode") -> str:
    """Return "min" or "max": the user's setting, else what the metric's name implies.

    Args:
        monitor: The name of the metric.
        mode: The user's setting; None: the name decides.
        setting: The name of the setting in an error.

    Raises:
        ConfigError: If ``mode`` is invalid, or is None and the name implies neither.
    """
    check_mode(mode, setting)
    resolved = named_mode(monitor) if mode is None else mode
    if resolved is None:
        expected = f"'min' or 'max': the name {monitor!r} does not say which values are better"
        raise ConfigError.of(setting, mode, expected)
    return resolved


def check_mode(mode: object, setting: str = "mode") -> None:
    """Refuse a mode that is neither "min" nor "max"; `mode_of` handles None.

    Args:
        mode: The user's setting.
        setting: Its name in an error.

    Raises:
        ConfigError: If the mode is invalid.
    """
    if mode is not None and mode not in MODES:
        raise ConfigError.of(setting, mode, "'min' or 'max'")


def named_mode(monitor: str) -> str | None:
    """Return the mode that the name of a metric implies; None if it implies neither, or both.

    Whole words count, in any case: acc, accuracy, auroc, auc, f1, precision, recall, iou, map,
    bleu, rouge, r2, psnr and ssim imply "max"; loss, error, perplexity, mae, mse, rmse and wer
    imply "min". A word ends at punctuation, at a digit and before a capital, so ``val/acc``,
    ``top5acc``, ``MulticlassAccuracy`` and ``rougeL`` contain one, ``mapped`` and ``accumulated``
    none. A name with ``neg``, such as ``neg_mse``, implies neither.
    """
    words = set(_words(monitor))
    higher, lower = bool(words & _HIGHER), bool(words & _LOWER)
    if higher == lower or _NEGATED in words:
        return None
    return "max" if higher else "min"


def _words(name: str) -> Iterator[str]:
    """Yield the words of a name, and each pair of neighbours: IoU has io, u and iou."""
    for chunk in _CHUNK.findall(name):
        parts = [part.lower() for part in _PART.findall(chunk)]
        yield from parts
        yield from map("".join, pairwise(parts))
