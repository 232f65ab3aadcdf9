"""A study from Python: scikit-learn's SGDClassifier on its digits, at the candidate's rate.

    python -m examples.extending.digits_function

Fifteen trials in some seconds; the same command resumes them.
"""

from functools import cache
from typing import Any

from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier

import autolr

_BATCH = 128
_TRAINED = 1280  # of the 1,797 images; the others validate
_FITTED = ("classes_", "coef_", "intercept_", "n_features_in_", "t_")  # what training changes
SPACE = {
    "lr": {"low": 1e-3, "high": 10.0, "log": True},
    "schedule": ["linear", "cosine"],
    "alpha": {"low": 1e-6, "high": 1e-2, "log": True},  # no profile takes it: a setting of ours
}


def objective(trial: autolr.Trial) -> float:
    """Return the accuracy of a trial's classifier on held-out images."""
    images, labels = _digits()
    model = SGDClassifier(
        "log_loss", alpha=trial.settings.alpha, learning_rate="constant", shuffle=False
    )
    step, fitted = trial.load() or (0, {})
    vars(model).update(fitted)
    while step < trial.max_steps:
        while step < trial.stop_at:
            model.eta0 = trial.rate(step)
            first = step * _BATCH % _TRAINED
            batch = slice(first, first + _BATCH)
            model.partial_fit(images[batch], labels[batch], classes=range(10))
            step += 1
        trial.save((step, {name: getattr(model, name) for name in _FITTED}))
        trial.report(model.score(images[_TRAINED:], labels[_TRAINED:]), step)
    return float(model.score(images[_TRAINED:], labels[_TRAINED:]))


@cache
def _digits() -> tuple[Any, Any]:
    images, labels = load_digits(return_X_y=True)
    return images / 16, labels


if __name__ == "__main__":
    result = autolr.tune(
        objective, SPACE, max_steps=60, trials=15, monitor="accuracy", study="digits_function"
    )
    best = result.best[0]
    print(f"best: trial {best.number}, accuracy {best.value:.4f}, {dict(best.params)}")
