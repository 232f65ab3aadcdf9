"""A study whose trials are trained one by one in this process."""

import time
from dataclasses import dataclass

from autolr import objective
from autolr.driver.controller import TrialController
from autolr.driver.messages import with_traceback
from autolr.driver.signals import PATIENCE, Interrupted, Shutdown
from autolr.driver.work import Work
from autolr.errors import SetupError, UserCodeError
from autolr.job import Decision
from autolr.study import Finish


def run_inline(controller: TrialController, shutdown: Shutdown, end: float) -> None:
    """Train until the study is over, a signal comes, or the clock is past ``end``.

    Args:
        controller: Decides what is trained.
        shutdown: Whether a signal came.
        end: Of `time.monotonic`; no trial is started after it.

    Raises:
        UserCodeError: If too many trials in a row failed.
        ConfigError: If the config cannot work after all.
    """
    while not shutdown.requested() and time.monotonic() < end:
        action = controller.next()
        if isinstance(action, Finish):
            controller.finish()
        if not isinstance(action, Work):
            return
        _train(controller, action, shutdown)


@dataclass(frozen=True, slots=True)
class _Judge:
    """The study as a running trial sees it."""

    controller: TrialController
    number: int
    shutdown: Shutdown

    def judge(self, step: int, score: float) -> Decision:
        """Ask the controller, whose storage is written without interruption."""
        with self.shutdown.shielded():
            return self.controller.judge(self.number, step, score)

    def remark(self, line: str) -> None:
        """Pass a line on to the user."""
        self.controller.remark(self.number, line)


def _train(controller: TrialController, work: Work, shutdown: Shutdown) -> None:
    judge = _Judge(controller, work.number, shutdown)
    try:
        with shutdown.within(PATIENCE):
            outcome = objective.run_trial(work.job, judge, shutdown.requested)
    except UserCodeError as error:
        with_traceback(error, work.job.folder / "error.txt")
        controller.fail(work.number, str(error), unbegun=isinstance(error, SetupError))
    except Interrupted:
        controller.cut(work.number)
    else:
        controller.end(work.number, outcome)
