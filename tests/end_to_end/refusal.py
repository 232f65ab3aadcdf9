"""How a command ends that cannot work."""

from typing import Any

NOISE = ("Traceback", "GPU available", "Seed set", "lightning.ai", "Tip:", "Warning")


def check_refused(finished: Any, status: int, *words: str) -> None:
    """It ended with this status, printed these words and little else, and no trial had begun."""
    assert finished.status == status, finished
    assert finished.err.startswith("autolr: error: ")
    assert len(finished.err.splitlines()) <= 3
    assert len(finished.err) <= 500
    assert [word for word in words if word not in finished.err] == [], finished.err
    assert [noise for noise in NOISE if noise in finished.out + finished.err] == []
    assert finished.trained == []
