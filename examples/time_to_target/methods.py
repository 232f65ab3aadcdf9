"""The methods by name, in the order of the table."""

from collections.abc import Callable
from functools import partial

from examples.time_to_target import lightning_runs, single_runs
from examples.time_to_target.live_studies import RUNS, live_study
from examples.time_to_target.oracle_setting import oracle_setting
from examples.time_to_target.outcome import Outcome
from examples.time_to_target.replay import TUNERS, live, replayed
from examples.time_to_target.tasks_base import Task
from examples.time_to_target.workloads import make

LIVE = "_live"  # ends the name of a tuner whose runs are trained, not replayed

Method = Callable[[str, int, float], Outcome]
"""From a workload's name, its seed and the scale to the outcome of a method."""


def _of_task(run: Callable[[Task], Outcome], name: str, seed: int, scale: float) -> Outcome:
    return run(make(name, seed, scale))


METHODS: dict[str, Method] = {
    **{
        run.__name__: partial(_of_task, run)
        for run in (
            oracle_setting,
            lightning_runs.default,
            single_runs.adamw,
            single_runs.sgd,
            lightning_runs.lr_find,
            lightning_runs.lr_find_log,
            single_runs.schedulefree,
            single_runs.prodigy,
            single_runs.dog,
            single_runs.dadaptation,
        )
    },
    **{name: partial(replayed, name) for name in TUNERS},
    "autolrs": partial(_of_task, single_runs.autolrs),
    "autolrs_trainer": partial(_of_task, lightning_runs.autolrs_trainer),
    "autolr": partial(_of_task, lightning_runs.autolr),
    **{f"autolr_tune_{runs}": partial(live_study, runs) for runs in RUNS},
}

LIVE_METHODS: dict[str, Method] = {name + LIVE: partial(live, name) for name in TUNERS}
