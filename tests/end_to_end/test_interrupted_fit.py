"""`autolr fit` that a signal ends."""

import signal
from typing import Any

import pytest

STEP = "    def training_step(self, batch):\n"


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_fit_that_a_signal_ends_says_so_and_exits_with_it(project: Any, signum: int) -> None:
    name = signal.Signals(signum).name
    sent = (
        "        import signal\n"
        "        if self.global_step == 5:\n"
        f"            signal.raise_signal(signal.{name})\n"
    )
    project.change_model((STEP, STEP + sent))
    project.configure()
    finished = project.run("fit", "tune.yaml")
    assert finished.status == 128 + signum
    last = finished.err.splitlines()[-1]
    assert last.startswith(f"autolr: error: {name} ended the run after ")
    assert "checkpoint: " in last
    assert "Traceback" not in finished.err
