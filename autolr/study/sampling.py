"""Optuna's samplers, made repeatable: independent of restarts and of the process."""

import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState
from typing_extensions import override

from autolr.errors import ConfigError
from autolr.extras import install_command
from autolr.study.prior import Known, known_point
from autolr.study.sampler_view import SamplerView
from autolr.study.users_sampler import UsersSampler


def sampler(chosen: str | Mapping[str, Any], seed: int) -> BaseSampler:
    """Return a sampler of the user's class, or one of ours: ``tpe``, ``random``, ``gp``, ``cmaes``.

    The proposals of ours depend only on ``seed``, the trial's number, the name of the parameter
    and the finished trials: a study that was interrupted, even between two parameters of a trial,
    continues as if it had not been. Several trials may be open at once. All but ``random`` draw
    the first 10 trials at random, or around a known point where there is one, see
    `autolr.study.prior`.

    ``gp`` and ``cmaes`` model the parameters that all trials have, ``cmaes`` only numbers; ``tpe``
    draws the rest: choices for ``cmaes``, and conditional parameters. To them a pruned or waiting
    trial ended with the score of its last rung.

    Args:
        chosen: A mapping with ``class_path`` and ``init_args``, see `autolr.sampler`; or
            ``"tpe"`` (joint, with a group for each branch of a conditional space),
            ``"random"``, ``"gp"`` (expected improvement under a Gaussian process; takes
            about a second a trial) or ``"cmaes"`` (for many trials of a few numbers; needs cmaes).
        seed: At least 0.

    Raises:
        ConfigError: If there is no such sampler, its arguments cannot work, ``seed`` is negative,
            or a package that the sampler needs is not installed.

    Source: Bergstra et al. 2011 (TPE); Falkner et al. 2018 (its joint form),
    arXiv:1807.01774; Ament et al. 2023 (log expected improvement), arXiv:2310.20708; Hansen 2016
    (CMA-ES), arXiv:1604.00772.
    """
    if seed < 0:
        raise ConfigError.of("seed", seed, "at least 0")
    if isinstance(chosen, Mapping):
        return UsersSampler(chosen, seed)
    if chosen not in _BUILDERS:
        raise ConfigError.of("sampler", chosen, f"one of {', '.join(sorted(_BUILDERS))}")
    for package in _NEEDS.get(chosen, ()):
        if find_spec(package) is None:
            raise ConfigError(f"sampler {chosen} needs {package}: {install_command(package)}")
    redraws = 1 if chosen == "gp" else 10  # its draws take a second, and seldom differ
    settled, local = chosen in _NEEDS, chosen in LOCAL
    build = _BUILDERS[chosen]
    return RepeatableSampler(build, seed, settled=settled, redraws=redraws, local=local)


def _tpe(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # `group`
        return TPESampler(
            n_startup_trials=10,
            n_ei_candidates=24,
            seed=seed,
            multivariate=True,
            group=True,
            constant_liar=True,
        )


def _random(seed: int) -> BaseSampler:
    return RandomSampler(seed=seed)


def _gp(seed: int) -> BaseSampler:
    return GPSampler(
        seed=seed,
        independent_sampler=_alone(seed),
        n_startup_trials=10,
        deterministic_objective=False,
        constraints_func=None,
        warn_independent_sampling=False,
    )


def _cmaes(seed: int) -> BaseSampler:
    return CmaEsSampler(
        x0=None,
        sigma0=None,
        n_startup_trials=10,  # by then every branch of most spaces has been seen
        independent_sampler=_alone(seed),
        warn_independent_sampling=False,
        seed=seed,
        consider_pruned_trials=False,  # `SamplerView` shows them as complete
        restart_strategy=None,
        popsize=None,  # 4 + 3 ln(dimensions)
        inc_popsize=-1,
        use_separable_cma=False,
        with_margin=False,
        lr_adapt=False,
        source_trials=None,
    )


def _alone(seed: int) -> BaseSampler:
    """Return the sampler for parameters that are drawn one by one."""
    return TPESampler(
        n_startup_trials=10,
        n_ei_candidates=24,
        seed=seed,
        multivariate=False,
        constant_liar=False,
    )


_BUILDERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": _tpe,
    "random": _random,
    "gp": _gp,
    "cmaes": _cmaes,
}
LOCAL = ("tpe", "gp", "cmaes")  # which draw their first points around a known one
_NEEDS = {  # packages; these samplers ignore pruned trials
    "gp": ("scipy", "torch"),
    "cmaes": ("cmaes",),
}


class RepeatableSampler(BaseSampler):
    """A new sampler for each trial, and for each parameter that is drawn alone.

    The draws of one generator for a whole study would depend on how often the study was resumed;
    those of one per trial, on which parameters were drawn before an interruption.

    Attributes:
        known: All trials of the study by number, if the caller keeps them in memory; None: they
            are read from the storage each time, which is slow.
        redraws: How often a point that was trained is worth another draw.
        prior: A peak by rule, around which the first points are drawn until there is a better one.
    """

    known: Mapping[int, FrozenTrial] | None = None
    prior: Mapping[str, float]

    def __init__(
        self,
        build: Callable[[int], BaseSampler],
        seed: int,
        *,
        settled: bool = False,
        redraws: int = 10,
        local: bool = False,
    ) -> None:
        self.redraws = redraws
        self._build = build
        self._local = local
        self.prior = {}
        self._seed = seed
        self._settled = settled
        self._open: dict[int, BaseSampler] = {}  # by trial number
        self._attempts: dict[int, int] = {}  # likewise, at a point for it

    @override
    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._attempts.pop(trial.number, None)
        self._open[trial.number] = self._build(_hash(self._seed, trial.number))
        self._open[trial.number].before_trial(study, trial)

    def redraw(self, number: int, attempt: int) -> None:
        """Draw otherwise for a trial from here on; at random after so many ``redraws``.

        Args:
            number: Of the trial, which has begun.
            attempt: How often it is drawn anew by now.
        """
        self._attempts[number] = attempt
        self._open[number] = self._builder(number)(_hash(self._seed, number, "", attempt))

    def _builder(self, number: int) -> Callable[[int], BaseSampler]:
        return _random if self._attempts.get(number, 0) > self.redraws else self._build

    @override
    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._open[trial.number].infer_relative_search_space(self._view(study, trial), trial)

    @override
    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        view, sampler = self._view(study, trial), self._open[trial.number]
        if self._known(view, trial) is not None:
            return {}  # all are drawn one by one
        params = sampler.sample_relative(view, trial, search_space)
        if self._settled:  # they store their state with the trial, and read it later
            trial.system_attrs = study._storage.get_trial_system_attrs(trial._trial_id)
        return params

    @override
    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        view, attempt = self._view(study, trial), self._attempts.get(trial.number, 0)
        if (known := self._known(view, trial)) is not None:
            around = f"{param_name} around a known point"
            seed = _hash(self._seed, trial.number, around, attempt)
            if (drawn := known.draw(param_name, param_distribution, seed)) is not None:
                return drawn
        alone = self._builder(trial.number)(_hash(self._seed, trial.number, param_name, attempt))
        return alone.sample_independent(view, trial, param_name, param_distribution)

    @override
    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        self._open.pop(trial.number, None)  # no sampler does anything after a trial
        self._attempts.pop(trial.number, None)

    def _known(self, view: SamplerView, trial: FrozenTrial) -> Known | None:
        if not self._local:
            return None
        return known_point(view.all_trials, trial, self.prior, view.directions[0])

    def _view(self, study: Study, trial: FrozenTrial) -> SamplerView:
        return SamplerView(study, self.known, settled=self._settled, without=trial.number)


def _hash(seed: int, number: int, param_name: str = "", attempt: int = 0) -> int:
    """Return a seed of 32 bits, the same on every machine and in every process."""
    name = int.from_bytes(hashlib.sha256(param_name.encode()).digest()[:8], "big")
    parts = [seed, number, name, *([attempt] if attempt else [])]
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
