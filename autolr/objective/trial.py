"""A trial as a Python objective sees it."""

import copy
from typing import TYPE_CHECKING, Any

from autolr.errors import ConfigError
from autolr.job import TrialJob
from autolr.objective.course import Course
from autolr.objective.own_settings import OwnSettings


class Trial:
    """One trial of a study, as the function sees it that `autolr.tune` is given.

    Where training can be resumed, the function reports scores and saves its state:

        def objective(trial: autolr.Trial) -> float:
            model, step = trial.load() or (new_model(trial.settings.width), 0)
            while step < trial.max_steps:
                while step < trial.stop_at:
                    train(model, rate=trial.rate(step))
                    step += 1
                trial.save((model.weights, step))
                trial.report(validate(model), step)
            return validate(model)

    Attributes:
        number: Counted from 0.
        seed: The study's ``seed_everything``, the same for each trial; the function seeds its
            generators itself.
        candidate: The peak, the schedule and the rule; without ``lr`` in the space its peak is
            None.
        settings: The other hyper-parameters of the space: those that no profile takes.
        max_steps: Steps of a whole run, as `autolr.tune` was given them.
        folder: Where the function may write files of this trial; it may not exist yet.
    """

    def __init__(self, job: TrialJob, course: Course) -> None:
        self.number = job.number
        self.seed = job.config.seed
        self.candidate = job.candidate
        self.settings = OwnSettings(copy.deepcopy(dict(job.candidate.settings)))
        self.max_steps = job.run_steps
        self.folder = job.folder
        self._course = course

    if not TYPE_CHECKING:  # a type checker reports such a name itself

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(_missing(name))

    @property
    def stop_at(self) -> int:
        """The step after which the next score is judged, else ``max_steps``.

        The first score that is reported from there on is; to report exactly there makes trials
        comparable, and to save and validate only there costs least.
        """
        rung = self._course.next_rung
        return self.max_steps if rung is None else rung

    def rate(self, step: int) -> float:
        """Return the learning rate of a step: the candidate's peak times its schedule.

        Args:
            step: From 0 to ``max_steps`` - 1.

        Raises:
            ConfigError: If the space has no ``lr``.
        """
        if self.candidate.peak is None:
            raise ConfigError("trial.rate(step) needs lr in the space, which has none")
        return self.candidate.peak * self.candidate.schedule.at(step, self.max_steps)

    def report(self, score: float, step: int) -> None:
        """Report a score; at a rung the study decides whether the trial continues.

        If the trial is to end or to pause, or the study is interrupted, this leaves the function
        by an exception that ``except Exception`` does not catch. A trial that pauses is resumed
        from what was saved before; one that has saved nothing ends at its rung. A score that is
        not finite ends it as diverged.

        Args:
            score: What the study minimizes or maximizes.
            step: Steps made so far; it rises with each report, up to ``max_steps``.

        Raises:
            ConfigError: If one of them cannot be.
        """
        self._course.report(score, step)

    def save(self, state: Any) -> None:
        """Save what is needed to resume the trial; call it before `report`.

        It is written to disk together with the next report; behind the last rung, at once.

        Args:
            state: Tensors, NumPy arrays, numbers, text, bytes, None, and dicts, lists and tuples of
                them; named tuples, ``Counter``, ``OrderedDict``, ``defaultdict`` and members of
                enums as well. Loading it runs no code. What can be pickled only is saved by
                ``pickle.dumps``, and trusted by the process that loads it.

        Raises:
            ConfigError: If something else is in it.
        """
        self._course.save(state)

    def load(self) -> Any:
        """Return the state that was saved when the trial was left; None: it begins anew.

        Each value has the class that it was saved with; tensors are on the CPU.
        """
        return self._course.load()


def _missing(name: str) -> str:
    """Return what is said of an attribute that no trial has; Optuna's trials have others."""
    hint = ""
    if name.startswith("suggest"):
        hint = ": the space says what is searched, and trial.settings.NAME is its value"
    elif name in ("lr", "learning_rate"):
        hint = ": the rate is trial.rate(step)"
    return f"a trial of autolr has no attribute {name!r}{hint}"
