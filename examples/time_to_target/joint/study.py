"""`autolr.tune` over the joint space, trained for real, within a budget of FLOPs."""

from collections.abc import Mapping
from contextlib import suppress
from tempfile import TemporaryDirectory
from typing import Any

import autolr
from autolr.driver import Event, TrialEnded
from examples.time_to_target.joint.flops import FlopCounter
from examples.time_to_target.joint.problem import COOLDOWN, Joint, run_flops
from examples.time_to_target.peers.budget import Budget, Ended, Spent
from examples.time_to_target.peers.problem import Range

_ENOUGH = 4096  # trials: the budget ends a study before
_HERE = "examples.time_to_target.joint.lightning"
_NAMES = {"peak": "lr", "profile": "schedule", "warmup": "warmup"}
_DATA = ("batch_size",)


class _Over(BaseException):
    """Ends a study whose budget is spent; no Exception, so that nothing catches it."""


def autolr_tune(budget: Budget, seed: int, **tune: Any) -> None:
    """Run a study at its defaults; searches inside trials and their validations are paid as well.

    Args:
        budget: Of a joint problem.
        seed: Of the study.
        tune: Settings of the study that differ from its defaults.

    Raises:
        Spent: At the end.
    """
    problem = budget.problem
    assert isinstance(problem, Joint)
    start, unit = FlopCounter.total, run_flops(problem.workload)

    def listen(event: Event) -> None:
        budget.spent = (FlopCounter.total - start) / unit
        if isinstance(event, TrialEnded) and event.trial.value is not None:
            budget.ended.append(Ended(budget.spent, event.trial.value, event.trial.params))
        if budget.spent >= budget.runs:
            raise _Over

    with TemporaryDirectory() as folder, suppress(_Over):
        autolr.tune(_config(problem, seed, folder, tune), listener=listen)
    raise Spent


def _config(problem: Joint, seed: int, folder: str, tune: Mapping[str, Any]) -> dict[str, Any]:
    given = {"name": problem.workload, "seed": problem.seed}
    settings = {n: v for n, v in problem.default.items() if n not in (*_NAMES, *_DATA)}
    section = {
        "space": {
            **{_path(name): _domain(domain) for name, domain in problem.space.items()},
            "cooldown": {"choices": [COOLDOWN], "when": {"schedule": "wsd"}},
        },
        "trials": _ENOUGH,
        "storage": f"sqlite:///{folder}/study.db",
        "out": f"{folder}/out",
    }
    return {
        "seed_everything": seed,
        "model": {
            "class_path": f"{_HERE}.JointModule",
            "init_args": {**given, "settings": settings},
        },
        "data": {
            "class_path": f"{_HERE}.JointData",
            "init_args": {**given, **{name: problem.default[name] for name in _DATA}},
        },
        "trainer": {
            "accelerator": "cpu",
            "devices": 1,
            "max_steps": problem.task(problem.default).steps,
            "num_sanity_val_steps": 0,
            "logger": False,
        },
        "tune": {**section, **tune},
    }


def _path(name: str) -> str:
    """Return the name of a setting in a config."""
    if name in _NAMES:
        return _NAMES[name]
    return f"data.init_args.{name}" if name in _DATA else f"model.init_args.settings.{name}"


def _domain(domain: Any) -> Any:
    if isinstance(domain, Range):
        return {"low": domain.low, "high": domain.high, "log": domain.log}
    return list(domain.values)
