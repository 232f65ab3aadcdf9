"""A study whose trials are trained one by one in this process."""

import time
from dataclasses import dataclass

from autolr.driver.director import Director, Work
from autolr.driver.interrupts import PATIENCE, Interrupted, Stop
from autolr.driver.messages import with_traceback
from autolr.errors import SetupError, UserCodeError
from autolr.stretch import Verdict
from autolr.study import Finish


def run_inline(director: Director, stop: Stop, end: float) -> None:
    """Train until the study is over, a signal comes, or the clock is past ``end``.

    Raises:
        UserCodeError: If too many trials in a row failed.
        ConfigError: If the config cannot work after all.
    """
    while not stop.asked() and time.monotonic() < end:
        action = director.next()
        if isinstance(action, Finish):
            director.finish()
        if not isinstance(action, Work):
            return
        _train(director, action, stop)


@dataclass(frozen=True, slots=True)
class _Judge:
    """What a running trial sees of the study."""

    director: Director
    number: int
    stop: Stop

    def judge(self, step: int, score: float) -> Verdict:
        """Ask the director, whose storage is written without interruption."""
        with self.stop.shielded():
            return self.director.judge(self.number, step, score)

    def remark(self, line: str) -> None:
        """Pass a line on to the user."""
        self.director.remark(self.number, line)


def _train(director: Director, work: Work, stop: Stop) -> None:
    from autolr import objective  # here: torch and lightning take seconds to import

    judge = _Judge(director, work.number, stop)
    try:
        with stop.within(PATIENCE):
            outcome = objective.run_trial(work.stretch, judge, stop.asked, judge.remark)
    except UserCodeError as error:
        with_traceback(error, work.stretch.folder / "error.txt")
        director.fail(work.number, str(error), unbegun=isinstance(error, SetupError))
    except Interrupted:
        director.cut(work.number)
    else:
        director.end(work.number, outcome)
