"""A Python function as the objective of a study."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from typing_extensions import override

from autolr.config import FUNCTION, OBJECTIVE, Config
from autolr.config_checks import check
from autolr.errors import ConfigError, unknown_name
from autolr.job import Judge, TrialJob, TrialResult
from autolr.objective.course import Course, TrialOver
from autolr.objective.functions import function_of
from autolr.objective.protocol import Checkup, Objective
from autolr.objective.trial import Trial
from autolr.objective.user_code import before_first_step, no_exit, users_code
from autolr.predicates import is_text, is_whole, whole
from autolr.users_modules import place_of

CANDIDATE = "candidate"  # of a best.yaml
_KEYS = (FUNCTION, "max_steps", CANDIDATE)


class FunctionObjective(Objective):
    """Calls a function with a `Trial`; see `Objective`.

    Args:
        section: ``objective:`` with the function's path and, if a run is longer than one step,
            ``max_steps``.
        folder: From which the function's module is imported.

    Raises:
        ConfigError: If the section cannot work, or the function cannot be imported.
    """

    def __init__(self, section: Mapping[str, Any], folder: Path) -> None:
        for key in section:
            if key not in _KEYS:
                raise ConfigError(f"{OBJECTIVE}: {unknown_name('key', key, _KEYS)}")
        path, self._steps = section[FUNCTION], section.get("max_steps", 1)
        check(f"{OBJECTIVE}.{FUNCTION}", path, "a path such as my_project:objective", is_text(path))
        steps = self._steps
        check(f"{OBJECTIVE}.max_steps", steps, whole(steps, 1), is_whole(steps, 1))
        self._function = function_of(path, folder)

    @override
    def check(self, config: Config, folder: Path) -> Checkup:
        """Return the length of a run; see `Objective`."""
        if CANDIDATE in config.fit[OBJECTIVE]:
            raise ConfigError(
                f"{OBJECTIVE}.{CANDIDATE} is for autolr fit, and a study has candidates of its "
                "own: leave it out"
            )
        return Checkup(self._steps)

    @override
    def run(self, job: TrialJob, judge: Judge, leave: Callable[[], bool]) -> TrialResult:
        """Call the function; see `Objective`."""
        course = Course(job, judge, leave)
        if leave():
            return course.left()
        with before_first_step(lambda: course.begun), users_code(job.folder), no_exit():
            try:
                returned = self._function(Trial(job, course))
            except TrialOver:
                returned = None
            except ConfigError as error:
                raise ConfigError(f"{error}{place_of(error)}") from error
        return course.result(returned)
