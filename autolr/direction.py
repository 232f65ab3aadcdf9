"""Whether lower or higher values of a metric are better, as far as its name says.

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
    """Return "min" or "max": what the user says, else what the metric's name says.

    Args:
        monitor: The name of the metric.
        mode: As the user gave it; None: the name decides.
        setting: What ``mode`` is called in an error.

    Raises:
        ConfigError: If ``mode`` is neither, or is not given and the name does not say it.
    """
    check_mode(mode, setting)
    found = named_mode(monitor) if mode is None else mode
    if found is None:
        expected = f"'min' or 'max': the name {monitor!r} does not say which values are better"
        raise ConfigError.of(setting, mode, expected)
    return found


def check_mode(mode: object, setting: str = "mode") -> None:
    """Refuse a mode that is neither "min" nor "max"; None is left to `mode_of`.

    Raises:
        ConfigError: If so.
    """
    if mode is not None and mode not in MODES:
        raise ConfigError.of(setting, mode, "'min' or 'max'")


def named_mode(monitor: str) -> str | None:
    """Return what the name of a metric says; None where it says nothing, or both.

    Whole words count, in any case: acc, accuracy, auroc, auc, f1, precision, recall, iou, map,
    bleu, rouge, r2, psnr and ssim say "max"; loss, error, perplexity, mae, mse, rmse and wer say
    "min". Words end at a sign, at a digit and where capitals begin, so ``val/acc``, ``top5acc``,
    ``MulticlassAccuracy`` and ``rougeL`` have one, ``mapped`` and ``accumulated`` have none. A
    name with ``neg``, as ``neg_mse``, says nothing.
    """
    words = set(_words(monitor))
    higher, lower = bool(words & _HIGHER), bool(words & _LOWER)
    if higher == lower or _NEGATED in words:
        return None
    return "max" if higher else "min"


def _words(name: str) -> Iterator[str]:
    """Yield the parts between two signs, and each pair of neighbours: IoU has io, u and iou."""
    for chunk in _CHUNK.findall(name):
        parts = [part.lower() for part in _PART.findall(chunk)]
        yield from parts
        yield from map("".join, pairwise(parts))
