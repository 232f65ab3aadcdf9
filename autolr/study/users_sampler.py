"""A sampler that the user names by its class: made, tried out, and its errors in one line."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import optuna
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState
from typing_extensions import override

from autolr.class_paths import arguments_of, imported, instantiated
from autolr.errors import AutoLRError, ConfigError, UserCodeError
from autolr.sampler import sampler_text
from autolr.space import Space
from autolr.study.sampler_view import SamplerView
from autolr.study.storage import is_storage_error, without_logs
from autolr.users_modules import error_line

_SETTING = "tune.sampler"
_REHEARSED = 2  # trials: many samplers choose the first one in another way than the next


class UsersSampler(BaseSampler):
    """One object of the user's class for as long as a process works on the study.

    It sees unfinished trials with the score of their last rung, as all samplers do. A process that
    resumes a study calls its ``reseed_rng`` first: with its seed alone it would repeat the first
    trials.

    Args:
        chosen: The sampler as the config has it.
        seed: Passed to each sampler in it that takes a seed and has none.

    Raises:
        ConfigError: If the sampler cannot be made.
    """

    def __init__(self, chosen: Mapping[str, Any], seed: int) -> None:
        self._name = sampler_text(chosen)
        self._made = _made(chosen, seed)
        self._settled = not isinstance(self._made, TPESampler)  # it reads the scores of rungs
        self._fresh = True

    @override
    def reseed_rng(self) -> None:
        with self._users():
            self._made.reseed_rng()

    @override
    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        if self._fresh and trial.number > 0:
            self.reseed_rng()
        self._fresh = False
        with self._users():
            self._made.before_trial(self._view(study), trial)

    @override
    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        with self._users():
            space = self._made.infer_relative_search_space(self._view(study), trial)
            # A trial that resumes has its parameters: a sequence shall not advance for them.
            return {name: domain for name, domain in space.items() if name not in trial.params}

    @override
    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        with self._users():
            return dict(self._made.sample_relative(self._view(study), trial, search_space))

    @override
    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        with self._users():
            value = self._made.sample_independent(
                self._view(study), trial, param_name, param_distribution
            )
            if not param_distribution._contains(param_distribution.to_internal_repr(value)):
                raise ValueError(f"{param_name} is {value!r}, outside of {param_distribution}")
            return value

    @override
    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        with self._users():
            self._made.after_trial(self._view(study), trial, state, values)

    def _view(self, study: Study) -> SamplerView:
        # From the storage: there a sampler may keep what it needs with earlier trials.
        return SamplerView(study, None, settled=self._settled)

    @contextmanager
    def _users(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            ours = isinstance(error, AutoLRError)  # and an OSError is that of the user's own file
            if ours or (is_storage_error(error) and not isinstance(error, OSError)):
                raise
            raise UserCodeError(f"{_SETTING} {self._name}: {error_line(error)}") from error


def rehearse(chosen: str | Mapping[str, Any], seed: int, space: Space, objectives: int) -> None:
    """Have a sampler choose the first points of a space, in memory.

    Args:
        chosen: The sampler as the config has it; one of ours needs no rehearsal.
        seed: As for `UsersSampler`.
        space: The search space.
        objectives: How many values a trial has.

    Raises:
        ConfigError: If the sampler raises, or a point is not in the space.
    """
    if isinstance(chosen, str):
        return
    sampler = UsersSampler(chosen, seed)
    with without_logs(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of the study itself will be shown
        study = optuna.create_study(sampler=sampler, directions=["minimize"] * objectives)
        try:
            for _ in range(_REHEARSED):
                trial = study.ask()
                space.suggest(trial)
                study.tell(trial, [0.0] * objectives)
        except UserCodeError as error:
            raise ConfigError(str(error)) from error.__cause__


def _made(chosen: Mapping[str, Any], seed: int) -> BaseSampler:
    made = _class(chosen["class_path"])
    try:
        arguments = _seeded(_SETTING, made, chosen["init_args"], seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # the user chose it
            sampler: BaseSampler = instantiated(_SETTING, made, arguments)
    except AutoLRError:
        raise
    except Exception as error:
        raise ConfigError(f"{_SETTING} {sampler_text(chosen)}: {error_line(error)}") from error
    return sampler


def _class(path: str) -> type:
    made = imported(f"{_SETTING}.class_path", path)
    if not _is_sampler(made):
        expected = "a sampler, a subclass of optuna.samplers.BaseSampler"
        raise ConfigError.of(f"{_SETTING}.class_path", path, expected)
    return cast("type", made)


def _is_sampler(made: object) -> bool:
    return isinstance(made, type) and issubclass(made, BaseSampler)


def _seeded(setting: str, made: type, arguments: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return the arguments of a sampler with a seed, if it takes one; so for samplers in them."""
    result = {
        name: _inner(f"{setting}.init_args.{name}", value, seed)
        for name, value in arguments.items()
    }
    return {"seed": seed, **result} if "seed" in arguments_of(made) else result


def _inner(setting: str, value: Any, seed: int) -> Any:
    if isinstance(value, list):
        return [_inner(setting, item, seed) for item in value]
    if not isinstance(value, dict) or not isinstance(path := value.get("class_path"), str):
        return value
    made = imported(f"{setting}.class_path", path if "." in path else f"optuna.samplers.{path}")
    if not _is_sampler(made):
        return value
    arguments = value.get("init_args") or {}
    return {**value, "init_args": _seeded(setting, made, arguments, seed)}
